//! Who stands beside a call: sees what goes in and what comes out, and may stand between the guest and what the host can
//! do for it. Recording, replaying and running a candidate in a stage's shadow are all done from here; the runtime knows
//! none of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use stagehost_batch::{Asset, Batch, Failure};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtxBuilder};

use crate::call::{CallReport, CallRequest};
use crate::capability::Capabilities;
use crate::convert::Additions;
use crate::stage::Stage;

/// The input of a call, by kind of stage.
#[derive(Clone, Debug)]
pub enum CallInput {
    /// For an asset stage.
    Asset(Box<Asset>),
    /// For a batch stage.
    Batch(Box<Batch>),
}

/// What a call came to, as the stage said it: nothing is checked or merged yet.
#[derive(Clone, Debug, PartialEq)]
pub enum CallOutput {
    /// Of an asset stage.
    Asset(Box<Asset>),
    /// Of a batch stage.
    Batch(Additions),
}

/// Is asked about every call before it begins. Must not block.
pub trait Witness: Send + Sync + 'static {
    /// What stands beside this call; `None` leaves it as it is.
    fn begin(&self, stage: &Stage, request: &CallRequest, input: &CallInput) -> Option<Witnessed>;
}

/// What a witness gives to one call.
pub struct Witnessed {
    /// In place of the request's own.
    pub capabilities: Capabilities,
    /// In place of the machine's own.
    pub surroundings: Option<Surroundings>,
    /// Hears of the end.
    pub call: Box<dyn CallWitness>,
}

/// Hears of one call's end.
#[async_trait]
pub trait CallWitness: Send {
    /// The call is over, and no longer holds a core or memory. Its answer waits for this, so an implementation sees to it
    /// that it is done by the `deadline`.
    async fn end(
        self: Box<Self>,
        outcome: &Result<CallOutput, Failure>,
        report: &CallReport,
        deadline: Option<Instant>,
    );
}

/// What a guest sees of chance and time. Sleeping and deadlines are real in any case.
#[derive(Clone)]
pub struct Surroundings {
    /// All random numbers of the call follow from it.
    pub seed: [u8; 32],
    /// Read by the guest.
    pub clocks: Arc<dyn Clocks>,
}

/// The two clocks of WASI.
pub trait Clocks: Send + Sync + 'static {
    /// Since 1970, UTC.
    fn wall(&self) -> Duration;
    /// Nanoseconds since some moment before the call.
    fn monotonic(&self) -> u64;
}

/// Each of WASI's sources of random numbers has a stream of its own, so that one does not depend on how much is taken from
/// another. ChaCha20 gives the same numbers on every machine and in every version.
fn stream(seed: [u8; 32], number: u64) -> ChaCha20Rng {
    let mut stream = ChaCha20Rng::from_seed(seed);
    stream.set_stream(number);
    stream
}

impl Surroundings {
    pub(crate) fn apply(self, wasi: &mut WasiCtxBuilder) {
        let mut seeds = stream(self.seed, 2);
        let seed = u128::from(seeds.next_u64()) << 64 | u128::from(seeds.next_u64());
        wasi.secure_random(stream(self.seed, 0))
            .insecure_random(stream(self.seed, 1))
            .insecure_random_seed(seed)
            .wall_clock(Given(self.clocks.clone()))
            .monotonic_clock(Given(self.clocks));
    }
}

struct Given(Arc<dyn Clocks>);

impl HostWallClock for Given {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        self.0.wall()
    }
}

impl HostMonotonicClock for Given {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.0.monotonic()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_numbers_follow_from_the_seed_and_differ_between_the_sources() {
        let four = |number| {
            let mut stream = stream([7; 32], number);
            [stream.next_u64(), stream.next_u64(), stream.next_u64(), stream.next_u64()]
        };
        assert_eq!(four(0), four(0));
        assert_ne!(four(0), four(1));
        // Fixed for good: old records are replayed by it.
        assert_eq!(stream([0; 32], 0).next_u64(), 0x903d_f1a0_ade0_b876);
    }
}
