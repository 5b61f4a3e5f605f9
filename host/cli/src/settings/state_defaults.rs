//! The stages that the states of the shipped state machine run, and what they may use.

use stagehost_runtime::{Grants, Limits, World};

/// The stage that a state of the shipped state machine runs, and what it may use.
pub struct ReleaseStage {
    /// The state.
    pub state: &'static str,
    /// The name of its stage.
    pub stage: &'static str,
    /// The world of its stage.
    pub world: World,
    read: &'static [&'static str],
    write: &'static [&'static str],
    tags: &'static [&'static str],
    memory_mib: u32,
    deadline_ms: u64,
}

const RAW: &str = "{listingId}/raw/";
const THUMB: &str = "{listingId}/thumb/";
const PROCESSED: &str = "{listingId}/processed/";
const ZIP: &str = "{listingId}/zip/";

const fn callback(state: &'static str) -> ReleaseStage {
    ReleaseStage {
        state,
        stage: "callback",
        world: World::Callback,
        read: &[],
        write: &[],
        tags: &[],
        memory_mib: 64,
        deadline_ms: 60_000,
    }
}

/// All of them.
pub const RELEASE: [ReleaseStage; 7] = [
    ReleaseStage {
        state: "ValidateRawAssets",
        stage: "validate",
        world: World::Validate,
        read: &[RAW],
        write: &[],
        // The bucket's lifecycle rule for uploads goes by it.
        tags: &["lifecycle"],
        memory_mib: 64,
        deadline_ms: 120_000,
    },
    ReleaseStage {
        state: "GenerateThumbnails",
        stage: "thumbnails",
        world: World::Thumbnails,
        read: &[RAW],
        write: &[THUMB],
        tags: &[],
        // A 100-megapixel photo that cannot be decoded scaled takes 300 MB.
        memory_mib: 512,
        deadline_ms: 60_000,
    },
    ReleaseStage {
        state: "ProcessVideos",
        stage: "transcode",
        world: World::Transcode,
        read: &[RAW],
        write: &[PROCESSED],
        tags: &[],
        memory_mib: 64,
        deadline_ms: 120_000,
    },
    ReleaseStage {
        state: "CreateZipBundle",
        stage: "zip",
        world: World::Zip,
        read: &[RAW, THUMB, PROCESSED],
        write: &[ZIP],
        tags: &[],
        memory_mib: 64,
        deadline_ms: 600_000,
    },
    callback("FinalizeAndCallback"),
    callback("ReportValidationFailed"),
    callback("ReportProcessingFailed"),
];

/// Returns the stage of a state; `None` for a state that only another state machine has.
pub fn of(state: &str) -> Option<&'static ReleaseStage> {
    RELEASE.iter().find(|stage| stage.state == state)
}

/// Returns the limits of a state that sets none.
pub fn limits(state: &str) -> Limits {
    of(state).map_or_else(Limits::default, ReleaseStage::limits)
}

/// Returns the grants of a state that sets none.
pub fn grants(state: &str) -> Grants {
    of(state).map_or_else(|| all(&[RAW, THUMB, PROCESSED], &[PROCESSED], &[]), ReleaseStage::grants)
}

impl ReleaseStage {
    /// Returns memory, time and quotas.
    pub fn limits(&self) -> Limits {
        Limits { memory_mib: self.memory_mib, deadline_ms: self.deadline_ms, ..Limits::default() }
    }

    /// Returns the keys that may be read and written, and the tags that may be set.
    pub fn grants(&self) -> Grants {
        all(self.read, self.write, self.tags)
    }
}

fn all(read: &[&str], write: &[&str], tags: &[&str]) -> Grants {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Grants { read: owned(read), write: owned(write), tags: owned(tags), ..Grants::default() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_release_s_grants_are_valid() {
        for stage in RELEASE {
            stage.grants().check().unwrap();
        }
        grants("StateOfAnotherMachine").check().unwrap();
    }
}
