//! Reports about candidates in the shadow: one per call of a state, and summaries of many reports.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::stream::{self, StreamExt as _};
use serde::{Deserialize, Serialize};
use stagehost_storage::{Found, Storage};

use crate::compare::{Difference, Kind};
use crate::error::RecordError;
use crate::pictures::ShadowPicture;
use crate::record_format::{Problem, Report, StageRef};
use crate::store::plain;

/// The format of a shadow's report.
pub const SHADOW_FORMAT: &str = "stagehost-shadow/1";

/// The prefix of all reports in the media bucket.
pub const SHADOW_PREFIX: &str = "pipeline/shadow";

/// How many reports are read at the same time.
const CONCURRENCY: usize = 16;

/// The most examples in a summary.
const MAX_EXAMPLES: usize = 5;

/// The report about a candidate in one call of a state.
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
    /// The revision of the pins.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revision: Option<u64>,
    /// The stage in service.
    pub primary: StageRef,
    /// The candidate in its shadow.
    pub candidate: StageRef,
    /// One per file, or one for a batch stage.
    pub calls: Vec<ShadowCall>,
    /// How many calls the candidate had no time to repeat.
    pub not_run: u32,
}

/// The comparison of one call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShadowCall {
    /// The file's key, or `batch`.
    pub subject: String,
    /// The result of the comparison.
    pub verdict: Verdict,
    /// The differences.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub differences: Vec<Difference>,
    /// How many more differences there are.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub more: usize,
    /// Pictures that the candidate made otherwise, as far as they are kept.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub pictures: Vec<ShadowPicture>,
    /// The candidate's failure, if the stage in service did not fail with the same code.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub failure: Option<Problem>,
    /// Time and resources of the stage in service.
    pub primary: Report,
    /// Time and resources of the candidate.
    pub candidate: Report,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The result of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Output and effects are the same, byte for byte.
    Same,
    /// Something differs.
    Different,
    /// The candidate failed, and the stage in service did not fail with the same code.
    Failed,
    /// The function's deadline ended the call before the candidate's own limit did, so there is no result.
    CutOff,
}

/// The summary of all reports about one candidate.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CandidateSummary {
    /// The candidate.
    pub candidate: StageRef,
    /// The stages that it was compared with: name and version by digest.
    pub primaries: BTreeMap<String, String>,
    /// The number of reports.
    pub reports: u64,
    /// The time of the newest report, RFC 3339.
    pub last: String,
    /// Calls that were compared.
    pub calls: u64,
    /// Of these, calls without a difference.
    pub same: u64,
    /// Calls with a difference.
    pub different: u64,
    /// In how many calls each kind of difference occurred.
    pub different_by_kind: BTreeMap<Kind, u64>,
    /// Calls in which the candidate failed and the stage in service did not fail with the same code.
    pub failed: u64,
    /// These calls by the failure's name.
    pub failed_by_case: BTreeMap<String, u64>,
    /// Calls that the function's deadline ended.
    pub cut_off: u64,
    /// Calls that were not begun.
    pub not_run: u64,
    /// The candidate's time divided by that of the stage in service, without calls in which the candidate failed.
    pub duration_ratio: Option<Ratio>,
    /// The same for memory.
    pub memory_ratio: Option<Ratio>,
    /// Some calls that differ.
    pub examples: Vec<Example>,
}

/// Quantiles of a ratio.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Ratio {
    pub p50: f64,
    pub p95: f64,
}

/// A call that differs: the execution, the file and the first difference.
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

/// Returns the summary for each candidate, the one with the newest report first.
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
                && sum.examples.len() < MAX_EXAMPLES
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

/// Returns the folder of a state's reports, or of those about one candidate, with a `/` at its end.
pub(crate) fn folder(state: &str, digest: Option<&str>) -> String {
    let state = plain(state);
    match digest.map(short) {
        Some(digest) => format!("{SHADOW_PREFIX}/{state}/{digest}/"),
        None => format!("{SHADOW_PREFIX}/{state}/"),
    }
}

/// Returns the beginning of a digest: `sha256:0123456789abcdef…` → `0123456789ab`.
fn short(digest: &str) -> String {
    plain(digest.trim_start_matches("sha256:")).chars().take(12).collect()
}

/// Returns the reports about a state's candidates, or about those whose digest begins with `candidate`, and a second list of
/// reports that could not be read.
///
/// # Errors
/// If the store cannot be listed.
pub async fn read_reports(
    storage: &Arc<dyn Storage>,
    state: &str,
    candidate: Option<&str>,
) -> Result<(Vec<ShadowReport>, Vec<String>), RecordError> {
    let names = storage.list(&folder(state, None)).await?;
    // Pictures are beside the reports.
    let names = names.into_iter().filter(|name| name.ends_with(".json")).collect::<Vec<_>>();
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
