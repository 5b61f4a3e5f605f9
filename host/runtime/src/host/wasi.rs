//! WASI 0.2 as a guest sees it: output is captured, clocks and random numbers work, everything else is empty. No
//! directory is open, no environment variable is set, no address can be reached.

use std::sync::Arc;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx};

use crate::output_tail::OutputTail;

/// Clocks and random numbers for one call, in place of the machine's. Sleeping and deadlines follow real time all the
/// same.
#[derive(Clone)]
pub struct ClocksAndRandom {
    /// Determines all random numbers of the call.
    pub seed: [u8; 32],
    /// What the guest's clocks show.
    pub clocks: Arc<dyn Clocks>,
}

/// The two clocks of WASI.
pub trait Clocks: Send + Sync + 'static {
    /// Returns the time since 1970, UTC.
    fn wall(&self) -> Duration;
    /// Returns nanoseconds since a fixed moment before the call.
    fn monotonic(&self) -> u64;
    /// Returns how many milliseconds are left for the call, as the guest is told. `left` is the truth.
    fn remaining_ms(&self, left: u64) -> u64 {
        left
    }
}

/// The most random bytes that one call returns. They are made on the host.
const MAX_RANDOM: u64 = 64 << 10;

/// Returns the WASI context of one call. Standard output and standard error go to `output`.
pub(crate) fn context(output: &OutputTail, replacement: Option<ClocksAndRandom>) -> WasiCtx {
    let mut wasi = WasiCtx::builder();
    wasi.max_random_size(MAX_RANDOM);
    wasi.stdout(output.clone()).stderr(output.clone()).allow_tcp(false).allow_udp(false).allow_ip_name_lookup(false);
    if let Some(ClocksAndRandom { seed, clocks }) = replacement {
        let mut seeds = stream(seed, 2);
        let insecure_seed = u128::from(seeds.next_u64()) << 64 | u128::from(seeds.next_u64());
        wasi.secure_random(stream(seed, 0))
            .insecure_random(stream(seed, 1))
            .insecure_random_seed(insecure_seed)
            .wall_clock(ReplacedClock(clocks.clone()))
            .monotonic_clock(ReplacedClock(clocks));
    }
    wasi.build()
}

/// Returns one stream of random numbers. Each of WASI's sources has its own, so that none depends on how much is taken
/// from another. ChaCha20 gives the same numbers on every machine and in every version.
fn stream(seed: [u8; 32], number: u64) -> ChaCha20Rng {
    let mut stream = ChaCha20Rng::from_seed(seed);
    stream.set_stream(number);
    stream
}

struct ReplacedClock(Arc<dyn Clocks>);

impl HostWallClock for ReplacedClock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        self.0.wall()
    }
}

impl HostMonotonicClock for ReplacedClock {
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
        // Must never change: old records are replayed with these numbers.
        assert_eq!(stream([0; 32], 0).next_u64(), 0x903d_f1a0_ade0_b876);
    }
}
