//! The services behind the other capabilities, in memory.

use async_trait::async_trait;
use bytes::Bytes;
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{
    CallScope, Http, HttpRequest, HttpResponse, Submission, TranscodeJob, Transcoder, Webhook, WebhookReply,
};

use crate::faults::HostUse;
use crate::journal::Effect;
use crate::memory_host::{HttpAnswer, MemoryHost};

/// The transcoding service, the backend and all other services.
pub(crate) struct MemoryServices(pub(crate) MemoryHost);

#[async_trait]
impl Transcoder for MemoryServices {
    async fn submit(&self, _: &CallScope, job: TranscodeJob) -> Result<Submission, Failure> {
        self.0.meet(HostUse::Submit, &job.source_key).await?;
        Ok(self.0.with(|inside| {
            inside.jobs += 1;
            inside.effects.push(Effect::Submitted(job));
            Submission::Running(format!("job-{}", inside.jobs))
        }))
    }
}

#[async_trait]
impl Webhook for MemoryServices {
    async fn deliver(&self, _: &CallScope, body: Bytes) -> Result<WebhookReply, Failure> {
        self.0.meet(HostUse::Deliver, "").await?;
        Ok(self.0.with(|inside| {
            inside.effects.push(Effect::Delivered(body));
            let status = if inside.statuses.is_empty() { 200 } else { inside.statuses.remove(0) };
            WebhookReply { status, retry_after_ms: None }
        }))
    }
}

#[async_trait]
impl Http for MemoryServices {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        self.0.meet(HostUse::Send, &request.url).await?;
        let HttpRequest { method, url, mut headers, body, max_response, secrets, .. } = request;
        // Their values are settings of a host, which a test has not.
        headers.extend(secrets.into_iter().map(|secret| (secret.header, format!("(the secret {})", secret.name))));
        let answer = self.0.with(|inside| {
            let effect = Effect::Called { method: method.clone(), url: url.clone(), headers, body };
            inside.effects.push(effect);
            inside.answers.iter().find(|answer| answer.fits(&method, &url)).cloned()
        });
        let Some(answer) = answer else {
            let message = format!("nobody answers {method} {url} in this test; give an answer to it");
            return Err(Failure::new(Case::Transient, message));
        };
        if answer.body.len() > max_response {
            let message = format!("{url} answers with {} bytes, more than {max_response}", answer.body.len());
            return Err(Failure::new(Case::TooLarge, message));
        }
        let headers = answer.headers.into_iter().collect();
        Ok(HttpResponse { status: answer.status, headers, body: Bytes::from(answer.body) })
    }
}

impl HttpAnswer {
    /// Returns whether it is the answer to this request.
    fn fits(&self, method: &str, url: &str) -> bool {
        let named = self.method.as_deref().is_none_or(|own| own.eq_ignore_ascii_case(method));
        named && self.url.strip_suffix('*').map_or(self.url == url, |begin| url.starts_with(begin))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;

    fn request(method: &str, url: &str) -> HttpRequest {
        HttpRequest {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            timeout: Duration::from_secs(1),
            max_response: 10,
            secrets: Vec::new(),
        }
    }

    #[tokio::test]
    async fn a_request_gets_the_first_answer_that_fits_and_is_in_the_journal() {
        let host = MemoryHost::default();
        for answer in [
            r#"{"method": "POST", "url": "https://chat.example/hook", "status": 204}"#,
            r#"{"url": "https://chat.example/*", "body": "0123456789"}"#,
            r#"{"url": "https://big.example/", "body": "01234567890"}"#,
        ] {
            host.answer(serde_json::from_str(answer).unwrap());
        }
        let services = MemoryServices(host.clone());
        assert_eq!(services.send(request("post", "https://chat.example/hook")).await.unwrap().status, 204);
        let other = services.send(request("GET", "https://chat.example/hook")).await.unwrap();
        assert_eq!((other.status, other.body), (200, "0123456789".into()));
        let unknown = services.send(request("GET", "https://other.example/")).await.unwrap_err();
        assert_eq!(unknown.case, Case::Transient);
        assert!(unknown.message.contains("GET https://other.example/"), "{unknown}");
        assert_eq!(services.send(request("GET", "https://big.example/")).await.unwrap_err().case, Case::TooLarge);
        assert_eq!(host.effects().len(), 4);
    }
}
