//! Limits of a whole batch. The host checks them, because a stage sees one file at a time.

use serde::{Deserialize, Serialize};
use stagehost_batch::{Batch, Case, Problem};

/// Limits of a batch as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BatchLimits {
    /// The most files.
    pub max_files: usize,
    /// The most bytes of all files together.
    pub max_bytes: u64,
}

impl Default for BatchLimits {
    fn default() -> Self {
        Self { max_files: 60, max_bytes: 1 << 30 }
    }
}

impl BatchLimits {
    /// Marks every file of a batch that is too large as failed, because no single file is the cause. Called before
    /// validation with the declared sizes, so that no file is read needlessly, and after it with the real ones.
    pub fn apply(&self, batch: &mut Batch, state: &str) {
        let files = batch.assets.len();
        let bytes: u64 = batch.assets.iter().filter_map(|asset| asset.bytes).fold(0, u64::saturating_add);
        let message = if files > self.max_files {
            format!("the batch has {files} files; at most {} are accepted", self.max_files)
        } else if bytes > self.max_bytes {
            format!("the batch has {bytes} bytes; at most {} are accepted", self.max_bytes)
        } else {
            return;
        };
        for asset in &mut batch.assets {
            // The file itself may be fine, but later states must not treat it as valid.
            asset.verified = false;
            asset.problem.get_or_insert_with(|| Problem {
                state: state.to_owned(),
                code: Case::TooLarge.name().to_owned(),
                message: message.clone(),
            });
        }
        batch.recount();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn batch(sizes: &[u64]) -> Batch {
        let assets: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(i, bytes)| serde_json::json!({"key": format!("1/raw/photo/vertical/{i}.jpg"), "bytes": bytes}))
            .collect();
        stagehost_batch::parse(&serde_json::json!({"listingId": 1, "jobId": 1, "assets": assets})).unwrap()
    }

    #[test]
    fn sixty_files_and_one_gibibyte_are_fine() {
        let mut fits = batch(&[(1 << 30) / 64; 60]);
        BatchLimits::default().apply(&mut fits, "ValidateRawAssets");
        assert!(fits.assets.iter().all(|asset| asset.problem.is_none()));
    }

    #[test]
    fn with_one_file_or_one_byte_more_every_file_fails() {
        for (sizes, reason) in [(vec![1; 61], "61 files"), (vec![1 << 29, 1 << 29, 1], "1073741825 bytes")] {
            let mut over = batch(&sizes);
            over.assets.iter_mut().for_each(|asset| asset.verified = true);
            BatchLimits::default().apply(&mut over, "ValidateRawAssets");
            for asset in &over.assets {
                let problem = asset.problem.as_ref().unwrap();
                assert!(!asset.verified, "later states must not take it for a valid file");
                assert_eq!(problem.code, "Stage.TooLarge");
                assert!(problem.message.contains(reason), "{}", problem.message);
            }
        }
    }
}
