//! The files that a project is built from, watched by looking at them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::project::Project;
use super::toolchain::SOURCES;

/// What an interpreter leaves beside sources while it is building.
const LEFT_BY_TOOLS: &str = "__pycache__";

/// Files with their time of change and length.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen(BTreeMap<PathBuf, (Option<SystemTime>, u64)>);

impl Seen {
    /// Looks at a project's sources, its settings and `further` files.
    pub fn now(project: &Project, further: &[PathBuf]) -> Self {
        let mut seen = Self::default();
        // Cargo writes its lock file while it is building.
        for source in SOURCES.iter().filter(|source| **source != "Cargo.lock") {
            seen.add(&project.folder.join(source));
        }
        for file in project.settings.iter().chain(further) {
            seen.add(file);
        }
        seen
    }

    /// Returns the files that are new, changed or gone since `earlier`.
    pub fn changed_since<'a>(&'a self, earlier: &'a Self) -> Vec<&'a Path> {
        let new = self.0.iter().filter(|(path, facts)| earlier.0.get(*path) != Some(*facts)).map(|(path, _)| path);
        let gone = earlier.0.keys().filter(|path| !self.0.contains_key(*path));
        new.chain(gone).map(PathBuf::as_path).collect()
    }

    fn add(&mut self, path: &Path) {
        let Ok(metadata) = path.metadata() else { return };
        if !metadata.is_dir() {
            self.0.insert(path.to_owned(), (metadata.modified().ok(), metadata.len()));
            return;
        }
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            if entry.file_name() != LEFT_BY_TOOLS && !entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
                self.add(&entry.path());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn new_changed_and_deleted_sources_are_seen_and_what_tools_leave_is_not() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("src/__pycache__")).unwrap();
        let app = folder.path().join("src/app.py");
        std::fs::write(&app, "one").unwrap();
        let project = Project::open(folder.path()).unwrap();
        let first = Seen::now(&project, &[]);
        std::fs::write(folder.path().join("src/__pycache__/app.pyc"), "x").unwrap();
        std::fs::write(folder.path().join("README.md"), "x").unwrap();
        assert_eq!(Seen::now(&project, &[]), first);
        std::fs::write(&app, "three").unwrap();
        let second = Seen::now(&project, &[]);
        assert_eq!(second.changed_since(&first), [app.as_path()]);
        std::fs::remove_file(&app).unwrap();
        assert_eq!(Seen::now(&project, &[]).changed_since(&second), [app.as_path()]);
    }
}
