//! The outcome of a call, as a record has it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use stagehost_batch::{Asset, Bundle, Case, Failure, Rendition};
use stagehost_runtime::{Additions, CallOutput};

use crate::scrub;

/// A failure with its stable name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Problem {
    /// `Stage.Missing`, …
    pub code: String,
    pub message: String,
}

impl From<&Failure> for Problem {
    fn from(failure: &Failure) -> Self {
        Self { code: failure.case.name().to_owned(), message: failure.message.clone() }
    }
}

impl From<&Problem> for Failure {
    fn from(problem: &Problem) -> Self {
        let case = Case::ALL.into_iter().find(|case| case.name() == problem.code);
        Failure::new(case.unwrap_or(Case::Internal), problem.message.clone())
    }
}

/// The outcome of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// The asset that an asset stage returned.
    Asset(Box<Asset>),
    /// The additions that a batch stage returned.
    Batch(BatchAdditions),
    /// The stage returned a failure or broke.
    Failed(Problem),
    /// The stage returned more than a record may have; the record is cut.
    NotRecorded {
        /// The length of what it returned, as JSON, in bytes.
        bytes: u64,
    },
}

/// The additions of a batch stage to the batch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct BatchAdditions {
    pub assets: Vec<Asset>,
    pub bundles: Vec<Bundle>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub files: Vec<Rendition>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub attributes: BTreeMap<String, String>,
    pub failures: Vec<AssetFailure>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub note: Option<String>,
}

/// A file on which a batch stage failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct AssetFailure {
    pub key: String,
    #[serde(flatten)]
    pub problem: Problem,
}

impl Outcome {
    pub(crate) fn of(outcome: &Result<CallOutput, Failure>) -> Self {
        let scrubbed = |failure: &Failure| {
            let problem = Problem::from(failure);
            Problem { message: scrub::text(&problem.message), ..problem }
        };
        match outcome {
            Ok(CallOutput::Asset(asset)) => Self::Asset(asset.clone()),
            Ok(CallOutput::Batch(Additions { assets, bundles, files, attributes, failures, note })) => {
                Self::Batch(BatchAdditions {
                    assets: assets.clone(),
                    bundles: bundles.clone(),
                    files: files.clone(),
                    attributes: attributes.iter().cloned().collect(),
                    failures: failures
                        .iter()
                        .map(|(key, failure)| AssetFailure { key: key.clone(), problem: scrubbed(failure) })
                        .collect(),
                    note: note.as_deref().map(scrub::text),
                })
            }
            Err(failure) => Self::Failed(scrubbed(failure)),
        }
    }
}
