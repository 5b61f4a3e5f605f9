//! Answers calls to other services from the record. Nothing is sent.
//!
//! A job or a callback that differs from the recorded one gets the recorded answer all the same, so that the comparison
//! shows this difference and not the consequences of a failure. An HTTP request must equal the recorded one, because its
//! answer depends on it.

use async_trait::async_trait;
use bytes::Bytes;
use stagehost_batch::Failure;
use stagehost_runtime::capability::{
    CallScope, Http, HttpExchange, HttpHead, HttpRequest, HttpResponse, Submission, TranscodeJob, Transcoder, Webhook,
    WebhookReply,
};

use super::answers::{Fallback, ReplayCapabilities};
use super::exchange::ReplayedExchange;
use super::questions::{about_job, about_request, question};
use crate::record_format::{Answer, HostCall, Payload};
use crate::requests;

#[async_trait]
impl Transcoder for ReplayCapabilities {
    async fn submit(&self, _: &CallScope, job: TranscodeJob) -> Result<Submission, Failure> {
        let player = &self.0;
        if let Some(HostCall::Submit { answer, .. }) = player.take(&about_job(&job)) {
            return answer.to_result();
        }
        let instead = match player.take("submit") {
            Some(HostCall::Submit { answer, .. }) => Some(answer),
            _ => None,
        };
        match (instead, &player.fallback) {
            (Some(Answer::Ok(Submission::UpToDate(_))), _) | (None, Fallback::Shadow { .. }) => {
                let mut state = player.state();
                state.jobs += 1;
                Ok(Submission::Running(format!("not-submitted-{}", state.jobs)))
            }
            (Some(answer), _) => answer.to_result(),
            (None, Fallback::Refuse) => Err(player.diverges(format!("submit a job for {}", job.source_key))),
        }
    }
}

#[async_trait]
impl Webhook for ReplayCapabilities {
    async fn deliver(&self, _: &CallScope, body: Bytes) -> Result<WebhookReply, Failure> {
        let player = &self.0;
        let exact = question(&["deliver", &Payload::of(&body).sha256]);
        match (player.take(&exact).or_else(|| player.take("deliver")), &player.fallback) {
            (Some(HostCall::Deliver { answer, .. }), _) => answer.to_result(),
            (_, Fallback::Shadow { .. }) => Ok(WebhookReply { status: 200, retry_after_ms: None }),
            (_, Fallback::Refuse) => Err(player.diverges("deliver one more callback")),
        }
    }
}

#[async_trait]
impl Http for ReplayCapabilities {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let player = &self.0;
        let request = requests::recorded(&request);
        match (player.take(&about_request(&request)), &player.fallback) {
            (Some(HostCall::Http { answer, .. }), _) => {
                let response = answer.to_result()?;
                let body = player.contents.body(&response.body).await.map_err(|why| player.diverges(why))?;
                Ok(response.with_body(body))
            }
            (_, Fallback::Shadow { .. }) => Ok(HttpResponse { status: 200, headers: Vec::new(), body: Bytes::new() }),
            (_, Fallback::Refuse) => Err(player.diverges(format!("{} {}", request.method, request.url))),
        }
    }

    async fn begin(&self, head: HttpHead) -> Result<Box<dyn HttpExchange>, Failure> {
        ReplayedExchange::begin(&self.0, head)
    }
}
