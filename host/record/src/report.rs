//! What a candidate in the shadow did differently: one report per call of a state, and what many of them come to.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use stagehost_storage::{Found, Storage};

use crate::compare::{Difference, Kind};
use crate::format::{Problem, Report, StageRef};
use crate::keep::RecordError;
use crate::shadow::folder;

/// The format of a shadow's report.
pub const SHADOW_FORMAT: &str = "stagehost-shadow/1";

/// Reports that are read at the same time.
const CONCURRENCY: usize = 16;

/// So many differing calls are shown in a summary.
const EXAMPLES: usize = 5;

/// How a candidate did in one call of a state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowReport {
    /// [`SHADOW_FORMAT`].
    pub format: String,
    /// The state.
    pub state: String,
    /// The execution's ARN.
    pub execution: String,
    /// Retries of the state before.
    pub attempt: u32,
    /// RFC 3339, UTC.
    pub finished_at: String,
    /// Of the pins.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revision: Option<u64>,
    /// The stage in service.
    pub primary: StageRef,
    /// The one in its shadow.
    pub candidate: StageRef,
    /// One per file, or one for a batch stage.
    pub calls: Vec<ShadowCall>,
    /// Calls of the stage in service that there was no time to make again.
    pub not_run: u32,
}

/// How a candidate did in one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowCall {
    /// The file's key, or `batch`.
    pub subject: String,
    /// In one word.
    pub verdict: Verdict,
    /// What it did differently.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub differences: Vec<Difference>,
    /// How many differences are not named above.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub more: usize,
    /// How it failed where the stage in service did not, or not so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<Problem>,
    /// What the stage in service took.
    pub primary: Report,
    /// What the candidate took.
    pub candidate: Report,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// How a candidate did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The same output, the same effects, byte for byte.
    Same,
    /// Something differs.
    Different,
    /// It failed where the stage in service did not, or otherwise.
    Failed,
    /// The function's time was over before the candidate's: says nothing about it.
    CutOff,
}

/// What all reports on one candidate come to.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CandidateSummary {
    /// The candidate.
    pub candidate: StageRef,
    /// What it was compared with, by digest: name and version.
    pub primaries: BTreeMap<String, String>,
    /// Reports.
    pub reports: u64,
    /// The newest of them, RFC 3339.
    pub last: String,
    /// Calls that were compared.
    pub calls: u64,
    /// Of these, without any difference.
    pub same: u64,
    /// With one at least.
    pub different: u64,
    /// In how many calls each kind of difference was found.
    pub different_by_kind: BTreeMap<Kind, u64>,
    /// Calls in which only the candidate failed, or otherwise.
    pub failed: u64,
    /// These by the failure's name.
    pub failed_by_case: BTreeMap<String, u64>,
    /// Calls that the function's time was over for.
    pub cut_off: u64,
    /// Calls that were not begun.
    pub not_run: u64,
    /// The candidate's time by that of the stage in service, in calls where neither failed.
    pub duration_ratio: Option<Ratio>,
    /// The same for memory.
    pub memory_ratio: Option<Ratio>,
    /// Some calls that differ: the execution, the file and the first difference.
    pub examples: Vec<Example>,
}

/// Quantiles of a ratio.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Ratio {
    pub p50: f64,
    pub p95: f64,
}

/// A call that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Example {
    pub execution: String,
    pub subject: String,
    pub difference: String,
}

impl Ratio {
    fn of(mut ratios: Vec<f64>) -> Option<Self> {
        ratios.sort_by(f64::total_cmp);
        // Nearest rank.
        let at = |quantile: f64| {
            let rank = (quantile * ratios.len() as f64).ceil() as usize;
            ratios.get(rank.clamp(1, ratios.len().max(1)) - 1).copied()
        };
        Some(Self { p50: at(0.5)?, p95: at(0.95)? })
    }
}

/// Sums reports up, by candidate, the one that was reported on last first.
pub fn summarize(reports: impl IntoIterator<Item = ShadowReport>) -> Vec<CandidateSummary> {
    let mut by_candidate: BTreeMap<String, Vec<ShadowReport>> = BTreeMap::new();
    for report in reports {
        by_candidate.entry(report.candidate.digest.clone()).or_default().push(report);
    }
    let mut all: Vec<_> = by_candidate.into_values().filter_map(|reports| summary(&reports)).collect();
    all.sort_by(|a, b| b.last.cmp(&a.last));
    all
}

fn summary(reports: &[ShadowReport]) -> Option<CandidateSummary> {
    let newest = reports.iter().max_by(|a, b| a.finished_at.cmp(&b.finished_at))?;
    let mut sum = CandidateSummary {
        candidate: newest.candidate.clone(),
        primaries: BTreeMap::new(),
        reports: reports.len() as u64,
        last: newest.finished_at.clone(),
        calls: 0,
        same: 0,
        different: 0,
        different_by_kind: BTreeMap::new(),
        failed: 0,
        failed_by_case: BTreeMap::new(),
        cut_off: 0,
        not_run: 0,
        duration_ratio: None,
        memory_ratio: None,
        examples: Vec::new(),
    };
    let (mut durations, mut memory) = (Vec::new(), Vec::new());
    for report in reports {
        let primary = &report.primary;
        sum.primaries.insert(primary.digest.clone(), format!("{} {}", primary.name, primary.version));
        sum.not_run += u64::from(report.not_run);
        for call in &report.calls {
            match call.verdict {
                Verdict::CutOff => {
                    sum.cut_off += 1;
                    continue;
                }
                Verdict::Same => sum.same += 1,
                Verdict::Different => sum.different += 1,
                Verdict::Failed => sum.failed += 1,
            }
            sum.calls += 1;
            let mut kinds: Vec<_> = call.differences.iter().map(|difference| difference.kind).collect();
            kinds.sort();
            kinds.dedup();
            for kind in kinds {
                *sum.different_by_kind.entry(kind).or_default() += 1;
            }
            if let Some(failure) = &call.failure {
                *sum.failed_by_case.entry(failure.code.clone()).or_default() += 1;
            } else {
                let ratio = |now: f64, was: f64| (was > 0.0).then(|| now / was);
                durations.extend(ratio(call.candidate.duration_ms, call.primary.duration_ms));
                memory.extend(ratio(call.candidate.memory_peak as f64, call.primary.memory_peak as f64));
            }
            if let Some(first) = call.differences.first()
                && sum.examples.len() < EXAMPLES
            {
                sum.examples.push(Example {
                    execution: report.execution.clone(),
                    subject: call.subject.clone(),
                    difference: first.to_string(),
                });
            }
        }
    }
    (sum.duration_ratio, sum.memory_ratio) = (Ratio::of(durations), Ratio::of(memory));
    Some(sum)
}

/// Reads the reports on a state's candidates, or on those whose digest begins with `candidate`. The second list names what
/// could not be read.
///
/// # Errors
/// If the store cannot be listed.
pub async fn read_reports(
    storage: &Arc<dyn Storage>,
    state: &str,
    candidate: Option<&str>,
) -> Result<(Vec<ShadowReport>, Vec<String>), RecordError> {
    let names = storage.list(&folder(state, None)).await?;
    let texts = stream::iter(names)
        .map(|name| async move { (storage.place(&name), storage.get(&name, None).await) })
        .buffer_unordered(CONCURRENCY)
        .collect::<Vec<_>>()
        .await;
    let (mut reports, mut unreadable) = (Vec::new(), Vec::new());
    for (place, text) in texts {
        let report = match text {
            Ok(Found::Found { bytes, .. }) => {
                serde_json::from_slice::<ShadowReport>(&bytes).map_err(|error| error.to_string())
            }
            Ok(_) => continue,
            Err(error) => Err(error.to_string()),
        };
        match report {
            Ok(report) if report.format == SHADOW_FORMAT => reports.push(report),
            Ok(report) => unreadable.push(format!("{place}: its format is {:?}", report.format)),
            Err(why) => unreadable.push(format!("{place}: {why}")),
        }
    }
    if let Some(candidate) = candidate {
        let wanted = candidate.trim_start_matches("sha256:");
        reports.retain(|report| report.candidate.digest.trim_start_matches("sha256:").starts_with(wanted));
    }
    reports.sort_by(|a, b| (&a.finished_at, &a.execution).cmp(&(&b.finished_at, &b.execution)));
    Ok((reports, unreadable))
}
