//! The exchanges of `http`: requests and answers in pieces.

use stagehost_batch::{Case, Failure};
use wasmtime::component::Resource;

use crate::bindings::toq::media::{http, objects, types};
use crate::capability::HttpHead;
use crate::host::http::allowed;
use crate::host::object_writer::{discard, writer_gone};
use crate::host::objects::{MAX_OPEN_OBJECTS, check_texts};
use crate::host::open_exchange::OpenExchange;
use crate::host::state::{CallState, host_call};
use crate::quotas::Effect;
use crate::text::quoted;

/// The most exchanges that a call may have open. Each one has a connection.
const MAX_OPEN_EXCHANGES: usize = 4;
/// What the client of HTTP holds for one exchange besides the bytes on their way to the service: its buffers for reading
/// (some 400 KiB), the rest of what it has read, and heads.
const BUFFERS: usize = 1 << 20;

impl CallState {
    /// Checks that an object may be sent, and counts the requests for opening it.
    fn may_send(&mut self, key: &str, if_match: Option<&str>) -> Result<(), Failure> {
        check_texts(key, if_match)?;
        self.grants.may_read(key)?;
        if self.open_objects >= MAX_OPEN_OBJECTS {
            let key = quoted(key);
            let message = format!("{MAX_OPEN_OBJECTS} objects are open already; drop one before {key} is sent");
            return Err(Failure::new(Case::InvalidInput, message));
        }
        self.effects.count(Effect::StorageRequest)
    }
}

impl http::HostExchange for CallState {
    async fn begin(
        &mut self,
        head: http::RequestHead,
        timeout_ms: u32,
    ) -> wasmtime::Result<Result<Resource<OpenExchange>, types::Failure>> {
        let core = self.enter();
        let begun = host_call(&core, async {
            let secrets = self.may_request(&head.method, &head.url, &head.headers)?;
            if self.open_exchanges >= MAX_OPEN_EXCHANGES {
                let message = format!("{MAX_OPEN_EXCHANGES} exchanges are open already; drop one before the next");
                return Err(Failure::new(Case::InvalidInput, message));
            }
            let buffers = self.budget.charge(BUFFERS, "an exchange with an HTTP service")?;
            self.effects.count(Effect::HttpRequest)?;
            let (declared, timeout) = (head.body_bytes, allowed(timeout_ms));
            let http::RequestHead { method, url, headers, .. } = head;
            let head = HttpHead { method, url, headers, secrets, body_bytes: declared, timeout };
            let exchange = self.capabilities.http.begin(head).await?;
            Ok(OpenExchange::new(exchange, declared, timeout, buffers))
        })
        .await;
        Ok(match begun {
            Ok(exchange) => {
                let exchange = self.table.push(exchange)?;
                self.open_exchanges += 1;
                Ok(exchange)
            }
            Err(failure) => Err(failure),
        })
    }

    async fn write(
        &mut self,
        this: Resource<OpenExchange>,
        bytes: Vec<u8>,
    ) -> wasmtime::Result<Result<(), types::Failure>> {
        let core = self.enter();
        let exchange = self.table.get_mut(&this)?;
        Ok(host_call(&core, exchange.write(bytes.into(), &self.budget, &mut self.effects)).await)
    }

    async fn write_object(
        &mut self,
        this: Resource<OpenExchange>,
        key: String,
        if_match: Option<String>,
        offset: u64,
        len: u64,
    ) -> wasmtime::Result<Result<(), types::Failure>> {
        let core = self.enter();
        if let Err(refused) = self.may_send(&key, if_match.as_deref()) {
            return Ok(Err(refused.into()));
        }
        let objects = self.capabilities.objects.clone();
        let exchange = self.table.get_mut(&this)?;
        let (budget, effects) = (&self.budget, &mut self.effects);
        let sent = host_call(&core, async move {
            exchange.may_write(len)?;
            let object = objects.open(&key, if_match.as_deref()).await?;
            let bytes = object.info().bytes;
            if offset.checked_add(len).is_none_or(|end| end > bytes) {
                let key = quoted(&key);
                let message = format!("{len} bytes from {offset} of {key}, which has {bytes} bytes");
                return Err(Failure::new(Case::InvalidInput, message));
            }
            exchange.write_from(object, (offset, len), budget, effects).await
        })
        .await;
        if sent.is_ok() {
            self.traffic.read = self.traffic.read.saturating_add(len);
        }
        Ok(sent)
    }

    async fn answer(
        &mut self,
        this: Resource<OpenExchange>,
    ) -> wasmtime::Result<Result<http::ResponseHead, types::Failure>> {
        let core = self.enter();
        let exchange = self.table.get_mut(&this)?;
        let head = host_call(&core, exchange.answer()).await;
        Ok(head.map(|head| http::ResponseHead { status: head.status, headers: head.headers }))
    }

    async fn read(
        &mut self,
        this: Resource<OpenExchange>,
        len: u32,
    ) -> wasmtime::Result<Result<Vec<u8>, types::Failure>> {
        let core = self.enter();
        let exchange = self.table.get_mut(&this)?;
        let bytes = host_call(&core, exchange.read(len as usize, &mut self.effects)).await;
        Ok(bytes.map(Into::into))
    }

    async fn store(
        &mut self,
        this: Resource<OpenExchange>,
        key: String,
        content_type: String,
        fingerprint: Option<String>,
    ) -> wasmtime::Result<Result<objects::ObjectInfo, types::Failure>> {
        let core = self.enter();
        if let Err(refused) = self.table.get(&this)?.may_read() {
            return Ok(Err(refused.into()));
        }
        if let Err(refused) = self.may_create(&key, &content_type, fingerprint.as_deref()) {
            return Ok(Err(refused.into()));
        }
        let objects = self.capabilities.objects.clone();
        let object = self.new_object(key, content_type, fingerprint);
        let id = match host_call(&core, async move { objects.create(object).await }).await {
            Ok(writer) => self.keep(writer),
            Err(failure) => return Ok(Err(failure)),
        };
        // While the answer is read, the writer is among the open ones, so that a call that ends meanwhile discards it as those.
        let exchange = self.table.get_mut(&this)?;
        let writer = self.writers.get_mut(&id).ok_or_else(writer_gone)?;
        let read = core.free_while(exchange.read_into(writer.as_mut(), &mut self.effects)).await;
        let writer = self.writers.remove(&id).ok_or_else(writer_gone)?;
        let bytes = match read {
            Ok(bytes) => bytes,
            Err(failure) => {
                discard(&core, writer).await;
                return Ok(Err(failure.into()));
            }
        };
        let finished = self.finish_object(&core, writer).await;
        if finished.is_ok() {
            self.traffic.written = self.traffic.written.saturating_add(bytes);
        }
        Ok(finished.map(Into::into).map_err(Into::into))
    }

    async fn drop(&mut self, this: Resource<OpenExchange>) -> wasmtime::Result<()> {
        self.table.delete(this)?;
        self.open_exchanges = self.open_exchanges.saturating_sub(1);
        Ok(())
    }
}
