//! `RedriveExecution`.

use serde_json::{Value, json};
use stagehost_asl::epoch_seconds;
use time::OffsetDateTime;

use super::requests::RedriveExecution;
use crate::error::StatesError;
use crate::service::States;

/// The number of client tokens that an execution remembers.
const KEPT_TOKENS: usize = 10;

impl States {
    /// Goes on with an execution from where it stopped. A request with a client token that was used gets the same answer
    /// and does nothing.
    pub(super) fn redrive(&self, request: &RedriveExecution) -> Result<Value, StatesError> {
        let record = self.record(&request.execution_arn)?;
        let mut tokens = record.redrive_tokens.lock();
        let known = tokens.iter().find(|(token, _)| Some(token) == request.client_token.as_ref());
        if let Some((_, at)) = known {
            return Ok(json!({"redriveDate": epoch_seconds(*at)}));
        }
        record.execution.redrive().map_err(|reason| StatesError::new("ExecutionNotRedrivable", reason.0))?;
        let at = record.execution.redrives().at.unwrap_or_else(OffsetDateTime::now_utc);
        if let Some(token) = &request.client_token {
            if tokens.len() >= KEPT_TOKENS {
                tokens.remove(0);
            }
            tokens.push((token.clone(), at));
        }
        Ok(json!({"redriveDate": epoch_seconds(at)}))
    }
}
