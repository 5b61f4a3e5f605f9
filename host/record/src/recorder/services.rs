//! Records calls to other services, without credentials.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use stagehost_batch::Failure;
use stagehost_runtime::capability::{
    CallScope, Http, HttpExchange, HttpHead, HttpRequest, HttpResponse, Submission, TranscodeJob, Transcoder, Webhook,
    WebhookReply,
};

use super::exchange::RecordedExchange;
use crate::log::CallLog;
use crate::record_format::{Answer, HostCall, Response};
use crate::{requests, scrub};

/// A service whose calls are recorded.
pub(super) struct RecordedService<T: ?Sized> {
    pub(super) inner: Arc<T>,
    pub(super) log: Arc<CallLog>,
}

#[async_trait]
impl Transcoder for RecordedService<dyn Transcoder> {
    async fn submit(&self, scope: &CallScope, job: TranscodeJob) -> Result<Submission, Failure> {
        let answer = self.inner.submit(scope, job.clone()).await;
        self.log.add(HostCall::Submit { job, answer: Answer::of(&answer) });
        answer
    }
}

#[async_trait]
impl Webhook for RecordedService<dyn Webhook> {
    async fn deliver(&self, scope: &CallScope, body: Bytes) -> Result<WebhookReply, Failure> {
        let answer = self.inner.deliver(scope, body.clone()).await;
        self.log.add(HostCall::Deliver { body: self.log.body(&body), answer: Answer::of(&answer) });
        answer
    }
}

#[async_trait]
impl Http for RecordedService<dyn Http> {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let recorded = requests::recorded(&request);
        self.log.body(&request.body);
        let answer = self.inner.send(request).await;
        let response = answer.as_ref().map_err(scrub::failure).map(|response| Response {
            status: response.status,
            headers: scrub::headers(&response.headers),
            body: self.log.body(&response.body),
        });
        self.log.add(HostCall::Http { request: recorded, answer: Answer::of(&response) });
        answer
    }

    async fn begin(&self, head: HttpHead) -> Result<Box<dyn HttpExchange>, Failure> {
        let inner = self.inner.begin(head.clone()).await;
        RecordedExchange::begun(inner, head, self.log.clone())
    }
}
