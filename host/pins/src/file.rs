//! Pins in a local file: a package's, or those of a local run. They are not signed, because write access to the file comes
//! with write access to the host itself.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use stagehost_runtime::lock;

use crate::document::Pins;
use crate::error::PinError;
use crate::events::{PinsEvent, PinsWatcher};
use crate::source::PinSource;

/// How long a call waits for newer pins to load. A person who changes a local file expects the next call to use it.
const MAX_WAIT: Duration = Duration::from_secs(3);

/// Pins in a local file. The file is read again when it changes.
pub struct FilePins {
    path: PathBuf,
    watcher: PinsWatcher,
    cached: Mutex<Option<(SystemTime, Arc<Pins>)>>,
}

impl FilePins {
    /// Returns a source that follows the file at `path`.
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
        let mut cached = lock(&self.cached);
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
            // The last good revision stays in force.
            (Err(error), Some((_, last))) => {
                (self.watcher)(PinsEvent::Refused { revision: last.revision, why: &error.to_string() });
                Ok(last.clone())
            }
            (Err(error), None) => Err(error),
        }
    }

    fn max_wait(&self) -> Duration {
        MAX_WAIT
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::document::tests::pins as revision;

    #[tokio::test]
    async fn a_bad_revision_is_refused_and_the_last_good_one_stays_in_force() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pins.json");
        let pins = FilePins::new(&path, Arc::new(|_| {}));
        assert!(matches!(pins.current().await, Err(PinError::Unreadable { .. })));
        let text = |number| serde_json::to_string(&revision(number, "1.0.0", '0')).unwrap();
        let write = |text: &str, second: u64| {
            std::fs::write(&path, text).unwrap();
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
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
