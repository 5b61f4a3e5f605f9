//! Other services, from the record. Nothing is sent.
//!
//! A job or a callback that differs from the recorded one is no question without an answer but an effect that differs: it
//! is answered as the one in its place was, so that the comparison shows the difference and not what follows from a
//! failure. An HTTP request must be the recorded one, because its answer depends on it.

use async_trait::async_trait;
use bytes::Bytes;
use stagehost_batch::Failure;
use stagehost_runtime::capability::{
    CallScope, Http, HttpRequest, HttpResponse, Submission, TranscodeJob, Transcoder, Webhook, WebhookReply,
};

use super::{Beyond, Played, question};
use crate::format::{Answer, HostCall, Payload, Request};
use crate::recorder::asked;

pub(super) fn about_job(job: &TranscodeJob) -> String {
    question(&["submit", &serde_json::to_string(job).unwrap_or_default()])
}

pub(super) fn about_request(request: &Request) -> String {
    let headers = serde_json::to_string(&request.headers).unwrap_or_default();
    question(&["http", &request.method, &request.url, &headers, &request.body.sha256])
}

#[async_trait]
impl Transcoder for Played {
    async fn submit(&self, _: &CallScope, job: TranscodeJob) -> Result<Submission, Failure> {
        let player = &self.0;
        if let Some(HostCall::Submit { answer, .. }) = player.take(&about_job(&job)) {
            return answer.give();
        }
        let instead = match player.take("submit") {
            Some(HostCall::Submit { answer, .. }) => Some(answer),
            _ => None,
        };
        match (instead, &player.beyond) {
            (Some(Answer::Ok(Submission::UpToDate(_))), _) | (None, Beyond::Shadow { .. }) => {
                let mut state = player.state();
                state.jobs += 1;
                Ok(Submission::Running(format!("not-submitted-{}", state.jobs)))
            }
            (Some(answer), _) => answer.give(),
            (None, Beyond::Refuse) => Err(player.diverges(format!("submit a job for {}", job.source_key))),
        }
    }
}

#[async_trait]
impl Webhook for Played {
    async fn deliver(&self, _: &CallScope, body: Bytes) -> Result<WebhookReply, Failure> {
        let player = &self.0;
        let exact = question(&["deliver", &Payload::of(&body).sha256]);
        match (player.take(&exact).or_else(|| player.take("deliver")), &player.beyond) {
            (Some(HostCall::Deliver { answer, .. }), _) => answer.give(),
            (_, Beyond::Shadow { .. }) => Ok(WebhookReply { status: 200, retry_after_ms: None }),
            (_, Beyond::Refuse) => Err(player.diverges("deliver one more callback")),
        }
    }
}

#[async_trait]
impl Http for Played {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
        let player = &self.0;
        let asked = asked(&request);
        match (player.take(&about_request(&asked)), &player.beyond) {
            (Some(HostCall::Http { answer, .. }), _) => {
                let response = answer.give()?;
                let body = player.contents.body(&response.body).await.map_err(|why| player.diverges(why))?;
                Ok(response.with(body))
            }
            (_, Beyond::Shadow { .. }) => Ok(HttpResponse { status: 200, headers: Vec::new(), body: Bytes::new() }),
            (_, Beyond::Refuse) => Err(player.diverges(format!("{} {}", asked.method, asked.url))),
        }
    }
}
