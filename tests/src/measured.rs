//! Runs of `stagehost run` whose memory is measured.

use std::fs::{self, File};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::Ran;
use crate::proc_memory::{PEAK, bytes_in};

/// A run, and what it took.
pub struct Measured {
    /// How it ended.
    pub ran: Ran,
    /// The most that the process itself ever had resident, in MiB; `None` on systems without `/proc`.
    pub peak_mib: Option<u64>,
}

impl Measured {
    /// Panics if the process had more than this resident at any time, or if it could not be measured on Linux.
    pub fn assert_at_most(&self, mib: u64) {
        println!("at most {:?} MiB resident", self.peak_mib);
        match self.peak_mib {
            Some(peak) => assert!(peak <= mib, "the host had {peak} MiB resident, {mib} at most are expected"),
            None if cfg!(target_os = "linux") => panic!("the memory of the host was never seen"),
            None => {}
        }
    }
}

/// Runs a [`run_command`](crate::run_command) to its end and measures it.
///
/// # Errors
/// If it cannot be started.
pub fn measured(command: &mut Command) -> Result<Measured> {
    let folder = tempfile::tempdir()?;
    let (stdout, stderr) = (folder.path().join("stdout"), folder.path().join("stderr"));
    command.stdout(File::create(&stdout)?).stderr(File::create(&stderr)?);
    let (code, peak_mib) = watch(command.spawn().context("starting stagehost")?)?;
    let ran = Ran {
        code: code.unwrap_or(-1),
        json: serde_json::from_slice(&fs::read(stdout)?).unwrap_or_default(),
        stderr: String::from_utf8_lossy(&fs::read(stderr)?).into_owned(),
    };
    Ok(Measured { ran, peak_mib })
}

/// The kernel keeps the highest value of a process, so it is enough to look now and then.
fn watch(mut child: Child) -> Result<(Option<i32>, Option<u64>)> {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = None;
    loop {
        // A process that has ended but was not waited for has no such line any more.
        let text = fs::read_to_string(&status).unwrap_or_default();
        peak = peak.max(bytes_in(&text, PEAK).map(|bytes| bytes.div_ceil(1 << 20)));
        if let Some(ended) = child.try_wait()? {
            return Ok((ended.code(), peak));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
