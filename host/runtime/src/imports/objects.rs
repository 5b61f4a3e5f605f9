//! `objects` and `tags`.

use stagehost_batch::Failure;
use wasmtime::component::Resource;

use crate::bindings::toq::media::{objects, tags, types};
use crate::call::CallState;
use crate::capability::ObjectReader;
use crate::cores::Core;

/// The most that one read returns.
const READ_CAP: u32 = 8 << 20;
/// Tags are for lifecycle rules; S3 allows 128 and 256 characters, ASCII is enough here.
const TAG_LENGTH: usize = 128;

/// What stands behind a guest's `object` handle.
pub struct OpenObject(Box<dyn ObjectReader>);

impl objects::Host for CallState {
    async fn stat(&mut self, key: String) -> wasmtime::Result<Result<objects::ObjectInfo, types::Failure>> {
        Ok(guarded(&self.core.clone(), async {
            self.grants.may_read(&key)?;
            Ok(self.capabilities.objects.stat(&key).await?.into())
        })
        .await)
    }

    async fn digest(
        &mut self,
        key: String,
        if_match: Option<String>,
    ) -> wasmtime::Result<Result<objects::Digests, types::Failure>> {
        Ok(guarded(&self.core.clone(), async {
            self.grants.may_read(&key)?;
            let digests = self.capabilities.objects.digest(&key, if_match.as_deref()).await?;
            self.traffic.read += digests.bytes;
            Ok(digests.into())
        })
        .await)
    }
}

impl objects::HostObject for CallState {
    async fn open(
        &mut self,
        key: String,
        if_match: Option<String>,
    ) -> wasmtime::Result<Result<Resource<OpenObject>, types::Failure>> {
        let reader = guarded(&self.core.clone(), async {
            self.grants.may_read(&key)?;
            self.capabilities.objects.open(&key, if_match.as_deref()).await
        })
        .await;
        Ok(match reader {
            Ok(reader) => Ok(self.table.push(OpenObject(reader))?),
            Err(failure) => Err(failure),
        })
    }

    async fn info(&mut self, this: Resource<OpenObject>) -> wasmtime::Result<objects::ObjectInfo> {
        Ok(self.table.get(&this)?.0.info().clone().into())
    }

    async fn read(
        &mut self,
        this: Resource<OpenObject>,
        offset: u64,
        len: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, types::Failure>> {
        let core = self.core.clone();
        let reader = self.table.get_mut(&this)?;
        let answer = core.free_while(reader.0.read(offset, len.min(READ_CAP))).await;
        Ok(match answer {
            Ok(bytes) => {
                self.traffic.read += bytes.len() as u64;
                Ok(bytes.into())
            }
            Err(failure) => Err(failure.into()),
        })
    }

    async fn drop(&mut self, this: Resource<OpenObject>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl tags::Host for CallState {
    async fn set(&mut self, key: String, name: String, value: String) -> wasmtime::Result<Result<(), types::Failure>> {
        Ok(guarded(&self.core.clone(), async {
            // A tag steers the lifecycle of an object that the stage may read; it changes no byte of it.
            self.grants.may_read(&key)?;
            for text in [&name, &value] {
                if text.is_empty() || text.len() > TAG_LENGTH || !text.bytes().all(|b| b.is_ascii_graphic()) {
                    return Err(Failure::new(
                        stagehost_batch::Case::InvalidInput,
                        format!("{text:?} cannot be a tag's name or value: 1 to {TAG_LENGTH} visible ASCII characters"),
                    ));
                }
            }
            self.capabilities.objects.tag(&key, &name, &value).await
        })
        .await)
    }
}

/// Runs the body of an import, without a core while it waits, and turns its failure into the guest's.
pub(crate) async fn guarded<T>(
    core: &Core,
    body: impl Future<Output = Result<T, Failure>>,
) -> Result<T, types::Failure> {
    core.free_while(body).await.map_err(Into::into)
}
