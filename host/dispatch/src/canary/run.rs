//! Whether a run shows a defect of its stage.

use stagehost_batch::{Case, Failure};
use stagehost_runtime::BatchOutcome;

/// Returns whether a run of a state ended in a defect of its stage: in `Stage.Internal`, `Stage.Trapped`,
/// `Stage.OutOfMemory` or `Stage.Timeout`, for the batch or for any of its files. All other failures are the stage's
/// verdict on a file, or the pin's settings.
///
/// Returns `None` if the run says nothing about the stage: it did not call it, or ended with a transient failure and
/// will be tried again. `calls` is how many calls the run should have made.
pub(crate) fn defect_in(state: &str, calls: usize, outcome: Result<&BatchOutcome, &Failure>) -> Option<bool> {
    match outcome {
        Err(failure) if failure.case == Case::Transient => None,
        Err(failure) => Some(is_defect(failure.case.name())),
        Ok(outcome) if outcome.reports.is_empty() => None,
        Ok(outcome) => {
            let problems = outcome.batch.assets.iter().filter_map(|asset| asset.problem.as_ref());
            let defects = problems.filter(|problem| problem.state == state && is_defect(&problem.code)).count();
            // A call without a report was lost by the host, and its file has the problem `Stage.Internal`.
            let lost = calls.saturating_sub(outcome.reports.len());
            Some(defects > lost)
        }
    }
}

fn is_defect(code: &str) -> bool {
    [Case::Internal, Case::Trapped, Case::OutOfMemory, Case::Timeout].iter().any(|case| case.name() == code)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;
    use stagehost_runtime::CallReport;

    use super::*;

    const STATE: &str = "GenerateThumbnails";

    /// Returns the outcome of a batch with these problems of its files, after so many calls.
    fn outcome(problems: &[Option<Case>], calls: usize) -> BatchOutcome {
        let assets: Vec<_> =
            (0..problems.len()).map(|number| json!({"key": format!("51/raw/photo/vertical/{number}.jpg")})).collect();
        let mut batch = stagehost_batch::parse(&json!({"listingId": 51, "jobId": 4, "assets": assets})).unwrap();
        for (asset, case) in batch.assets.iter_mut().zip(problems) {
            asset.problem = case.map(|case| stagehost_batch::Problem {
                state: STATE.to_owned(),
                code: case.name().to_owned(),
                message: "a test".to_owned(),
            });
        }
        let report = CallReport::of_nothing();
        BatchOutcome { batch, reports: vec![report; calls], note: None }
    }

    #[test]
    fn the_stages_own_defects_count_and_its_verdicts_on_files_do_not() {
        for case in Case::ALL {
            let is_defect = matches!(case, Case::Internal | Case::Trapped | Case::OutOfMemory | Case::Timeout);
            let of_a_file = defect_in(STATE, 2, Ok(&outcome(&[None, Some(case)], 2)));
            assert_eq!(of_a_file, Some(is_defect), "{case} of a file");
            let of_the_batch = defect_in(STATE, 1, Err(&Failure::new(case, "a test")));
            let expected = (case != Case::Transient).then_some(is_defect);
            assert_eq!(of_the_batch, expected, "{case} of the batch");
        }
        let other_state = outcome(&[Some(Case::Trapped)], 1);
        assert_eq!(defect_in("ValidateRawAssets", 1, Ok(&other_state)), Some(false), "a problem of an earlier state");
    }

    #[test]
    fn a_run_counts_once_however_many_files_fail_in_it() {
        // A batch stage makes one call and may fail sixty files.
        assert_eq!(defect_in(STATE, 1, Ok(&outcome(&[Some(Case::Trapped); 60], 1))), Some(true));
        assert_eq!(defect_in(STATE, 60, Ok(&outcome(&[Some(Case::Trapped); 60], 60))), Some(true));
    }

    #[test]
    fn what_the_host_lost_and_what_was_not_called_does_not_count() {
        assert_eq!(defect_in(STATE, 2, Ok(&outcome(&[None, Some(Case::Internal)], 1))), Some(false));
        assert_eq!(defect_in(STATE, 2, Ok(&outcome(&[Some(Case::Trapped), Some(Case::Internal)], 1))), Some(true));
        assert_eq!(defect_in(STATE, 0, Ok(&outcome(&[], 0))), None);
    }
}
