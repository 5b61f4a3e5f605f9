//! What a proxy knows of the process that it belongs to.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use super::log::Log;
use super::work::Work;
use crate::runtime_api::Function;

/// What a proxy knows of its process.
pub(super) struct Context {
    pub(super) number: usize,
    work: Mutex<Option<Work>>,
    function: OnceLock<Arc<Function>>,
    killed: AtomicBool,
}

impl Context {
    pub(super) fn new(number: usize) -> Self {
        Self { number, work: Mutex::default(), function: OnceLock::new(), killed: AtomicBool::new(false) }
    }

    /// Sets the process, once it has been started.
    pub(super) fn set_function(&self, function: Arc<Function>) {
        // It was empty until now.
        let _ = self.function.set(function);
    }

    pub(super) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::SeqCst)
    }

    /// Returns what the process is doing.
    pub(super) fn work(&self) -> Option<Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_work(&self, work: Option<Work>) {
        *self.work.lock().unwrap_or_else(PoisonError::into_inner) = work;
    }

    /// Kills the process with SIGKILL.
    pub(super) fn kill(&self, log: &Log) {
        log.note(self.number, self.work(), "kill -9");
        self.killed.store(true, Ordering::SeqCst);
        if let Some(function) = self.function.get() {
            function.kill();
        }
    }
}
