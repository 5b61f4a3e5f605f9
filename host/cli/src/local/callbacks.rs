//! Callbacks to a backend under development, and to the receiver beside it.

use std::sync::Arc;

use anyhow::Result;
use async_trait::async_trait;
use bytes::Bytes;
use stagehost_aws::SignedWebhook;
use stagehost_batch::Failure;
use stagehost_runtime::capability::{CallScope, Webhook, WebhookReply};

use crate::exit::usage;

/// Delivers a callback to the named backend, and what that accepts also to the local receiver: its tables and `run` report
/// what the backend was told.
pub(super) struct BothCallbacks {
    /// The named backend.
    pub(super) theirs: SignedWebhook,
    /// The local receiver.
    pub(super) ours: Arc<dyn Webhook>,
}

#[async_trait]
impl Webhook for BothCallbacks {
    async fn deliver(&self, scope: &CallScope, body: Bytes) -> Result<WebhookReply, Failure> {
        let reply = self.theirs.deliver(scope, body.clone()).await?;
        if (200..300).contains(&reply.status) {
            match self.ours.deliver(scope, body).await {
                Ok(kept) if (200..300).contains(&kept.status) => {}
                Ok(kept) => tracing::warn!(status = kept.status, "the local receiver did not keep a callback"),
                Err(failure) => tracing::warn!(%failure, "the local receiver did not keep a callback"),
            }
        }
        Ok(reply)
    }
}

/// Checks the text of `--callback-url`, before anything starts.
///
/// # Errors
/// Wrong usage, if callbacks could never be sent there.
pub(super) fn check(url: &str) -> Result<()> {
    let (scheme, rest) = url.trim().split_once("://").unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let name = match host.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let loopback = name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match scheme.to_ascii_lowercase().as_str() {
        "https" if !name.is_empty() => Ok(()),
        "http" if loopback => Ok(()),
        "http" => Err(usage!("--callback-url {url}: it must be https, except on this machine (127.0.0.1, localhost)")),
        _ => Err(usage!("--callback-url {url}: it must begin with https://, or with http:// on this machine")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_backend_on_this_machine_needs_no_tls_and_any_other_does() {
        for good in ["http://127.0.0.1:8000/callback", "http://localhost/x", "http://[::1]:1/", "https://api.example/x"]
        {
            check(good).unwrap();
        }
        for bad in ["http://api.example/x", "127.0.0.1:8000", "ftp://localhost", "https://", ""] {
            assert!(check(bad).unwrap_err().to_string().contains("--callback-url"), "{bad}");
        }
    }
}
