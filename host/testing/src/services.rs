//! The services behind the other capabilities, in memory.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use stagehost_batch::{Case, Failure};
use stagehost_runtime::HttpSecret;
use stagehost_runtime::capability::{
    CallScope, Http, HttpAnswerHead, HttpExchange, HttpHead, HttpRequest, HttpResponse, Submission, TranscodeJob,
    Transcoder, Webhook, WebhookReply,
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
        let HttpRequest { method, url, headers, body, max_response, secrets, .. } = request;
        let answer = answered(&self.0, &method, &url, with_secrets(headers, secrets), body)?;
        if answer.body.len() > max_response {
            let message = format!("{url} answers with {} bytes, more than {max_response}", answer.body.len());
            return Err(Failure::new(Case::TooLarge, message));
        }
        let headers = answer.headers.into_iter().collect();
        Ok(HttpResponse { status: answer.status, headers, body: Bytes::from(answer.body) })
    }

    async fn begin(&self, head: HttpHead) -> Result<Box<dyn HttpExchange>, Failure> {
        let exchange = MemoryExchange { host: self.0.clone(), head, body: BytesMut::new(), answer: Bytes::new() };
        Ok(Box::new(exchange))
    }
}

/// A request in pieces. It is in the journal as one that is whole; one that is never answered is not.
struct MemoryExchange {
    host: MemoryHost,
    head: HttpHead,
    body: BytesMut,
    /// What is left of the answer.
    answer: Bytes,
}

#[async_trait]
impl HttpExchange for MemoryExchange {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.host.meet(HostUse::Write, &self.head.url).await?;
        self.body.extend_from_slice(&bytes);
        Ok(())
    }

    async fn answer(&mut self) -> Result<HttpAnswerHead, Failure> {
        self.host.meet(HostUse::Send, &self.head.url).await?;
        let HttpHead { method, url, headers, secrets, .. } = self.head.clone();
        let body = std::mem::take(&mut self.body).freeze();
        let answer = answered(&self.host, &method, &url, with_secrets(headers, secrets), body)?;
        self.answer = answer.body.into();
        Ok(HttpAnswerHead { status: answer.status, headers: answer.headers.into_iter().collect() })
    }

    async fn read(&mut self, len: usize) -> Result<Bytes, Failure> {
        self.host.meet(HostUse::Read, &self.head.url).await?;
        Ok(self.answer.split_to(len.min(self.answer.len())))
    }
}

/// Adds what stands for the secrets of a request. Their values are settings of a host, which a test has not.
fn with_secrets(mut headers: Vec<(String, String)>, secrets: Vec<HttpSecret>) -> Vec<(String, String)> {
    headers.extend(secrets.into_iter().map(|secret| (secret.header, format!("(the secret {})", secret.name))));
    headers
}

/// Notes a request and returns the answer to it.
fn answered(
    host: &MemoryHost,
    method: &str,
    url: &str,
    headers: Vec<(String, String)>,
    body: Bytes,
) -> Result<HttpAnswer, Failure> {
    let answer = host.with(|inside| {
        inside.effects.push(Effect::Called { method: method.to_owned(), url: url.to_owned(), headers, body });
        inside.answers.iter().find(|answer| answer.fits(method, url)).cloned()
    });
    answer.ok_or_else(|| {
        let message = format!("nobody answers {method} {url} in this test; give an answer to it");
        Failure::new(Case::Transient, message)
    })
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
    fn head(url: &str) -> HttpHead {
        HttpHead {
            method: "POST".into(),
            url: url.into(),
            headers: vec![("content-type".into(), "video/mp4".into())],
            secrets: Vec::new(),
            body_bytes: None,
            timeout: Duration::from_secs(1),
        }
    }

    #[tokio::test]
    async fn a_request_in_pieces_is_in_the_journal_as_a_whole_one_and_meets_its_faults() {
        let host = MemoryHost::default();
        host.answer(serde_json::from_str(r#"{"url": "https://films.example/", "body": "a still film"}"#).unwrap());
        let services = MemoryServices(host.clone());
        let abandoned = services.begin(head("https://films.example/")).await;
        abandoned.unwrap().write("never sent".into()).await.unwrap();
        assert_eq!(host.effects(), []);

        let mut exchange = services.begin(head("https://films.example/")).await.unwrap();
        exchange.write("a shaken ".into()).await.unwrap();
        exchange.write("film".into()).await.unwrap();
        assert_eq!(exchange.answer().await.unwrap().status, 200);
        assert_eq!(exchange.read(7).await.unwrap(), "a still");
        assert_eq!(exchange.read(100).await.unwrap(), " film");
        let called = Effect::Called {
            method: "POST".into(),
            url: "https://films.example/".into(),
            headers: vec![("content-type".into(), "video/mp4".into())],
            body: "a shaken film".into(),
        };
        assert_eq!(host.effects(), [called]);

        for (when, then) in [("write", Case::Transient), ("send", Case::Transient), ("read", Case::Transient)] {
            let fault = format!(r#"{{"when": "{when}", "then": "transient", "times": 1}}"#);
            host.inject(serde_json::from_str(&fault).unwrap());
            let mut exchange = services.begin(head("https://films.example/")).await.unwrap();
            let mut steps = vec![exchange.write("film".into()).await.err()];
            steps.push(exchange.answer().await.err());
            steps.push(exchange.read(1).await.err());
            let failed: Vec<_> = steps.into_iter().flatten().map(|failure| failure.case).collect();
            assert_eq!(failed, [then], "{when}");
        }
    }
}
