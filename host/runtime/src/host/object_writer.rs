//! `object-writer`: stored objects, written.

use stagehost_batch::{Case, Failure};
use wasmtime::component::Resource;

use crate::bindings::toq::media::{object_writer, objects, types};
use crate::capability::{NewObject, ObjectInfo, ObjectWriter};
use crate::cores::Core;
use crate::host::handles::OpenWriter;
use crate::host::objects::check_texts;
use crate::host::state::{CallState, host_call};
use crate::quotas::Effect;
use crate::text::{check_key, quoted};

/// The most writers that a call may have open. Each one holds buffers on the host.
const MAX_OPEN_WRITERS: usize = 16;
/// The most bytes that one call appends.
const MAX_APPEND: usize = 4 << 20;
/// The longest content type, in characters.
const CONTENT_TYPE_LENGTH: usize = 128;
/// The longest fingerprint, in characters. S3 stores it in an HTTP header.
const FINGERPRINT_LENGTH: usize = 512;

impl CallState {
    fn writer(&mut self, this: &Resource<OpenWriter>) -> wasmtime::Result<&mut Box<dyn ObjectWriter>> {
        let id = self.table.get(this)?.0;
        self.writers.get_mut(&id).ok_or_else(writer_gone)
    }

    /// Adds a writer to the open ones, which the end of the call discards. Returns its number.
    pub(super) fn keep(&mut self, writer: Box<dyn ObjectWriter>) -> u32 {
        let id = self.next_writer;
        self.next_writer += 1;
        self.writers.insert(id, writer);
        id
    }

    /// Checks that a writer may be created.
    pub(super) fn may_create(
        &mut self,
        key: &str,
        content_type: &str,
        fingerprint: Option<&str>,
    ) -> Result<(), Failure> {
        check_key(key)?;
        self.grants.may_write(key)?;
        check_header("content type", content_type, CONTENT_TYPE_LENGTH)?;
        check_header("fingerprint", fingerprint.unwrap_or_default(), FINGERPRINT_LENGTH)?;
        if self.writers.len() >= MAX_OPEN_WRITERS {
            let key = quoted(key);
            return Err(Failure::new(
                Case::InvalidInput,
                format!("{MAX_OPEN_WRITERS} objects are being written already; finish or drop one before {key}"),
            ));
        }
        self.effects.count(Effect::Object)?;
        self.effects.count(Effect::StorageRequest)
    }

    /// Returns a new object by this stage, which replaces what the call has found under its key.
    pub(super) fn new_object(&self, key: String, content_type: String, fingerprint: Option<String>) -> NewObject {
        let replaces = self.seen.replaces(&key);
        NewObject { key, content_type, fingerprint, provenance: self.scope.provenance.clone(), replaces }
    }

    /// Makes an object visible. If the quota of requests is used up, it is discarded.
    pub(super) async fn finish_object(
        &mut self,
        core: &Core,
        writer: Box<dyn ObjectWriter>,
    ) -> Result<ObjectInfo, Failure> {
        if let Err(refused) = self.effects.count(Effect::StorageRequest) {
            discard(core, writer).await;
            return Err(refused);
        }
        let info = core.free_while(writer.finish()).await?;
        self.seen.found(&info.key, Ok(&info));
        self.known.add(&self.budget, &info.key, &info.etag);
        Ok(info)
    }

    /// Counts bytes that the store has taken.
    fn wrote(&mut self, answer: &Result<(), types::Failure>, len: u64) {
        if answer.is_ok() {
            self.traffic.written = self.traffic.written.saturating_add(len);
        }
    }

    /// Checks that a range of a stored object may be appended.
    fn may_copy(&mut self, key: &str, if_match: Option<&str>, len: u64) -> Result<(), Failure> {
        check_texts(key, if_match)?;
        self.grants.may_read(key)?;
        self.effects.count(Effect::StorageRequest)?;
        self.effects.count(Effect::Bytes(len))
    }

    /// Checks that bytes may be appended.
    fn may_append(&mut self, len: usize) -> Result<(), Failure> {
        if len > MAX_APPEND {
            let message = format!("{len} bytes appended at once; at most {MAX_APPEND} are accepted");
            return Err(Failure::new(Case::TooLarge, message));
        }
        self.effects.count(Effect::Bytes(len as u64))
    }
}

impl object_writer::Host for CallState {}

impl object_writer::HostWriter for CallState {
    async fn create(
        &mut self,
        key: String,
        content_type: String,
        fingerprint: Option<String>,
    ) -> wasmtime::Result<Result<Resource<OpenWriter>, types::Failure>> {
        let core = self.enter();
        if let Err(refused) = self.may_create(&key, &content_type, fingerprint.as_deref()) {
            return Ok(Err(refused.into()));
        }
        // Open writers are not `Sync`, so `self` must not be borrowed across an await.
        let objects = self.capabilities.objects.clone();
        let object = self.new_object(key, content_type, fingerprint);
        let created = host_call(&core, async move { objects.create(object).await }).await;
        Ok(match created {
            Ok(writer) => {
                let id = self.keep(writer);
                Ok(self.table.push(OpenWriter(id))?)
            }
            Err(failure) => Err(failure),
        })
    }

    async fn append(
        &mut self,
        this: Resource<OpenWriter>,
        bytes: Vec<u8>,
    ) -> wasmtime::Result<Result<(), types::Failure>> {
        let core = self.enter();
        let len = bytes.len();
        if let Err(refused) = self.may_append(len) {
            return Ok(Err(refused.into()));
        }
        let writer = self.writer(&this)?;
        let answer = host_call(&core, writer.append(bytes.into())).await;
        self.wrote(&answer, len as u64);
        Ok(answer)
    }

    async fn append_object(
        &mut self,
        this: Resource<OpenWriter>,
        key: String,
        if_match: Option<String>,
        offset: u64,
        len: u64,
    ) -> wasmtime::Result<Result<(), types::Failure>> {
        let core = self.enter();
        if let Err(refused) = self.may_copy(&key, if_match.as_deref(), len) {
            return Ok(Err(refused.into()));
        }
        let writer = self.writer(&this)?;
        let answer = host_call(&core, writer.append_object(&key, if_match.as_deref(), offset, len)).await;
        self.wrote(&answer, len);
        Ok(answer)
    }

    async fn finish(
        &mut self,
        this: Resource<OpenWriter>,
    ) -> wasmtime::Result<Result<objects::ObjectInfo, types::Failure>> {
        let id = self.table.delete(this)?.0;
        let writer = self.writers.remove(&id).ok_or_else(writer_gone)?;
        let core = self.enter();
        let finished = self.finish_object(&core, writer).await;
        Ok(finished.map(Into::into).map_err(Into::into))
    }

    async fn drop(&mut self, this: Resource<OpenWriter>) -> wasmtime::Result<()> {
        let id = self.table.delete(this)?.0;
        if let Some(writer) = self.writers.remove(&id) {
            discard(&self.enter(), writer).await;
        }
        Ok(())
    }
}

/// Discards an unfinished object. A task of its own goes on if the call ends meanwhile.
pub(super) async fn discard(core: &Core, writer: Box<dyn ObjectWriter>) {
    let _ended = core.free_while(tokio::spawn(writer.abort())).await;
}

/// The defect of a handle without its writer.
pub(super) fn writer_gone() -> wasmtime::Error {
    wasmtime::format_err!("the writer is gone")
}

/// Refuses a text that cannot be the value of an HTTP header.
fn check_header(what: &str, text: &str, longest: usize) -> Result<(), Failure> {
    if text.len() <= longest && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Ok(());
    }
    Err(Failure::new(
        Case::InvalidInput,
        format!("a {what} is at most {longest} visible ASCII characters, not {}", quoted(text)),
    ))
}
