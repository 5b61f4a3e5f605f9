//! What a list says about an execution besides its status, read from its input and output and remembered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use time::OffsetDateTime;

use crate::source::error::SourceError;
use crate::source::executions::{ExecutionFacts, ExecutionSource, ExecutionStatus, ListedExecution};

/// How many executions are remembered.
const REMEMBERED: usize = 20_000;
/// The longest text by which an execution is found, in bytes.
const LONGEST_TEXT: usize = 8 << 10;

/// What is in a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BatchSummary {
    /// The listing.
    pub listing: Option<String>,
    /// How many files it has.
    pub files: Option<u64>,
    /// How many of them failed; known at the end.
    pub failed: Option<u64>,
    /// The error with which the execution ended.
    pub error: Option<String>,
    /// Names, ids and files in lower case, to search in.
    pub text: String,
}

impl BatchSummary {
    /// Reads an execution.
    pub fn of(facts: &ExecutionFacts) -> Self {
        let parsed = stagehost_batch::parse(&facts.input).ok();
        let count = |name: &str| facts.output.as_ref()?.get("counts")?.get(name)?.as_u64();
        let listing = parsed.as_ref().map(|batch| batch.listing.id.to_string()).or_else(|| listing_of(&facts.input));
        let batch = parsed.as_ref().and_then(|batch| batch.batch_id.as_ref()).map(ToString::to_string);
        let job = parsed.as_ref().and_then(|batch| batch.job_id.as_ref()).map(ToString::to_string);
        let mut text = facts.listed.name.to_lowercase();
        for part in [&listing, &batch, &job].into_iter().flatten() {
            text.push('\n');
            text.push_str(&part.to_lowercase());
        }
        for asset in parsed.iter().flat_map(|batch| &batch.assets) {
            if text.len() + asset.key.len() > LONGEST_TEXT {
                break;
            }
            text.push('\n');
            text.push_str(&asset.key.to_lowercase());
        }
        Self {
            files: count("assets").or_else(|| parsed.as_ref().map(|batch| batch.assets.len() as u64)),
            failed: count("failed"),
            error: facts.error.clone(),
            listing,
            text,
        }
    }
}

/// Returns the listing of a document that cannot be read as a batch.
fn listing_of(document: &Value) -> Option<String> {
    let id = document.get("listingId").or_else(|| document.get("listingIdentityId"))?;
    Some(id.as_str().map_or_else(|| id.to_string(), str::to_owned))
}

/// Summaries by ARN, each with the moment of the execution that it is of. Between its start and its end an execution has one
/// summary, and after its end another; a redrive begins anew.
#[derive(Default)]
pub struct Summaries(Mutex<HashMap<String, (Moment, Arc<BatchSummary>)>>);

/// The status of an execution, and the second in which it ended.
type Moment = (ExecutionStatus, Option<i64>);

fn moment(execution: &ListedExecution) -> Moment {
    (execution.status, execution.stopped.map(OffsetDateTime::unix_timestamp))
}

impl Summaries {
    /// Returns the summary of an execution, if it is remembered and the execution is as it was then.
    pub fn known(&self, execution: &ListedExecution) -> Option<Arc<BatchSummary>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (of, summary) = known.get(&execution.arn)?;
        (*of == moment(execution)).then(|| summary.clone())
    }

    /// Returns the summary of an execution, which is read if it is not remembered.
    ///
    /// # Errors
    /// If it cannot be read.
    pub async fn of(
        &self,
        source: &dyn ExecutionSource,
        execution: &ListedExecution,
    ) -> Result<Arc<BatchSummary>, SourceError> {
        if let Some(known) = self.known(execution) {
            return Ok(known);
        }
        let facts = source.facts(&execution.arn).await?;
        let summary = Arc::new(BatchSummary::of(&facts));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(execution.arn.clone(), (moment(&facts.listed), summary.clone()));
        Ok(summary)
    }
}
