//! `objects`: stored objects, read.

use wasmtime::component::Resource;

use crate::bindings::toq::media::{objects, types};
use crate::host::handles::OpenObject;
use crate::host::state::{CallState, host_call};

/// The most bytes that one read returns.
const MAX_READ: u32 = 8 << 20;

impl objects::Host for CallState {
    async fn stat(&mut self, key: String) -> wasmtime::Result<Result<objects::ObjectInfo, types::Failure>> {
        Ok(host_call(&self.core.clone(), async {
            self.grants.may_read(&key)?;
            let answer = self.capabilities.objects.stat(&key).await;
            self.seen.found(&key, answer.as_ref());
            Ok(answer?.into())
        })
        .await)
    }

    async fn digest(
        &mut self,
        key: String,
        if_match: Option<String>,
    ) -> wasmtime::Result<Result<objects::Digests, types::Failure>> {
        Ok(host_call(&self.core.clone(), async {
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
        let reader = host_call(&self.core.clone(), async {
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
        let answer = core.free_while(reader.0.read(offset, len.min(MAX_READ))).await;
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
