//! `webhook`: the backend's callback endpoint.

use stagehost_batch::{Case, Failure};

use crate::bindings::toq::media::{types, webhook};
use crate::host::state::{CallState, host_call};
use crate::quotas::Effect;

/// The longest body that is sent to the backend, in bytes.
const MAX_BODY: usize = 4 << 20;

impl webhook::Host for CallState {
    async fn deliver(&mut self, body: String) -> wasmtime::Result<Result<webhook::Reply, types::Failure>> {
        let core = self.enter();
        Ok(host_call(&core, async {
            if body.len() > MAX_BODY {
                return Err(Failure::new(
                    Case::TooLarge,
                    format!("a callback of {} bytes; at most {MAX_BODY} are sent", body.len()),
                ));
            }
            self.effects.count(Effect::Delivery)?;
            let reply = self.capabilities.webhook.deliver(&self.scope, body.into()).await?;
            Ok(webhook::Reply { status: reply.status, retry_after_ms: reply.retry_after_ms })
        })
        .await)
    }
}
