//! The rule against many simulated canaries. Each simulation has its own seed, and a failure names it.

use super::*;

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Returns whether a run ends in a defect, if each of its photos does with the probability `bad`.
    fn run(&mut self, photos: u32, bad: f64) -> bool {
        (0..photos).any(|_| self.unit() < bad)
    }
}

/// A canary for `percent` of the executions, beside the pinned stage.
#[derive(Clone, Copy)]
struct Trial {
    percent: f64,
    /// The most photos of a batch; each number from one on is equally frequent.
    most_photos: u32,
    /// The probability that a photo is a defect of the stage.
    bad: f64,
    /// The probability that a run of the canary ends in a defect in addition.
    worse: f64,
}

impl Trial {
    /// Returns after how many of its runs the canary is given up; `None` if it is not within `runs` of them.
    ///
    /// As in a fleet, a look is made when a process reports a defect, at the first one after enough runs. That is the worst
    /// moment for the canary.
    fn given_up_after(self, seed: u64, runs: u64) -> Option<u64> {
        let mut dice = Dice(seed);
        let (mut canary, mut pinned, mut looks) = (RunTally::default(), RunTally::default(), 0);
        while canary.runs < runs {
            let photos = 1 + (dice.unit() * f64::from(self.most_photos)) as u32;
            if dice.unit() * 100.0 >= self.percent {
                pinned = pinned + RunTally::one(dice.run(photos, self.bad));
                continue;
            }
            let defect = dice.run(photos, self.bad) | (dice.unit() < self.worse);
            canary = canary + RunTally::one(defect);
            if defect && look_is_due(looks, canary) {
                looks = looks_after(looks, canary);
                if is_worse(looks, canary, pinned, 2) {
                    return Some(canary.runs);
                }
            }
        }
        None
    }
}

#[test]
fn of_ten_thousand_canaries_that_are_as_good_as_the_pinned_stage_at_most_one_percent_is_given_up() {
    let mut given_up = Vec::new();
    for seed in 0..10_000 {
        // One photo in twenty is bad. Shares and sizes of batches as they come.
        let percent = [1.0, 5.0, 20.0, 50.0, 90.0][(seed % 5) as usize];
        let most_photos = [1, 3, 12, 40][(seed % 4) as usize];
        let trial = Trial { percent, most_photos, bad: 0.05, worse: 0.0 };
        // With one percent, the pinned stage has ninety-nine times as many runs, all of which are simulated.
        if trial.given_up_after(seed, if percent < 5.0 { 30 } else { 300 }).is_some() {
            given_up.push(seed);
        }
    }
    assert!(given_up.len() <= 100, "{} of 10,000, with the seeds {given_up:?}", given_up.len());
}

#[test]
fn a_canary_that_fails_thirty_percent_of_its_runs_more_is_given_up_within_a_stated_number_of_runs() {
    // The numbers of docs/operate.md, for 99 of 100 canaries.
    for (percent, within) in [(5.0, 80), (20.0, 110), (50.0, 180)] {
        let trial = Trial { percent, most_photos: 1, bad: 0.05, worse: 0.3 };
        let late: Vec<u64> = (0..1000).filter(|seed| trial.given_up_after(*seed, within).is_none()).collect();
        assert!(late.len() <= 10, "{percent} %: {} of 1,000 take longer, with the seeds {late:?}", late.len());
    }
}

#[test]
fn a_canary_that_always_fails_is_given_up_after_a_handful_of_runs() {
    for (percent, within) in [(5.0, 4), (20.0, 9), (50.0, 14)] {
        let trial = Trial { percent, most_photos: 1, bad: 0.0, worse: 1.0 };
        let late: Vec<u64> = (0..1000).filter(|seed| trial.given_up_after(*seed, within).is_none()).collect();
        assert!(late.len() <= 10, "{percent} %: {} of 1,000 take longer, with the seeds {late:?}", late.len());
    }
}

#[test]
fn two_bad_photos_are_not_evidence_however_many_runs_the_pinned_stage_had_without_one() {
    let pinned = RunTally { runs: 1_000_000, defects: 0 };
    for runs in 2..50 {
        assert!(!is_worse(1, RunTally { runs, defects: 2 }, pinned, 0), "2 of {runs}");
    }
    assert!(is_worse(1, RunTally { runs: 20, defects: 3 }, pinned, 0));
}

#[test]
fn without_a_run_of_the_pinned_stage_there_is_nothing_to_compare_with() {
    assert!(!is_worse(1, RunTally { runs: 1000, defects: 1000 }, RunTally::default(), 0));
}

#[test]
fn a_difference_within_the_limit_is_accepted_however_certain_it_is() {
    let (canary, pinned) = (RunTally { runs: 100_000, defects: 6_500 }, RunTally { runs: 100_000, defects: 5_000 });
    assert!(is_worse(20, canary, pinned, 1), "1.5 points are more than one");
    assert!(!is_worse(20, canary, pinned, 2), "and less than two");
}

#[test]
fn the_probability_is_that_of_fishers_exact_test() {
    // Fisher's own example (The Design of Experiments, 1935): all four cups right by chance, 1 in 70; three or more, 17 in 70.
    let cups = |right| (RunTally { runs: 4, defects: right }, RunTally { runs: 4, defects: 4 - right });
    for (right, expected) in [(4, 1.0 / 70.0), (3, 17.0 / 70.0), (0, 1.0)] {
        let (canary, pinned) = cups(right);
        assert!((chance(canary, pinned) - expected).abs() < 1e-12, "{right} right: {}", chance(canary, pinned));
    }
    // Large numbers: half of the probability lies on each side of equal shares, less half of the middle term.
    let equal = RunTally { runs: 1_000_000, defects: 50_000 };
    assert!((chance(equal, equal) - 0.5).abs() < 0.01, "{}", chance(equal, equal));
}

#[test]
fn each_look_needs_more_runs_and_a_look_that_was_missed_is_not_made_up_for() {
    let with = |runs| RunTally { runs, defects: 0 };
    assert!(!look_is_due(0, with(3)) && look_is_due(0, with(4)));
    assert_eq!(looks_after(0, with(4)), 1);
    assert!(!look_is_due(1, with(5)) && look_is_due(1, with(6)));
    assert_eq!(looks_after(1, with(1000)), looks_after(0, with(1000)));
    assert!(!look_is_due(looks_after(0, with(u64::MAX)), with(u64::MAX)));
}
