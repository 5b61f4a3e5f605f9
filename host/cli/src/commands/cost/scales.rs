//! The cost of 1,000 batches at several numbers of batches a month, over which the monthly prices are spread.

use std::collections::BTreeSet;

use super::inputs::{Measured, Prices, Workload};
use super::model::{self, CostKind, Design, Line};

/// Batches a month that are always shown.
const SHOWN: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// What the picture tells apart, with its letter.
pub const PARTS: [(CostKind, char, &str); 5] = [
    (CostKind::Compute, 'C', "compute"),
    (CostKind::Storage, 'S', "S3 requests"),
    (CostKind::States, 'T', "transitions"),
    (CostKind::Watching, 'W', "logs, metrics, alarms"),
    (CostKind::Rest, 'R', "rest"),
];

/// 1,000 batches without MediaConvert, at one number of batches a month.
pub struct Scale {
    /// Batches a month.
    pub batches_a_month: u32,
    /// USD by design.
    pub totals: [f64; 3],
    /// The same without alarms, of which an account has ten free of charge.
    pub without_alarms: [f64; 3],
    /// USD by design and part, in the order of [`PARTS`].
    pub parts: [[f64; 5]; 3],
}

impl Scale {
    /// Returns a design's share of what the four functions cost.
    pub fn of_functions(&self, design: usize) -> f64 {
        share(self.totals[design], self.totals[0])
    }

    /// Returns the same without alarms.
    pub fn of_functions_without_alarms(&self, design: usize) -> f64 {
        share(self.without_alarms[design], self.without_alarms[0])
    }
}

fn share(one: f64, all: f64) -> f64 {
    if all > 0.0 { one / all } else { 1.0 }
}

/// Returns the cost at the shown numbers of batches a month and at the given one.
pub fn scales(work: &Workload, measured: &Measured, prices: &Prices) -> Vec<Scale> {
    let numbers: BTreeSet<u32> = SHOWN.into_iter().chain([work.batches_a_month]).collect();
    let scale = |batches_a_month| {
        let lines = model::lines(&Workload { batches_a_month, ..work.clone() }, measured, prices);
        let sum = |design: usize, counts: &dyn Fn(&Line) -> bool| -> f64 {
            lines.iter().filter(|line| counts(line)).map(|line| line.columns[design].1).sum()
        };
        let each = |counts: &dyn Fn(&Line) -> bool| [0, 1, 2].map(|design| sum(design, counts));
        Scale {
            batches_a_month,
            totals: each(&|line| line.kind != CostKind::Transcoding),
            without_alarms: each(&|line| line.kind != CostKind::Transcoding && line.label != model::ALARMS),
            parts: [0, 1, 2].map(|design| PARTS.map(|(kind, ..)| sum(design, &|line| line.kind == kind))),
        }
    };
    numbers.into_iter().map(scale).collect()
}

/// Returns the designs' names, short enough for a line with a bar.
pub fn short(design: Design) -> &'static str {
    match design {
        Design::Functions => "functions",
        Design::HostX86 => "host x86_64",
        Design::HostArm64 => "host arm64",
    }
}
