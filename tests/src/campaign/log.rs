//! The log of all requests of a seed.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::fault::FaultKind;
use super::request::Seen;
use super::work::Work;

/// One request, or an event beside the requests.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) at: Duration,
    /// Whether faults had ended.
    pub(super) undisturbed: bool,
    /// The number of the function's process.
    pub(super) environment: usize,
    pub(super) work: Option<Work>,
    pub(super) seen: Option<Seen>,
    pub(super) fault: Option<FaultKind>,
    /// The status of the answer, whether it reached the host or not. `None` if the request had no effect, or if the host was
    /// killed before the answer.
    pub(super) status: Option<u16>,
    /// What happened, of an event beside the requests.
    pub(super) note: String,
}

impl Entry {
    /// Returns the operation; empty for a note.
    pub(super) fn operation(&self) -> &str {
        self.seen.as_ref().map_or("", |seen| seen.operation.as_str())
    }

    /// Returns the object's key.
    pub(super) fn key(&self) -> Option<&str> {
        self.seen.as_ref()?.key.as_deref()
    }

    /// Returns whether the request was answered with success, which the host may not have heard.
    pub(super) fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let work = self.work.as_ref().map_or("-", |work| work.state.as_str());
        let job = self.work.as_ref().and_then(|work| work.execution.as_deref()).unwrap_or_default();
        write!(f, "{:>7.3} #{} {work} {job}: ", self.at.as_secs_f64(), self.environment)?;
        match &self.seen {
            Some(seen) => f.write_str(&seen.identity)?,
            None => f.write_str(&self.note)?,
        }
        if let Some(status) = self.status {
            write!(f, " → {status}")?;
        }
        if let Some(fault) = self.fault {
            write!(f, " [{}]", fault.name())?;
        }
        Ok(())
    }
}

/// All entries of a seed.
pub(super) struct Log {
    started: Instant,
    entries: Mutex<Vec<Entry>>,
    undisturbed: std::sync::atomic::AtomicBool,
}

impl Log {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), entries: Mutex::default(), undisturbed: false.into() }
    }

    /// Marks all later entries as undisturbed.
    pub(super) fn faults_end(&self) {
        self.undisturbed.store(true, std::sync::atomic::Ordering::SeqCst);
    }

    /// Adds a request before it is sent on. Returns its number.
    pub(super) fn request(
        &self,
        environment: usize,
        work: Option<Work>,
        seen: Seen,
        fault: Option<FaultKind>,
    ) -> usize {
        self.add(environment, work, Some(seen), fault, String::new())
    }

    /// Adds an event beside the requests.
    pub(super) fn note(&self, environment: usize, work: Option<Work>, note: impl Into<String>) {
        self.add(environment, work, None, None, note.into());
    }

    fn add(
        &self,
        environment: usize,
        work: Option<Work>,
        seen: Option<Seen>,
        fault: Option<FaultKind>,
        note: String,
    ) -> usize {
        let undisturbed = self.undisturbed.load(std::sync::atomic::Ordering::SeqCst);
        let at = self.started.elapsed();
        let mut entries = self.lock();
        entries.push(Entry { at, undisturbed, environment, work, seen, fault, status: None, note });
        entries.len() - 1
    }

    /// Adds the status of a request's answer.
    pub(super) fn answered(&self, number: usize, status: u16) {
        if let Some(entry) = self.lock().get_mut(number) {
            entry.status = Some(status);
        }
    }

    pub(super) fn entries(&self) -> Vec<Entry> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
