//! A recorded call, made again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;
use stagehost_runtime::capability::{CallScope, Provenance};
use stagehost_runtime::{CallInput, CallRequest, Fanout, Grants, Limits, Observer, Stage};

use crate::compare::{Difference, Kind, compare};
use crate::format::{Record, Report, StageRef};
use crate::keep::{Contents, StoredRecord};
use crate::player::{Beyond, Player};
use crate::recorder::{Listener, Recording};
use crate::surroundings;

/// What came of a call that was made again.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// The stage that was called now.
    pub stage: StageRef,
    /// The file, or `batch`.
    pub subject: String,
    /// The state.
    pub state: String,
    /// Nothing if the two calls are the same in everything that they did and gave.
    pub differences: Vec<Difference>,
    /// What the recorded call took.
    pub before: Report,
    /// What this one took.
    pub now: Report,
}

/// Makes a recorded call again with `stage`, with another configuration if one is given. Nothing is sent anywhere: there is
/// no client of any network in this.
///
/// # Errors
/// If the stage could not be called at all; a stage that fails is a difference.
pub async fn replay(stored: StoredRecord, stage: &Stage, config: Option<String>) -> Result<Replayed, &'static str> {
    let contents = Contents::stored(&stored.record, stored.storage);
    let record = Arc::new(stored.record);
    let player = Player::new(record.clone(), contents, Beyond::Refuse);
    let how = How {
        config: config.unwrap_or_else(|| record.context.config_text()),
        limits: record.limits,
        grants: record.grants.clone(),
        deadline: None,
    };
    let fanout = Fanout::new(1, record.limits.memory_mib);
    let now = call_again(&record, &player, stage, how, &fanout).await.ok_or("the stage was not called")?;
    let mut differences = compare(&record, &now.record);
    differences.extend(unrecorded(&player, &now));
    Ok(Replayed {
        stage: now.record.stage.clone(),
        subject: record.subject().to_owned(),
        state: record.context.state.clone(),
        differences,
        before: record.report,
        now: now.record.report,
    })
}

/// What the record had no answer to, and what was too much to be compared.
pub(crate) fn unrecorded(player: &Player, now: &Recording) -> impl Iterator<Item = Difference> {
    let difference = |what| Difference { kind: Kind::Unrecorded, what, was: None, now: None };
    let lost = now.log.state().lost.clone();
    player.divergences().into_iter().chain(lost).map(difference)
}

/// What may be otherwise than it was.
pub(crate) struct How {
    pub(crate) config: String,
    pub(crate) limits: Limits,
    pub(crate) grants: Grants,
    pub(crate) deadline: Option<Instant>,
}

/// Makes a call again whose answers the `player` gives, and records it.
pub(crate) async fn call_again(
    record: &Record,
    player: &Arc<Player>,
    stage: &Stage,
    how: How,
    fanout: &Fanout,
) -> Option<Recording> {
    let identity = stage.identity();
    let request = CallRequest {
        scope: CallScope {
            state: record.context.state.clone(),
            execution: record.context.execution.clone(),
            attempt: record.context.attempt,
            task_token: None,
            batch: Arc::new(record.batch.clone()),
            provenance: Arc::new(Provenance {
                stage: identity.name.clone(),
                version: identity.version.clone(),
                digest: identity.digest.clone(),
            }),
        },
        started_at: record.context.started_at.clone(),
        config: how.config,
        limits: how.limits,
        grants: how.grants,
        capabilities: player.capabilities(),
        deadline: how.deadline,
    };
    let input = match &record.asset {
        Some(asset) => CallInput::Asset(Box::new(asset.clone())),
        None => CallInput::Batch(Box::new(record.batch.clone())),
    };
    let heard = Arc::new(Mutex::new(None));
    let listener = Listener {
        capabilities: player.capabilities(),
        surroundings: surroundings::again(&record.surroundings, began(record)),
        heard: heard.clone(),
    };
    let observer: Arc<dyn Observer> = Arc::new(());
    // What it came to is in what was heard.
    drop(fanout.witnessed(Arc::new(listener)).call(stage, &request, input, &observer).await);
    let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
    heard.take()
}

/// When the call began, in nanoseconds since 1970.
fn began(record: &Record) -> u64 {
    let format = &time::format_description::well_known::Rfc3339;
    let time = time::OffsetDateTime::parse(&record.recorded_at, format);
    time.ok().and_then(|time| u64::try_from(time.unix_timestamp_nanos()).ok()).unwrap_or_default()
}
