//! Classifies how a component broke: `Stage.Timeout`, `Stage.OutOfMemory` or `Stage.Trapped`.

use std::fmt::Write as _;
use std::time::Duration;

use stagehost_batch::{Case, Failure};
use wasmtime::{Trap, WasmBacktrace};

use crate::budget::MAX_LIFTED;
use crate::crash_message::crash_message;
use crate::limits::Limits;
use crate::output_tail::OutputTail;
use crate::text::{recorded, shorten};

/// How many frames of a backtrace are reported.
const FRAMES: usize = 6;

/// What wasmtime's error says if more is lifted out of a guest than the store allows. Its type is private.
const HOSTCALL_FUEL: &str = "fuel allocated for hostcalls";

/// The error with which the epoch callback ends a guest.
#[derive(Debug, thiserror::Error)]
#[error("the call's deadline passed")]
pub(crate) struct DeadlinePassed;

/// Returns the failure of a call that ran out of time.
pub(crate) fn timed_out(allowed: Duration) -> Failure {
    let message = format!(
        "the stage did not finish within {} ms, which is `limits.deadlineMs` of its pin or what the function had left",
        allowed.as_millis()
    );
    Failure::new(Case::Timeout, message)
}

/// Returns the failure of a call that waited for memory and a core until its deadline.
pub(crate) fn never_began(waited: Duration) -> Failure {
    let message = format!(
        "the call never began: it waited {} ms for memory and a core, and its deadline passed",
        waited.as_millis()
    );
    Failure::new(Case::Timeout, message)
}

/// Returns the failure that `error` means for its asset or state.
pub(crate) fn classify(
    error: &wasmtime::Error,
    refused_memory: bool,
    limits: &Limits,
    allowed: Duration,
    output: &OutputTail,
) -> Failure {
    if error.downcast_ref::<DeadlinePassed>().is_some() || error.downcast_ref::<Trap>() == Some(&Trap::Interrupt) {
        return timed_out(allowed);
    }
    if refused_memory {
        return Failure::new(
            Case::OutOfMemory,
            format!(
                "the stage wanted more than the {} MiB of memory that its pin allows in `limits.memoryMib`",
                limits.memory_mib
            ),
        );
    }
    if error.chain().any(|cause| cause.to_string().contains(HOSTCALL_FUEL)) {
        let message = format!(
            "the stage passed more than {} KiB to the host at once, as arguments or as its answer",
            MAX_LIFTED >> 10
        );
        return Failure::new(Case::TooLarge, message);
    }
    let cause = match error.downcast_ref::<Trap>() {
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    };
    let mut message = format!("the stage broke: {}", shorten(cause));
    if let Some(printed) = crash_message(&output.text()) {
        let _ = write!(message, "; it printed: {printed}");
    }
    let frames = frames(error);
    if !frames.is_empty() {
        let _ = write!(message, "; in {}", frames.join(" ← "));
    }
    Failure::new(Case::Trapped, recorded(message))
}

/// Returns the names of the innermost functions, without those of Rust's panic handling.
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
