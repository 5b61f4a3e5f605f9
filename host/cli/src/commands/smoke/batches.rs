//! The batches of a run, and what is expected of each.

use std::borrow::Cow;

use anyhow::{Context as _, Result, ensure};
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use serde_json::Value;

use super::deployed::{Deployed, SampleFile};
use super::expectations::{Expectations, Expected, listed};

const GOOD: SampleFile = SampleFile::photo("kitchen.jpg", include_bytes!("../../../../../samples/listing/kitchen.jpg"));
const DAMAGED: SampleFile =
    SampleFile::photo("kitchen-damaged.jpg", include_bytes!("../../../../../samples/listing/kitchen-damaged.jpg"));
const FILM: SampleFile = SampleFile::film(
    "walk-through.mp4",
    Cow::Borrowed(include_bytes!("../../../../../samples/listing/walk-through.mp4")),
);

/// The name of the film without frames.
pub const BROKEN_FILM: &str = "no-frames.mp4";

/// A batch, and the ending that it should have.
pub struct Sent {
    /// The batch's name in the table.
    pub about: &'static str,
    /// The files.
    pub files: Vec<SampleFile>,
    /// The execution's status.
    pub status: &'static str,
    /// The state that tells the backend.
    callback_state: &'static str,
    /// The state after it, if the backend accepted the callback. Otherwise the result is kept in the dead-letter queue.
    last_state: &'static str,
    /// Files that failed.
    failed: u64,
}

impl Sent {
    fn succeeding(about: &'static str, files: Vec<SampleFile>, failed: u64) -> Self {
        let (status, callback_state, last_state) = ("SUCCEEDED", "FinalizeAndCallback", "ProcessingSucceeded");
        Self { about, files, status, callback_state, last_state, failed }
    }
}

/// The batch whose damaged file is looked for among the metrics.
pub const DAMAGED_ONE: &str = "one damaged";

/// Returns the batches that are sent to the queue.
pub fn of_the_queue() -> [Sent; 4] {
    [
        Sent::succeeding("all good", vec![GOOD], 0),
        Sent::succeeding(DAMAGED_ONE, vec![GOOD, DAMAGED], 1),
        Sent {
            about: "none valid",
            files: vec![DAMAGED],
            status: "FAILED",
            callback_state: "ReportValidationFailed",
            last_state: "ValidationFailed",
            failed: 1,
        },
        Sent::succeeding("failed job", vec![GOOD, FILM, film_without_frames()], 1),
    ]
}

/// Returns the batch in whose execution the host is killed.
pub fn of_the_killed_host() -> Sent {
    Sent::succeeding("killed host", vec![GOOD], 0)
}

/// Returns the files of the execution that is stopped.
pub fn of_the_stopped() -> Vec<SampleFile> {
    vec![GOOD]
}

/// Returns a film whose headers are good and whose frames are zeros, so that it is valid for this system, and no
/// transcoder can use it.
fn film_without_frames() -> SampleFile {
    let mut film: Vec<u8> = include_bytes!("../../../../../samples/listing/staircase.mp4").to_vec();
    let mut at = 0;
    // The boxes of the file (ISO/IEC 14496-12, section 4.2): the size, the type, the content.
    while let Some(header) = film.get(at..at + 8) {
        let size = header.iter().take(4).fold(0, |size, byte| (size << 8) | usize::from(*byte));
        let is_frames = header.ends_with(b"mdat");
        let end = (at + size.max(8)).min(film.len());
        if is_frames && let Some(frames) = film.get_mut(at + 8..end) {
            frames.fill(0);
        }
        at = end;
    }
    SampleFile::film(BROKEN_FILM, film.into())
}

/// Compares the end of a batch's execution with what is expected.
pub async fn compare(
    deployed: &Deployed,
    expectations: &mut Expectations,
    sent: &Sent,
    batch: &Value,
    end: &DescribeExecutionOutput,
) {
    let about = sent.about;
    expectations.add(Expected::End, about, sent.status, expect(end.status().as_str(), sent.status));
    let told = deployed.states_of(end.execution_arn()).await.and_then(|states| {
        let last: Vec<&str> = states.iter().rev().take(2).rev().map(String::as_str).collect();
        ensure!(last == [sent.callback_state, sent.last_state], "the last states are {}", last.join(", "));
        Ok(format!("{} after {}", sent.last_state, sent.callback_state))
    });
    expectations.add(Expected::Callback, about, "the backend accepted the callback", told);
    if sent.status != "SUCCEEDED" {
        return;
    }
    let first = batch["assets"][0].as_str().unwrap_or_default();
    let tagged = deployed.tags(first).await.and_then(|tags| {
        ensure!(tags.iter().any(|tag| tag == "lifecycle=raw"), "its tags are {}", listed(&tags));
        Ok(tags.join(", "))
    });
    expectations.add(Expected::Tags, about, "the upload has the tag lifecycle=raw", tagged);
    let output = end.output().context("the execution has no output");
    let output = output.and_then(|text| serde_json::from_str::<Value>(text).context("its output is not JSON"));
    match output {
        Ok(output) => {
            let failed = output["counts"]["failed"].as_u64();
            let counted = failed.context("no counts in the output").and_then(|failed| {
                ensure!(failed == sent.failed, "{failed} failed");
                Ok(format!("{failed} failed"))
            });
            expectations.add(Expected::Counts, about, format!("{} failed", sent.failed), counted);
            expectations.add(Expected::Files, about, "thumbnails and archives exist", made(deployed, &output).await);
            if sent.files.iter().any(|file| file.name == BROKEN_FILM) {
                expectations.add(
                    Expected::FailedJob,
                    about,
                    "the job's error is on its film, and the other film is there",
                    failed_job(&output),
                );
            }
        }
        Err(error) => expectations.add(Expected::Counts, about, "an output", Err(error)),
    }
}

/// Looks for the failed job's message on its own film.
fn failed_job(output: &Value) -> Result<String> {
    let assets = list(&output["assets"]);
    let film = |name: &str| {
        let found = assets.iter().find(|asset| asset["key"].as_str().is_some_and(|key| key.ends_with(name)));
        found.with_context(|| format!("{name} is not in the output"))
    };
    let broken = film(BROKEN_FILM)?;
    let problem = broken["problem"]["message"].as_str().context("the film without frames has no problem")?;
    ensure!(
        broken["problem"]["state"] == "ProcessVideos" && problem.contains("MediaConvert job"),
        "it failed otherwise: {problem}"
    );
    ensure!(!list(&film(FILM.name)?["renditions"]).is_empty(), "the other film was not transcoded");
    Ok(problem.to_owned())
}

/// Looks at every file that the output names. Returns how many there are.
async fn made(deployed: &Deployed, output: &Value) -> Result<String> {
    let renditions: Vec<Value> = list(&output["assets"]).iter().flat_map(|asset| list(&asset["renditions"])).collect();
    let bundles = list(&output["bundles"]);
    ensure!(!renditions.is_empty(), "no thumbnail");
    ensure!(!bundles.is_empty(), "no archive");
    for file in renditions.iter().chain(&bundles) {
        let key = file["key"].as_str().context("a file without a key")?;
        let there = deployed.bytes(key).await?;
        let said =
            file["bytes"].as_i64().with_context(|| format!("the output does not say how many bytes {key} has"))?;
        ensure!(said == there, "{key} has {there} bytes, and the output says {said}");
    }
    Ok(format!("{} renditions, {} archives", renditions.len(), bundles.len()))
}

fn list(value: &Value) -> Vec<Value> {
    value.as_array().cloned().unwrap_or_default()
}

/// Returns the text if it is the expected one.
///
/// # Errors
/// If it is not; the error is the text.
pub fn expect(found: &str, expected: &str) -> Result<String> {
    ensure!(found == expected, "{found}");
    Ok(found.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn the_film_without_frames_has_the_headers_of_the_other_one() {
        let whole = include_bytes!("../../../../../samples/listing/staircase.mp4");
        let SampleFile { bytes, .. } = film_without_frames();
        assert_eq!(bytes.len(), whole.len());
        let moov = whole.windows(4).position(|four| four == b"moov").unwrap();
        assert_eq!(bytes.get(moov..), whole.get(moov..));
        assert!(bytes.iter().filter(|byte| **byte == 0).count() > 80_000);
    }

    #[test]
    fn a_film_that_failed_before_its_job_is_not_a_failed_job() {
        let with = |state: &str, message: &str| {
            json!({"assets": [
                {"key": "1/raw/video/horizontal/2026-01-02/walk-through.mp4", "renditions": [{}]},
                {"key": "1/raw/video/horizontal/2026-01-02/no-frames.mp4", "problem": {"state": state, "message": message}}
            ]})
        };
        assert!(failed_job(&with("ProcessVideos", "no-frames.mp4: MediaConvert job 1-a failed: no frames")).is_ok());
        assert!(failed_job(&with("ValidateRawAssets", "no-frames.mp4 is damaged")).is_err());
        assert!(failed_job(&with("ProcessVideos", "a fault of the stage")).is_err());
        assert!(failed_job(&json!({"assets": []})).is_err());
    }
}
