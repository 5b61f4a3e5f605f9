//! Durations for the cost model, in the form that `stagehost cost --measured` reads.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

/// The arguments of a benchmark that measures such durations.
pub struct BenchArguments {
    /// How many rounds to run.
    pub rounds: usize,
    json: Option<PathBuf>,
}

impl BenchArguments {
    /// Reads the program's arguments: the number of rounds, and `--json FILE` for the durations.
    ///
    /// # Errors
    /// If there is another argument.
    pub fn read(rounds: usize) -> Result<Self> {
        Self::of(rounds, std::env::args().skip(1))
    }

    fn of(rounds: usize, mut given: impl Iterator<Item = String>) -> Result<Self> {
        let mut found = Self { rounds, json: None };
        while let Some(argument) = given.next() {
            match argument.as_str() {
                // Cargo adds it to the arguments of every benchmark.
                "--bench" => {}
                "--json" => found.json = Some(given.next().context("--json needs a FILE")?.into()),
                number => match number.parse() {
                    Ok(rounds) => found.rounds = rounds,
                    Err(_) => bail!("{number}: known are the number of rounds and --json FILE"),
                },
            }
        }
        Ok(found)
    }

    /// Returns the number of rounds, for a benchmark that measures no such durations.
    ///
    /// # Errors
    /// If a file for them was named.
    pub fn only_rounds(self) -> Result<usize> {
        ensure!(self.json.is_none(), "--json: this benchmark measures no durations for `stagehost cost`");
        Ok(self.rounds)
    }

    /// Writes the durations to the file, if one was named.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, durations: &Value) -> Result<()> {
        let Some(file) = &self.json else { return Ok(()) };
        std::fs::write(file, format!("{durations:#}\n")).with_context(|| file.display().to_string())
    }
}

/// Returns a measured duration; `how` says by what.
pub fn duration(time: Duration, how: &str) -> Value {
    json!({"ms": rounded(time.as_secs_f64() * 1e3), "measured": true, "how": how})
}

/// Returns a measured duration in which the function also waits for others, for `waits_ms` that are assumed.
pub fn duration_and_waits(time: Duration, how: &str, waits_ms: u32) -> Value {
    let mut duration = duration(time, how);
    duration["waitsMs"] = waits_ms.into();
    duration
}

/// Returns a number with two decimals.
fn rounded(ms: f64) -> f64 {
    (ms * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn arguments(texts: &[&str]) -> Result<BenchArguments> {
        BenchArguments::of(9, texts.iter().map(|text| (*text).to_owned()))
    }

    #[test]
    fn a_benchmark_takes_a_number_of_rounds_and_those_with_durations_a_file() {
        assert_eq!(arguments(&["--bench"]).unwrap().only_rounds().unwrap(), 9);
        assert_eq!(arguments(&["5", "--bench"]).unwrap().only_rounds().unwrap(), 5);
        let with_file = arguments(&["--json", "durations.json", "3", "--bench"]).unwrap();
        assert_eq!((with_file.rounds, with_file.json.as_deref()), (3, Some(std::path::Path::new("durations.json"))));
        assert!(with_file.only_rounds().is_err());
        for wrong in [&["five"][..], &["--json"], &["--rounds", "5"]] {
            assert!(arguments(wrong).is_err(), "{wrong:?}");
        }
    }
}
