//! Calls to other services, recorded without what is secret in them.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use stagehost_batch::Failure;
use stagehost_runtime::capability::{
    CallScope, Http, HttpRequest, HttpResponse, Submission, TranscodeJob, Transcoder, Webhook, WebhookReply,
};

use crate::format::{Answer, HostCall, Request, Response};
use crate::log::CallLog;
use crate::scrub;

pub(super) struct Recorded<T: ?Sized> {
    pub(super) inner: Arc<T>,
    pub(super) log: Arc<CallLog>,
}

#[async_trait]
impl Transcoder for Recorded<dyn Transcoder> {
    async fn submit(&self, scope: &CallScope, job: TranscodeJob) -> Result<Submission, Failure> {
        let answer = self.inner.submit(scope, job.clone()).await;
        self.log.add(HostCall::Submit { job, answer: Answer::of(&answer) });
        answer
    }
}

#[async_trait]
impl Webhook for Recorded<dyn Webhook> {
    async fn deliver(&self, scope: &CallScope, body: Bytes) -> Result<WebhookReply, Failure> {
        let answer = self.inner.deliver(scope, body.clone()).await;
        self.log.add(HostCall::Deliver { body: self.log.body(&body), answer: Answer::of(&answer) });
        answer
    }
}

#[async_trait]
impl Http for Recorded<dyn Http> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let asked = asked(&request);
        self.log.body(&request.body);
        let answer = self.inner.send(request).await;
        let kept = answer.as_ref().map_err(Clone::clone).map(|response| Response {
            status: response.status,
            headers: scrub::headers(&response.headers),
            body: self.log.body(&response.body),
        });
        self.log.add(HostCall::Http { request: asked, answer: Answer::of(&kept) });
        answer
    }
}

/// A request as it is recorded, and looked up again.
pub(crate) fn asked(request: &HttpRequest) -> Request {
    Request {
        method: request.method.to_ascii_uppercase(),
        url: scrub::url(&request.url),
        headers: scrub::headers(&request.headers),
        body: crate::format::Payload::of(&request.body),
    }
}
