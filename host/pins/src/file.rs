//! Pins in a local file: those of a package, or of a run on one machine. Whoever can write to it can replace the host as
//! well, so it is not signed.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;

use crate::{PinError, PinSource, Pins, PinsEvent, PinsWatcher};

/// Pins in a local file, read again when the file changes.
pub struct FilePins {
    path: PathBuf,
    watcher: PinsWatcher,
    cached: Mutex<Option<(SystemTime, Arc<Pins>)>>,
}

impl FilePins {
    /// Follows the file at `path`.
    pub fn new(path: impl Into<PathBuf>, watcher: PinsWatcher) -> Self {
        Self { path: path.into(), watcher, cached: Mutex::new(None) }
    }

    fn read(path: &Path) -> Result<(SystemTime, Pins), PinError> {
        let place = path.display().to_string();
        let unreadable = |e: std::io::Error| PinError::Unreadable { place: place.clone(), reason: e.to_string() };
        let changed = path.metadata().and_then(|m| m.modified()).map_err(unreadable)?;
        let text = std::fs::read(path).map_err(unreadable)?;
        Ok((changed, Pins::parse(&text, &place)?))
    }
}

#[async_trait]
impl PinSource for FilePins {
    async fn current(&self) -> Result<Arc<Pins>, PinError> {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = self.path.metadata().and_then(|m| m.modified()).ok();
        if let Some((then, pins)) = cached.as_ref()
            && changed == Some(*then)
        {
            return Ok(pins.clone());
        }
        match (Self::read(&self.path), cached.as_ref()) {
            (Ok((changed, pins)), _) => {
                let pins = Arc::new(pins);
                *cached = Some((changed, pins.clone()));
                Ok(pins)
            }
            // A bad revision is refused; the last good one serves on.
            (Err(error), Some((_, last))) => {
                (self.watcher)(PinsEvent::Refused { revision: last.revision, why: &error.to_string() });
                Ok(last.clone())
            }
            (Err(error), None) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::document::tests::pins as revision;

    #[tokio::test]
    async fn a_bad_revision_is_refused_while_the_last_good_one_serves_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pins.json");
        let pins = FilePins::new(&path, Arc::new(|_| {}));
        assert!(matches!(pins.current().await, Err(PinError::Unreadable { .. })));
        let text = |number| serde_json::to_string(&revision(number, "1.0.0", '0')).unwrap();
        let write = |text: &str, second: u64| {
            std::fs::write(&path, text).unwrap();
            let at = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(second);
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        };
        write(&text(1), 1);
        assert_eq!(pins.current().await.unwrap().revision, 1);
        write("{", 2);
        assert_eq!(pins.current().await.unwrap().revision, 1);
        write(&text(3), 3);
        assert_eq!(pins.current().await.unwrap().revision, 3);
    }
}
