//! Unfinished files.

use std::fs;
use std::path::PathBuf;

/// An unfinished file. It is removed when this value is dropped, unless it has been moved.
#[derive(Debug)]
pub struct Scratch {
    pub path: PathBuf,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A published file has been moved. One that cannot be removed is removed at the next start.
        let _ = fs::remove_file(&self.path);
    }
}
