//! Waiting for a change of a project.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::authoring::project::Project;
use crate::authoring::sources::Seen;

/// How often the sources are looked at.
const LOOK: Duration = Duration::from_millis(60);

/// Waits until something differs from what was seen, and has been quiet since. Returns one of the files.
pub async fn next_change(project: &Project, files: &[PathBuf], mut seen: Seen) -> PathBuf {
    let mut changed: Option<PathBuf> = None;
    loop {
        tokio::time::sleep(LOOK).await;
        let now = Seen::now(project, files);
        let newest: Option<&Path> = now.changed_since(&seen).into_iter().next();
        match (newest, changed.take()) {
            (Some(newest), _) => changed = Some(newest.to_owned()),
            (None, Some(changed)) => return changed,
            (None, None) => {}
        }
        seen = now;
    }
}
