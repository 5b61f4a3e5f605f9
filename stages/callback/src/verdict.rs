//! How a batch ended, as a status and a sentence.
//!
//! The earlier system reported success for batches with failed files. Here the verdict follows from the document alone, by
//! the rules in this file.

use crate::bindings::toq::media::types::{Asset, Batch, Problem};

/// The statuses that the backend knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// No file and no state failed.
    Succeeded,
    /// Some files failed; at least one is good, or is verified and has renditions.
    PartialSuccess,
    /// Some files passed validation, but every one of them failed later and has no renditions.
    Failed,
    /// No file passed validation.
    ValidationFailed,
    /// A state failed as a whole.
    ProcessingFailed,
    /// A state failed as a whole because it took too long.
    TimedOut,
}

impl Status {
    /// Returns the status as the backend spells it.
    pub fn name(self) -> &'static str {
        match self {
            Status::Succeeded => "SUCCEEDED",
            Status::PartialSuccess => "PARTIAL_SUCCESS",
            Status::Failed => "FAILED",
            Status::ValidationFailed => "VALIDATION_FAILED",
            Status::ProcessingFailed => "PROCESSING_FAILED",
            Status::TimedOut => "TIMED_OUT",
        }
    }
}

/// How the batch ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The status.
    pub status: Status,
    /// Why, unless it succeeded.
    pub fault: Option<Fault>,
}

/// Why a batch did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A sentence for people.
    pub reason: String,
    /// The stable name of the first failure: of a state, or else of a file.
    pub code: String,
    /// The message of that failure.
    pub message: String,
}

/// The codes of a state that took too long.
const TIMEOUTS: [&str; 3] = ["States.Timeout", "States.HeartbeatTimeout", "Stage.Timeout"];

/// How many failed files the reason names.
const NAMED: usize = 3;

/// Returns the verdict on `batch`. If several states failed, the first one counts, because the others may have failed
/// because of it.
pub fn judge(batch: &Batch) -> Verdict {
    if let Some(problem) = batch.problems.first() {
        let (status, what) = if TIMEOUTS.contains(&problem.code.as_str()) {
            (Status::TimedOut, "did not end in time")
        } else {
            (Status::ProcessingFailed, "failed")
        };
        let reason = format!("{} {what}: {}", problem.state, problem.message);
        return Verdict { status, fault: Some(fault(reason, problem)) };
    }
    let total = batch.assets.len();
    let failed: Vec<&Asset> = batch.assets.iter().filter(|asset| !is_good(asset)).collect();
    let (status, opening) = if total == 0 {
        (Status::ValidationFailed, "The batch has no files".to_owned())
    } else if failed.is_empty() {
        return Verdict { status: Status::Succeeded, fault: None };
    } else if failed.len() < total || failed.iter().any(|asset| asset.verified && !asset.renditions.is_empty()) {
        (Status::PartialSuccess, format!("{} of {total} files failed", failed.len()))
    } else if batch.assets.iter().any(|asset| asset.verified) {
        (Status::Failed, format!("All {total} files failed, and some of them after validation"))
    } else {
        (Status::ValidationFailed, format!("None of the {total} files is valid"))
    };
    let reason = format!("{opening}{}", list(&failed));
    let fault = match failed.iter().find_map(|asset| asset.problem.as_ref()) {
        Some(problem) => fault(reason, problem),
        None => Fault { message: reason.clone(), code: "Stage.InvalidInput".to_owned(), reason },
    };
    Verdict { status, fault: Some(fault) }
}

/// Returns whether a file passed validation and no later stage failed on it.
pub fn is_good(asset: &Asset) -> bool {
    asset.verified && asset.problem.is_none()
}

fn fault(reason: String, problem: &Problem) -> Fault {
    Fault { reason, code: problem.code.clone(), message: problem.message.clone() }
}

/// `: a.jpg (Stage.Corrupt), b.jpg (Stage.Missing) and 2 more`
fn list(failed: &[&Asset]) -> String {
    let named: Vec<String> = failed
        .iter()
        .take(NAMED)
        .map(|asset| {
            let name = asset.key.rsplit('/').next().unwrap_or(&asset.key);
            let code = asset.problem.as_ref().map_or("not validated", |problem| problem.code.as_str());
            format!("{name} ({code})")
        })
        .collect();
    match failed.len().saturating_sub(NAMED) {
        _ if failed.is_empty() => String::new(),
        0 => format!(": {}", named.join(", ")),
        more => format!(": {} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use stage_sdk::testing::batch;

    use super::*;
    use crate::fixtures::{asset, problem, rendition};

    fn status(batch: &Batch) -> &'static str {
        judge(batch).status.name()
    }

    fn reason(batch: &Batch) -> String {
        judge(batch).fault.unwrap().reason
    }

    fn bad(key: &str, code: &str) -> Asset {
        Asset { problem: Some(problem("ValidateRawAssets", code)), verified: false, ..asset(key) }
    }

    fn late(key: &str) -> Asset {
        Asset { problem: Some(problem("GenerateThumbnails", "Stage.Corrupt")), ..asset(key) }
    }

    #[test]
    fn a_batch_succeeds_only_if_every_file_did() {
        let good = batch(vec![asset("1/raw/a.jpg"), asset("1/raw/b.jpg")]);
        assert_eq!(judge(&good), Verdict { status: Status::Succeeded, fault: None });
        let partial = batch(vec![asset("1/raw/a.jpg"), bad("1/raw/b.jpg", "Stage.Mismatch")]);
        assert_eq!(status(&partial), "PARTIAL_SUCCESS");
        assert_eq!(reason(&partial), "1 of 2 files failed: b.jpg (Stage.Mismatch)");
        let unchecked = batch(vec![asset("1/raw/a.jpg"), Asset { verified: false, ..asset("1/raw/b.jpg") }]);
        assert_eq!(status(&unchecked), "PARTIAL_SUCCESS");
        assert_eq!(reason(&unchecked), "1 of 2 files failed: b.jpg (not validated)");
    }

    #[test]
    fn a_batch_without_a_good_file_failed_in_validation() {
        let none = batch((1..=5).map(|n| bad(&format!("1/raw/{n}.jpg"), "Stage.Missing")).collect());
        assert_eq!(status(&none), "VALIDATION_FAILED");
        assert_eq!(
            reason(&none),
            "None of the 5 files is valid: 1.jpg (Stage.Missing), 2.jpg (Stage.Missing), 3.jpg (Stage.Missing) and 2 more"
        );
        assert_eq!(status(&batch(Vec::new())), "VALIDATION_FAILED");
        assert_eq!(reason(&batch(Vec::new())), "The batch has no files");
    }

    #[test]
    fn a_batch_whose_good_files_all_failed_later_failed() {
        let all = batch(vec![late("1/raw/a.jpg"), bad("1/raw/b.jpg", "Stage.Missing")]);
        assert_eq!(status(&all), "FAILED");
        assert_eq!(judge(&all).fault.unwrap().code, "Stage.Corrupt");
    }

    #[test]
    fn a_file_of_which_a_part_was_made_is_a_partial_success() {
        let part = Asset { renditions: vec![rendition("w200", "p_w200.webp", "image/webp", None)], ..late("p.jpg") };
        let both = batch(vec![part, late("q.jpg")]);
        assert_eq!(status(&both), "PARTIAL_SUCCESS");
        assert_eq!(reason(&both), "2 of 2 files failed: p.jpg (Stage.Corrupt), q.jpg (Stage.Corrupt)");
    }

    #[test]
    fn a_failed_state_takes_precedence_over_files_and_the_first_one_counts() {
        let with = |codes: &[&str]| Batch {
            problems: codes.iter().map(|code| problem("ProcessVideos", code)).collect(),
            ..batch(vec![asset("1/raw/a.jpg")])
        };
        assert_eq!(status(&with(&["Stage.OutOfMemory", "States.Timeout"])), "PROCESSING_FAILED");
        assert_eq!(reason(&with(&["Stage.OutOfMemory"])), "ProcessVideos failed: it went wrong");
        for code in ["States.Timeout", "States.HeartbeatTimeout", "Stage.Timeout"] {
            assert_eq!(status(&with(&[code, "Stage.Internal"])), "TIMED_OUT");
        }
        assert_eq!(reason(&with(&["Stage.Timeout"])), "ProcessVideos did not end in time: it went wrong");
    }
}
