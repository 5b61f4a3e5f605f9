//! Evaluating JSONata beside the asynchronous work.
//!
//! An expression may take seconds, so it is evaluated on a thread for blocking work: stopping the execution drops the
//! future, and that cancels the evaluation. Its memory is watched from here, because the library bounds sequences and
//! nesting but not the sum of what it builds.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::error::StateError;
use crate::expressions::jsonata::engine::{Cancel, Failure};

/// The growth of the process during an evaluation that cancels it, in bytes.
const MOST_GROWTH: u64 = 192 * 1024 * 1024;
/// How often the memory is looked at.
const WATCH: Duration = Duration::from_millis(10);

/// Cancels the evaluation when it is dropped.
struct CancelOnDrop(Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Runs `work` on a thread for blocking work.
///
/// # Errors
/// Those of `work`; a failure of the machine itself, if the library panicked.
pub(super) async fn evaluate<T: Send + 'static>(
    work: impl FnOnce(&Cancel) -> Result<T, StateError> + Send + 'static,
) -> Result<T, StateError> {
    let cancel = Cancel::default();
    let guard = CancelOnDrop(cancel.clone());
    let mut work = tokio::task::spawn_blocking(move || work(&cancel));
    let before = resident();
    let mut watch = interval(WATCH);
    watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // The first tick is immediate.
    let mut ticks = 0_u32;
    let mut grown = false;
    let result = loop {
        tokio::select! {
            biased;
            result = &mut work => break result,
            _ = watch.tick() => {
                ticks = ticks.saturating_add(1);
                let growth = before.zip(resident()).map_or(0, |(before, now)| now.saturating_sub(before));
                if ticks > 1 && growth > MOST_GROWTH {
                    grown = true;
                    guard.0.cancel();
                }
            }
        }
    };
    match result {
        Ok(Err(mut error)) if grown => {
            // The evaluation saw a cancellation; its reason is known here only.
            let (time, memory) = (Failure::time().to_string(), Failure::memory().to_string());
            error.cause = error.cause.map(|cause| cause.replace(&time, &memory));
            Err(error)
        }
        Ok(result) => result,
        Err(_) => Err(StateError::runtime("The JSONata library panicked during the evaluation.")),
    }
}

/// Returns the process's resident memory, in bytes; `None` if the system does not tell.
fn resident() -> Option<u64> {
    /// The size of a page on every system that has this file and that we run on.
    const PAGE: u64 = 4096;
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    text.split(' ').nth(1)?.parse::<u64>().ok().map(|pages| pages * PAGE)
}
