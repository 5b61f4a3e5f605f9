//! `object-writer`: stored objects, written.

use stagehost_batch::{Case, Failure};
use wasmtime::component::Resource;

use crate::bindings::toq::media::{object_writer, objects, types};
use crate::capability::{NewObject, ObjectWriter};
use crate::host::handles::OpenWriter;
use crate::host::state::{CallState, host_call};

/// The most writers that a call may have open. Each one holds buffers on the host.
const MAX_OPEN_WRITERS: usize = 16;
/// The longest content type, in characters.
const CONTENT_TYPE_LENGTH: usize = 128;
/// The longest fingerprint, in characters. S3 stores it in an HTTP header.
const FINGERPRINT_LENGTH: usize = 512;

impl CallState {
    fn writer(&mut self, this: &Resource<OpenWriter>) -> wasmtime::Result<&mut Box<dyn ObjectWriter>> {
        let id = self.table.get(this)?.0;
        self.writers.get_mut(&id).ok_or_else(|| wasmtime::format_err!("the writer is gone"))
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
        let open = self.writers.len();
        // Open writers are not `Sync`, so `self` must not be borrowed across an await.
        let Self { grants, capabilities, scope, core, seen, .. } = self;
        let core = core.clone();
        let (granted, objects) = (grants.may_write(&key), capabilities.objects.clone());
        let (provenance, replaces) = (scope.provenance.clone(), seen.replaces(&key));
        let created = host_call(&core, async move {
            granted?;
            check_header("content type", &content_type, CONTENT_TYPE_LENGTH)?;
            if let Some(fingerprint) = &fingerprint {
                check_header("fingerprint", fingerprint, FINGERPRINT_LENGTH)?;
            }
            if open >= MAX_OPEN_WRITERS {
                return Err(Failure::new(
                    Case::InvalidInput,
                    format!("{MAX_OPEN_WRITERS} objects are being written already; finish or drop one before {key:?}"),
                ));
            }
            objects.create(NewObject { key, content_type, fingerprint, provenance, replaces }).await
        })
        .await;
        Ok(match created {
            Ok(writer) => {
                let id = self.next_writer;
                self.next_writer += 1;
                self.writers.insert(id, writer);
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
        self.traffic.written += bytes.len() as u64;
        let core = self.core.clone();
        let writer = self.writer(&this)?;
        Ok(host_call(&core, writer.append(bytes.into())).await)
    }

    async fn append_object(
        &mut self,
        this: Resource<OpenWriter>,
        key: String,
        if_match: Option<String>,
        offset: u64,
        len: u64,
    ) -> wasmtime::Result<Result<(), types::Failure>> {
        if let Err(failure) = self.grants.may_read(&key) {
            return Ok(Err(failure.into()));
        }
        self.traffic.written += len;
        let core = self.core.clone();
        let writer = self.writer(&this)?;
        Ok(host_call(&core, writer.append_object(&key, if_match.as_deref(), offset, len)).await)
    }

    async fn finish(
        &mut self,
        this: Resource<OpenWriter>,
    ) -> wasmtime::Result<Result<objects::ObjectInfo, types::Failure>> {
        let id = self.table.delete(this)?.0;
        let writer = self.writers.remove(&id).ok_or_else(|| wasmtime::format_err!("the writer is gone"))?;
        let finished = self.core.free_while(writer.finish()).await;
        if let Ok(info) = &finished {
            self.seen.found(&info.key, Ok(info));
        }
        Ok(finished.map(Into::into).map_err(Into::into))
    }

    async fn drop(&mut self, this: Resource<OpenWriter>) -> wasmtime::Result<()> {
        let id = self.table.delete(this)?.0;
        if let Some(writer) = self.writers.remove(&id) {
            self.core.free_while(writer.abort()).await;
        }
        Ok(())
    }
}

/// Refuses a text that cannot be the value of an HTTP header.
fn check_header(what: &str, text: &str, longest: usize) -> Result<(), Failure> {
    if text.len() <= longest && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        return Ok(());
    }
    Err(Failure::new(
        Case::InvalidInput,
        format!("a {what} is at most {longest} visible ASCII characters, not {text:?}"),
    ))
}
