//! `objects`: stored objects, read.

use stagehost_batch::{Case, Failure};
use wasmtime::component::Resource;

use crate::bindings::toq::media::{objects, types};
use crate::host::handles::OpenObject;
use crate::host::state::{CallState, host_call};
use crate::quotas::Effect;
use crate::text::{check_key, check_length, quoted};

/// The most bytes that one read returns. Room for them is set aside in every call's budget.
const MAX_READ: u32 = 8 << 20;
/// The most objects that a call may have open. Each one may hold a connection and what is read ahead.
pub(super) const MAX_OPEN_OBJECTS: usize = 16;
/// The longest entity tag, in bytes.
const MAX_ETAG: usize = 128;

/// Refuses texts that are too long to be a key or an entity tag.
pub(super) fn check_texts(key: &str, if_match: Option<&str>) -> Result<(), Failure> {
    check_key(key)?;
    check_length("entity tag", if_match.unwrap_or_default(), MAX_ETAG)
}

impl objects::Host for CallState {
    async fn stat(&mut self, key: String) -> wasmtime::Result<Result<objects::ObjectInfo, types::Failure>> {
        let core = self.enter();
        Ok(host_call(&core, async {
            check_key(&key)?;
            self.grants.may_read(&key)?;
            self.effects.count(Effect::StorageRequest)?;
            let answer = self.capabilities.objects.stat(&key).await;
            self.seen.found(&key, answer.as_ref());
            let info = answer?;
            self.known.add(&self.budget, &info.key, &info.etag);
            Ok(info.into())
        })
        .await)
    }

    async fn digest(
        &mut self,
        key: String,
        if_match: Option<String>,
    ) -> wasmtime::Result<Result<objects::Digests, types::Failure>> {
        let core = self.enter();
        Ok(host_call(&core, async {
            check_texts(&key, if_match.as_deref())?;
            self.grants.may_read(&key)?;
            self.effects.count(Effect::StorageRequest)?;
            let digests = self.capabilities.objects.digest(&key, if_match.as_deref()).await?;
            self.traffic.read = self.traffic.read.saturating_add(digests.bytes);
            self.known.add(&self.budget, &key, &digests.etag);
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
        let core = self.enter();
        let reader = host_call(&core, async {
            check_texts(&key, if_match.as_deref())?;
            self.grants.may_read(&key)?;
            if self.open_objects >= MAX_OPEN_OBJECTS {
                let key = quoted(&key);
                return Err(Failure::new(
                    Case::InvalidInput,
                    format!("{MAX_OPEN_OBJECTS} objects are open already; drop one before {key} is opened"),
                ));
            }
            self.effects.count(Effect::StorageRequest)?;
            self.capabilities.objects.open(&key, if_match.as_deref()).await
        })
        .await;
        Ok(match reader {
            Ok(reader) => {
                let info = reader.info();
                self.known.add(&self.budget, &info.key, &info.etag);
                let object = self.table.push(OpenObject(reader))?;
                self.open_objects += 1;
                Ok(object)
            }
            Err(failure) => Err(failure),
        })
    }

    async fn info(&mut self, this: Resource<OpenObject>) -> wasmtime::Result<objects::ObjectInfo> {
        self.meter.goes_on();
        Ok(self.table.get(&this)?.0.info().clone().into())
    }

    async fn read(
        &mut self,
        this: Resource<OpenObject>,
        offset: u64,
        len: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, types::Failure>> {
        let core = self.enter();
        if let Err(failure) = self.effects.count(Effect::StorageRequest) {
            return Ok(Err(failure.into()));
        }
        let reader = self.table.get_mut(&this)?;
        let answer = core.free_while(reader.0.read(offset, len.min(MAX_READ))).await;
        Ok(match answer {
            Ok(bytes) => {
                self.traffic.read = self.traffic.read.saturating_add(bytes.len() as u64);
                Ok(bytes.into())
            }
            Err(failure) => Err(failure.into()),
        })
    }

    async fn drop(&mut self, this: Resource<OpenObject>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        self.open_objects = self.open_objects.saturating_sub(1);
        Ok(())
    }
}
