//! Whether a canary fails more often than the pinned stage, or was only unlucky.
//!
//! The runs of both are compared by Fisher's exact test, one-sided: how probable is it that at least so many of all defects
//! fall on the canary if both stages are equally good? The test is made several times while runs come in, and each time
//! could be a false alarm. So it is made at few times, and each has its part of the permitted error: the look number `k`
//! (from 1) has the level `α / (k (k + 1))`, and all of them together have `α`.

use super::tally::RunTally;

/// The probability that a canary as good as the pinned stage is ever given up is at most this.
pub(crate) const FALSE_ALARMS: f64 = 0.01;

/// Runs of the canary at the first look. A canary that always fails is given up then, if the pinned stage has enough runs.
const FIRST_LOOK: f64 = 4.0;

/// How many times more runs of the canary each look needs than the one before.
const GROWTH: f64 = 1.5;

/// A canary with fewer defects goes on in any case: two damaged files on which both stages would fail are not evidence.
const FEWEST_DEFECTS: u64 = 3;

/// More looks than a canary can have: the last one would need more runs than can be counted.
const MOST_LOOKS: u32 = 64;

/// Returns whether it is time for another look after `looks` of them.
pub(crate) fn look_is_due(looks: u32, canary: RunTally) -> bool {
    looks < MOST_LOOKS && canary.runs as f64 >= runs_at(looks)
}

/// Returns the number of looks after the one that is due now. If there are runs enough for several looks, only the last one
/// is made.
pub(crate) fn looks_after(mut looks: u32, canary: RunTally) -> u32 {
    while look_is_due(looks, canary) {
        looks += 1;
    }
    looks
}

/// Returns whether, at the look number `look` (from 1), the canary fails too often: more often than the pinned stage by
/// more than `limit` percentage points, and so clearly that it cannot be chance.
pub(crate) fn is_worse(look: u32, canary: RunTally, pinned: RunTally, limit: u8) -> bool {
    let level = FALSE_ALARMS / (f64::from(look) * (f64::from(look) + 1.0));
    canary.defects >= FEWEST_DEFECTS
        && canary.share() - pinned.share() > f64::from(limit) / 100.0
        && chance(canary, pinned) <= level
}

/// Returns the runs of the canary at the look that follows `looks` of them.
fn runs_at(looks: u32) -> f64 {
    (FIRST_LOOK * GROWTH.powi(i32::try_from(looks).unwrap_or(i32::MAX))).ceil()
}

/// Returns the probability that at least as many defects as in `canary` fall on it by chance, given the sums of both: the
/// upper tail of the hypergeometric distribution.
fn chance(canary: RunTally, pinned: RunTally) -> f64 {
    let both = canary + pinned;
    if pinned.runs == 0 || canary.defects == 0 {
        return 1.0;
    }
    let [runs, other_runs, defects] = [canary.runs, pinned.runs, both.defects].map(|number| number as f64);
    let first = canary.defects;
    let mut term = (ln_choose(canary.runs, first) + ln_choose(pinned.runs, pinned.defects)
        - ln_choose(both.runs, both.defects))
    .exp();
    let mut sum = 0.0;
    for hits in first..=canary.runs.min(both.defects) {
        sum += term;
        // From this number of hits to the next. The terms fall fast, so few of them matter.
        let hits = hits as f64;
        term *= (runs - hits) * (defects - hits) / ((hits + 1.0) * (other_runs - defects + hits + 1.0));
        if term <= sum * f64::EPSILON {
            break;
        }
    }
    sum.min(1.0)
}

/// Returns the logarithm of the binomial coefficient; `k` must not exceed `n`.
fn ln_choose(n: u64, k: u64) -> f64 {
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// Returns the logarithm of `n!`: the sum for small numbers, Stirling's series for others (relative error below 1e-14).
fn ln_factorial(n: u64) -> f64 {
    if n < 32 {
        return (2..=n).map(|factor| (factor as f64).ln()).sum();
    }
    let n = n as f64;
    let series = 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3)) + 1.0 / (1260.0 * n.powi(5));
    n * n.ln() - n + 0.5 * (std::f64::consts::TAU * n).ln() + series
}

#[cfg(test)]
#[path = "statistics_tests.rs"]
mod tests;
