//! Every way in which a call ends without an answer.

use stagehost_batch::Case;

use crate::trial::{Language, Trial};

/// The time that a stage has which does not end by itself, in milliseconds.
const SOON: u64 = 1000;

pub fn trials() -> Vec<Trial> {
    let cases = [
        ("invalid-input", Case::InvalidInput),
        ("missing", Case::Missing),
        ("mismatch", Case::Mismatch),
        ("unsupported", Case::Unsupported),
        ("corrupt", Case::Corrupt),
        ("too-large", Case::TooLarge),
        ("denied", Case::Denied),
        ("transient", Case::Transient),
        ("internal", Case::Internal),
    ];
    let failures = cases.map(|(name, case)| fail(name, case));
    failures.into_iter().chain([unknown(), broken(), spin(), wait(), hoard()]).collect()
}

/// A stage fails with the case and the text that it wants.
fn fail(name: &'static str, case: Case) -> Trial {
    Trial::new("fail", move |seen| seen.failed(case, "as the exercise wants it"))
        .given(name, move |setting| setting.config["how"] = name.into())
}

fn unknown() -> Trial {
    Trial::new("nothing of this name", |seen| seen.failed(Case::InvalidInput, "no exercise"))
}

/// A defect is shown with its own words. In JavaScript, the stage itself makes a failure of what nobody catches, as the
/// project of `stage new` does.
fn broken() -> Trial {
    Trial::new("break", |seen| {
        let case = if seen.language == Language::Javascript { Case::Internal } else { Case::Trapped };
        seen.failed(case, "broken on purpose");
    })
}

/// A stage that computes for ever ends at its deadline, and what it had begun to write is never seen.
fn spin() -> Trial {
    Trial::new("spin", |seen| seen.failed(Case::Timeout, "limits.deadlineMs"))
        .given("for ever", |setting| setting.limits.deadline_ms = SOON)
}

/// A stage that waits for the host ends at its deadline as well.
fn wait() -> Trial {
    Trial::new("wait", |seen| seen.failed(Case::Timeout, "limits.deadlineMs")).given("for a slow store", |setting| {
        let slow = r#"{"when": "stat", "key": "slow.jpg", "then": "slow", "milliseconds": 600000}"#;
        setting.host.inject(serde_json::from_str(slow).unwrap());
        setting.limits.deadline_ms = SOON;
    })
}

/// A stage without memory ends. In JavaScript that can be an exception, which the stage catches like any other.
fn hoard() -> Trial {
    Trial::new("hoard", |seen| {
        let thrown = seen.outcome.as_ref().is_err_and(|failure| failure.case == Case::Internal);
        if seen.language == Language::Javascript && thrown {
            seen.failed(Case::Internal, "memory");
        } else {
            seen.failed(Case::OutOfMemory, "limits.memoryMib");
        }
    })
}
