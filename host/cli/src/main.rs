//! The `stagehost` command.

fn main() {}
