//! Records of a real run as cases: each is repeated with the project's stage, and nothing may differ.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, anyhow};
use stagehost_record::{Difference, StoredRecord, replay};
use stagehost_runtime::Stage;

use super::case_result::CaseResult;
use crate::commands::replay::record_files;
use crate::exit::usage;

/// The folder in which `run --record` leaves records, beside their blobs.
const RECORDS: &str = "records";

/// Recorded calls of one run.
#[derive(Debug)]
pub struct RecordedCase {
    /// The folder's name.
    pub name: String,
    /// The folder that the run was recorded into.
    pub folder: PathBuf,
}

/// Returns whether `stagehost run --record` wrote the folder.
pub fn is_recorded(folder: &Path) -> bool {
    folder.join(RECORDS).is_dir()
}

impl RecordedCase {
    /// Repeats every recorded call of a state with `stage`, which reads from the record only.
    ///
    /// # Errors
    /// If a record cannot be read, or there is none of the state.
    pub async fn run(&self, state: &str, stage: &Stage) -> Result<Vec<CaseResult>> {
        let mut all = Vec::new();
        for file in record_files(std::slice::from_ref(&self.folder))? {
            let stored = StoredRecord::open(&file)?;
            if stored.record.context.state != state {
                continue;
            }
            let what = file.file_stem().unwrap_or_default().to_string_lossy();
            let replayed = replay(stored, stage, None).await.map_err(|error| anyhow!("{}: {error}", file.display()))?;
            all.push(CaseResult {
                name: format!("{}/{what}", self.name),
                took: replayed
                    .now
                    .map(|now| now.duration_ms / 1e3)
                    .map(Duration::try_from_secs_f64)
                    .and_then(Result::ok)
                    .unwrap_or_default(),
                differences: replayed.differences.iter().map(sentence).collect(),
                printed: Vec::new(),
                updated: false,
            });
        }
        if all.is_empty() {
            return Err(usage!(
                "{} has no record of the state {state}; record a run with it: `stagehost run … --record {}`",
                self.folder.display(),
                self.folder.display()
            ));
        }
        Ok(all)
    }
}

/// Returns a difference in the words of other cases.
fn sentence(difference: &Difference) -> String {
    let Difference { kind, what, was, now } = difference;
    match (was, now) {
        (None, None) => format!("{kind} {what}"),
        (was, now) => {
            let or_nothing = |text: &Option<String>| text.clone().unwrap_or_else(|| "nothing".to_owned());
            format!("{kind} {what}: expected {}, found {}", or_nothing(was), or_nothing(now))
        }
    }
}

#[cfg(test)]
mod tests {
    use stagehost_record::Kind;

    use super::*;

    #[test]
    fn a_difference_is_told_as_that_of_any_other_case() {
        let told = |was: Option<&str>, now: Option<&str>| {
            let (was, now) = (was.map(str::to_owned), now.map(str::to_owned));
            sentence(&Difference { kind: Kind::Object, what: "1/thumb/a.txt".into(), was, now })
        };
        assert_eq!(told(Some("3 bytes"), Some("4 bytes")), "object 1/thumb/a.txt: expected 3 bytes, found 4 bytes");
        assert_eq!(told(Some("3 bytes"), None), "object 1/thumb/a.txt: expected 3 bytes, found nothing");
        assert_eq!(told(None, None), "object 1/thumb/a.txt");
    }
}
