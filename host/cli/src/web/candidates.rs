//! What is known about canaries and shadows: the hosts' counts and reports.

use anyhow::Result;
use stagehost_aws::storage_from_env;
use stagehost_console::{CandidateNews, DifferingCall, PicturePair};
use stagehost_dispatch::canary_standing;
use stagehost_pins::Pins;
use stagehost_record::{CandidateSummary, Ratio, ShadowCall, ShadowReport, Verdict, read_reports, summarize};
use stagehost_storage::Location;

/// Where hosts keep what they know about candidates.
#[derive(Clone, Debug)]
pub struct HostReports {
    /// The runs of canaries, counted.
    pub canaries: Location,
    /// The media bucket, with the reports about shadows.
    pub media: Location,
}

impl HostReports {
    /// Returns the places of deployed hosts with this media bucket.
    pub fn of_bucket(bucket: &str) -> Self {
        let place = |prefix: &str| Location::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() };
        Self { canaries: place("pipeline/canaries"), media: place("") }
    }
}

/// How many calls that differ are shown.
const DIFFERING: usize = 12;

/// Returns what is known about a state's canary and shadow.
///
/// # Errors
/// If a store does not answer.
pub async fn candidates(reports: &HostReports, pins: &Pins, state: &str) -> Result<CandidateNews> {
    let mut news = CandidateNews::default();
    if let Some(canary) = pins.canaries.get(state) {
        let store = storage_from_env(&reports.canaries).await;
        news.sentences.push(match canary_standing(store.as_ref(), state, &canary.pin).await? {
            None => "No run of the canary is counted yet.".to_owned(),
            Some(standing) => {
                let counts = |(runs, defects): (u64, u64)| format!("{defects} of {runs} runs");
                let given_up = if standing.given_up { "The canary is given up: " } else { "" };
                format!(
                    "{given_up}defects in {} of the canary, in {} of the pinned stage.",
                    counts(standing.canary),
                    counts(standing.pinned)
                )
            }
        });
    }
    if let Some(shadow) = pins.shadows.get(state) {
        let store = storage_from_env(&reports.media).await;
        let (reports, _) = read_reports(&store, state, Some(&shadow.pin.digest)).await?;
        news.differing = differing(&reports);
        let summaries = summarize(reports);
        if summaries.is_empty() {
            news.sentences.push("There is no report of the shadow yet.".to_owned());
        }
        news.sentences.extend(summaries.iter().map(sentence));
    }
    Ok(news)
}

/// Returns the newest calls in which the shadow did something else; those with pictures first.
fn differing(reports: &[ShadowReport]) -> Vec<DifferingCall> {
    // The newest report is the last.
    let calls = reports.iter().rev().flat_map(|report| report.calls.iter().map(move |call| (report, call)));
    let mut calls: Vec<_> = calls.filter(|(_, call)| call.verdict == Verdict::Different).collect();
    calls.sort_by_key(|(_, call)| call.pictures.is_empty());
    calls.into_iter().take(DIFFERING).map(|(report, call)| shown(&report.execution, call)).collect()
}

fn shown(execution: &str, call: &ShadowCall) -> DifferingCall {
    let mut differences: Vec<String> = call.differences.iter().map(ToString::to_string).collect();
    differences.extend((call.more > 0).then(|| format!("and {} more", call.more)));
    let pictures = call.pictures.iter().map(|picture| PicturePair {
        key: picture.key.clone(),
        shadow: picture.kept.clone(),
        bytes: picture.bytes,
    });
    DifferingCall {
        execution: execution.to_owned(),
        subject: call.subject.clone(),
        differences,
        pictures: pictures.collect(),
    }
}

fn sentence(summary: &CandidateSummary) -> String {
    let CandidateSummary { calls, same, different, failed, duration_ratio, .. } = summary;
    let time =
        duration_ratio.map_or_else(String::new, |Ratio { p50, p95 }| format!("; {p50:.2}× the time (p95 {p95:.2}×)"));
    let example = summary.examples.first();
    let example = example
        .map_or_else(String::new, |example| format!("; for example {}: {}", example.subject, example.difference));
    format!("Shadow: {calls} calls compared, {same} the same, {different} different, {failed} failed{time}{example}")
}
