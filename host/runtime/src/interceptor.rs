//! Hooks around the calls of a [`Fanout`](crate::Fanout): they see the input and the output, and may replace what stands
//! behind a guest's imports. Recording, replay and shadows are built on them; the runtime knows none of these.

use std::time::Instant;

use async_trait::async_trait;
use stagehost_batch::Failure;

use crate::call::{CallInput, CallOutput, CallReport, CallRequest};
use crate::capability::Capabilities;
use crate::host::wasi::ClocksAndRandom;
use crate::stage::Stage;

/// Decides for every call whether to intercept it. Must not block.
pub trait Interceptor: Send + Sync + 'static {
    /// Returns what to change about this call; `None` leaves it unchanged.
    fn intercept(&self, stage: &Stage, request: &CallRequest, input: &CallInput) -> Option<Interception>;
}

/// What an interceptor replaces in one call, and its hook for the end.
pub struct Interception {
    /// Used in place of the request's capabilities.
    pub capabilities: Capabilities,
    /// Used in place of the machine's clocks and random numbers.
    pub clocks_and_random: Option<ClocksAndRandom>,
    /// Called when the call has ended.
    pub on_end: Box<dyn CallEnd>,
}

/// The hook for the end of one call.
#[async_trait]
pub trait CallEnd: Send {
    /// Runs after the call, which then holds neither a core nor memory. The call's answer waits for it, so an
    /// implementation must return by the `deadline`.
    async fn ended(
        self: Box<Self>,
        outcome: &Result<CallOutput, Failure>,
        report: &CallReport,
        deadline: Option<Instant>,
    );
}
