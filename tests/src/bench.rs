//! What the benchmarks of functions have in common.

use std::path::Path;
use std::process::Command;

/// Returns the contenders in the order of a round. It changes, so that none always runs behind the same other.
pub fn in_turn<T>(contenders: &[T], round: usize) -> impl Iterator<Item = &T> {
    contenders.iter().cycle().skip(round).take(contenders.len())
}

/// Returns a command that starts a function: on the core that `STAGEHOST_BENCH_CPU` names, as a Lambda of less than 1.8 GB has
/// one, or on all. The S3 server may use all.
pub fn function_command(program: &Path) -> Command {
    match std::env::var("STAGEHOST_BENCH_CPU") {
        Ok(cpu) => {
            let mut command = Command::new("taskset");
            command.args(["--cpu-list", &cpu]).arg(program);
            command
        }
        Err(_) => Command::new(program),
    }
}
