//! Durations for the cost model, in the form that `stagehost cost --measured` reads.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
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
        let mut found = Self { rounds, json: None };
        let mut given = std::env::args().skip(1);
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
