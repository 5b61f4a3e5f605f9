//! From the many ways in which a component breaks to the three failures that the host reports: `Stage.Timeout`,
//! `Stage.OutOfMemory`, `Stage.Trapped`.

use std::fmt::Write as _;
use std::time::Duration;

use stagehost_batch::{Case, Failure};
use wasmtime::{Trap, WasmBacktrace};

use crate::limits::Limits;
use crate::stderr::Tail;

/// How many frames of a backtrace a person needs to find the place.
const FRAMES: usize = 6;

/// Raised by the epoch callback.
#[derive(Debug, thiserror::Error)]
#[error("the call's deadline passed")]
pub(crate) struct DeadlinePassed;

/// The failure of a call that ran out of time.
pub(crate) fn timed_out(allowed: Duration) -> Failure {
    Failure::new(Case::Timeout, format!("the stage did not finish within {} ms", allowed.as_millis()))
}

/// What `error` means for the asset or the state it happened in.
pub(crate) fn classify(
    error: &wasmtime::Error,
    refused_memory: bool,
    limits: &Limits,
    allowed: Duration,
    stderr: &Tail,
) -> Failure {
    if error.downcast_ref::<DeadlinePassed>().is_some() || error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        return timed_out(allowed);
    }
    if refused_memory {
        return Failure::new(
            Case::OutOfMemory,
            format!("the stage wanted more than the {} MiB of memory that its pin allows", limits.memory_mib),
        );
    }
    let cause = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    let mut message = format!("the stage broke: {cause}");
    if let Some(said) = last_words(&stderr.text()) {
        let _ = write!(message, "; it said: {said}");
    }
    let frames = frames(error);
    if !frames.is_empty() {
        let _ = write!(message, "; in {}", frames.join(" ← "));
    }
    Failure::new(Case::Trapped, message)
}

/// A Rust guest prints its panic before it traps; the hint to set RUST_BACKTRACE behind it helps nobody here.
fn last_words(said: &str) -> Option<String> {
    let lines: Vec<&str> =
        said.lines().filter(|line| !line.trim().is_empty() && !line.contains("RUST_BACKTRACE")).collect();
    let tail = lines.get(lines.len().saturating_sub(2)..)?;
    let text: String = tail.join(" ").chars().take(300).collect();
    (!text.is_empty()).then_some(text)
}

/// The innermost functions, without those of the panic machinery.
fn frames(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    backtrace
        .frames()
        .iter()
        .map(|frame| {
            let name = frame.func_name().map_or_else(|| format!("function {}", frame.func_index()), demangle);
            name.chars().take(120).collect::<String>()
        })
        .filter(|name| {
            !["rust_panic", "panicking", "__rust_start_panic", "abort", "panic_"].iter().any(|p| name.contains(p))
        })
        .take(FRAMES)
        .collect()
}

/// `_ZN5image4jpeg6decode17h0123456789abcdefE` → `image::jpeg::decode`
fn demangle(name: &str) -> String {
    let text = format!("{:#}", rustc_demangle::demangle(name));
    if text.is_empty() { name.to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_leave_out_the_hint() {
        let said =
            "thread '<unnamed>' panicked at src/lib.rs:7:5:\nno such tile\nnote: run with `RUST_BACKTRACE=1` ...";
        assert_eq!(last_words(said).as_deref(), Some("thread '<unnamed>' panicked at src/lib.rs:7:5: no such tile"));
        assert_eq!(last_words(""), None);
    }
}
