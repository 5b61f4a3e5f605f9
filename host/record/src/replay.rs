//! Repeats a recorded call.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde::Serialize;
use stagehost_runtime::capability::CallScope;
use stagehost_runtime::{CallInput, CallRequest, Fanout, Grants, Limits, Observer, Stage, lock};

use crate::budget::RecordBudget;
use crate::clocks;
use crate::compare::{Difference, Kind, compare};
use crate::cut::Cut;
use crate::log::RecordLimits;
use crate::player::{Fallback, Player};
use crate::record_format::{Record, Report, StageRef};
use crate::recorded_bytes::Contents;
use crate::recorder::ReplayRecorder;
use crate::recording::Recording;
use crate::stored_record::StoredRecord;

/// The result of a replay.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// The stage that was called in the replay.
    pub stage: StageRef,
    /// The file's key, or `batch`.
    pub subject: String,
    /// The state.
    pub state: String,
    /// The differences between the two calls; empty if they had the same output and effects.
    pub differences: Vec<Difference>,
    /// Time and resources of the recorded call.
    pub before: Report,
    /// Time and resources of the replay; `None` if the record is cut and so was not replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<Report>,
}

/// How much of a replay is kept in memory, to be compared. The machine is the user's own.
const REPLAY: RecordLimits = RecordLimits { bytes: 0, text: 512 << 20, entries: 100_000, wait: Duration::ZERO };

/// Repeats a recorded call with `stage`, with another configuration if one is given. Uses no network. A record that is cut
/// is not repeated: its only difference says where it is cut.
///
/// # Errors
/// If the stage could not be called. A stage that fails is a difference.
pub async fn replay(stored: StoredRecord, stage: &Stage, config: Option<String>) -> Result<Replayed, &'static str> {
    let contents = Contents::stored(&stored.record, stored.storage);
    let record = Arc::new(stored.record);
    let mut replayed = Replayed {
        stage: StageRef::of(stage),
        subject: record.subject().to_owned(),
        state: record.context.state.clone(),
        differences: cut("the record", record.cut).into_iter().collect(),
        before: record.report,
        now: None,
    };
    if record.cut.is_some() {
        return Ok(replayed);
    }
    let budget = RecordBudget::new(2 * REPLAY.text, 0);
    let player = Player::new(record.clone(), contents, Fallback::Refuse, budget.share(), None);
    let settings = CallSettings {
        config: config.unwrap_or_else(|| record.context.config_text()),
        limits: record.limits,
        grants: record.grants.clone(),
        deadline: None,
        keep: REPLAY,
        budget,
    };
    let fanout = Fanout::new(1, record.limits.memory_mib);
    let now = call_again(&record, &player, stage, settings, &fanout).await.ok_or("the stage was not called")?;
    replayed.differences = differences(&player, &record, &now.record);
    replayed.now = Some(now.record.report);
    Ok(replayed)
}

/// Returns the differences between a recorded call and its repetition, with those that the player has noted.
pub(crate) fn differences(player: &Player, was: &Record, now: &Record) -> Vec<Difference> {
    let mut all: Vec<_> = cut("the repeated call", now.cut).into_iter().collect();
    all.extend(compare(was, now));
    let unrecorded = |what| Difference { kind: Kind::Unrecorded, what, was: None, now: None };
    all.extend(player.divergences().into_iter().map(unrecorded));
    all
}

/// Returns the difference that says where a record ends.
fn cut(what: &str, cut: Option<Cut>) -> Option<Difference> {
    let difference = |cut| Difference { kind: Kind::Cut, what: format!("{what} is {cut}"), was: None, now: None };
    cut.map(difference)
}

/// The settings of a call that may differ from the recorded ones.
pub(crate) struct CallSettings {
    pub(crate) config: String,
    pub(crate) limits: Limits,
    pub(crate) grants: Grants,
    pub(crate) deadline: Option<Instant>,
    /// How much of the repeated call is kept.
    pub(crate) keep: RecordLimits,
    /// What is kept is charged here.
    pub(crate) budget: RecordBudget,
}

/// Repeats a call with the answers of `player`, and records it.
pub(crate) async fn call_again(
    record: &Record,
    player: &Arc<Player>,
    stage: &Stage,
    settings: CallSettings,
    fanout: &Fanout,
) -> Option<Recording> {
    let request = CallRequest {
        scope: CallScope {
            state: record.context.state.clone(),
            execution: record.context.execution.clone(),
            attempt: record.context.attempt,
            task_token: None,
            batch: Arc::new(record.batch.clone()),
            provenance: Arc::new(stage.provenance()),
        },
        started_at: record.context.started_at.clone(),
        config: settings.config,
        limits: settings.limits,
        grants: settings.grants,
        capabilities: player.capabilities(),
        deadline: settings.deadline,
    };
    let input = match &record.asset {
        Some(asset) => CallInput::Asset(Box::new(asset.clone())),
        None => CallInput::Batch(Box::new(record.batch.clone())),
    };
    let recording = Arc::new(Mutex::new(None));
    let recorder = ReplayRecorder {
        capabilities: player.capabilities(),
        clocks_and_random: clocks::replayed(&record.clocks_and_random, began(record)),
        limits: settings.keep,
        budget: settings.budget,
        recording: recording.clone(),
    };
    let observer: Arc<dyn Observer> = Arc::new(());
    // The result is in the recording.
    drop(fanout.intercepted(Arc::new(recorder)).call(stage, &request, input, &observer).await);
    lock(&recording).take()
}

/// Returns when the call began, in nanoseconds since 1970.
fn began(record: &Record) -> u64 {
    let format = &time::format_description::well_known::Rfc3339;
    let time = time::OffsetDateTime::parse(&record.recorded_at, format);
    time.ok().and_then(|time| u64::try_from(time.unix_timestamp_nanos()).ok()).unwrap_or_default()
}
