//! The process of a function: its output, its signals, its memory and descriptors.

use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::sync::watch;

use crate::proc_memory::{PEAK, bytes_in};

/// How long a process may take to follow a signal.
const OBEY: Duration = Duration::from_secs(30);
/// How long a line may take from the process to the test.
const LINE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(2);

/// Where a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// A line that a function wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it was written to.
    pub stream: Stream,
    /// The text without the line break.
    pub text: String,
}

type Lines = Arc<Mutex<Vec<Line>>>;

pub(super) struct Process {
    pid: u32,
    status: watch::Receiver<Option<ExitStatus>>,
    lines: Lines,
}

impl Process {
    pub(super) fn spawn(mut command: Command) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let program = command.get_program().to_owned();
        let mut child = tokio::process::Command::from(command)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("starting {}", program.display()))?;
        let pid = child.id().context("a process without an id")?;
        let lines = Lines::default();
        if let Some(out) = child.stdout.take() {
            tokio::spawn(collect(out, Stream::Out, lines.clone()));
        }
        if let Some(err) = child.stderr.take() {
            tokio::spawn(collect(err, Stream::Err, lines.clone()));
        }
        let (ended, status) = watch::channel(None);
        tokio::spawn(async move {
            if let Ok(status) = child.wait().await {
                ended.send_replace(Some(status));
            }
        });
        Ok(Self { pid, status, lines })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until the process has ended.
    pub(super) async fn ended(&self) -> ExitStatus {
        let mut status = self.status.clone();
        let ended = status.wait_for(Option::is_some).await.ok().and_then(|status| *status);
        match ended {
            Some(status) => status,
            // The waiting task lives as long as the runtime, as callers do.
            None => std::future::pending().await,
        }
    }

    pub(super) fn exit_status(&self) -> Option<ExitStatus> {
        *self.status.borrow()
    }

    pub(super) fn lines(&self) -> Vec<Line> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn forget_lines(&self) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub(super) async fn line(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        let found = async {
            loop {
                let found = self.lines().into_iter().find(|line| wanted(&line.text));
                if let Some(line) = found {
                    return line.text;
                }
                tokio::time::sleep(POLL).await;
            }
        };
        tokio::time::timeout(LINE, found).await.ok()
    }

    /// Returns the sum over all mappings. The counters in `status` lag behind by some pages for each thread.
    pub(super) fn resident_bytes(&self) -> Result<u64> {
        self.memory("smaps_rollup", "Rss")
    }

    pub(super) fn peak_bytes(&self) -> Result<u64> {
        self.memory("status", PEAK)
    }

    fn memory(&self, file: &str, name: &str) -> Result<u64> {
        bytes_in(&self.proc(file)?, name).with_context(|| format!("no {name} in {file}"))
    }

    pub(super) fn descriptors(&self) -> Result<usize> {
        let folder = format!("/proc/{}/fd", self.pid);
        Ok(std::fs::read_dir(&folder).with_context(|| folder.clone())?.count())
    }

    fn proc(&self, file: &str) -> Result<String> {
        let path = format!("/proc/{}/{file}", self.pid);
        std::fs::read_to_string(&path).with_context(|| path.clone())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        // After that its id may be reused for another process.
        ensure!(self.exit_status().is_none(), "the process has ended");
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("a process without an id")?;
        kill_process(pid, signal).with_context(|| format!("{signal:?} to {}", self.pid))
    }

    pub(super) async fn freeze(&self) -> Result<()> {
        self.signal(Signal::STOP)?;
        let stopped = async {
            // `pid (name) STATE …`; the name may contain brackets.
            while !self.proc("stat")?.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')) {
                tokio::time::sleep(POLL).await;
            }
            Ok(())
        };
        tokio::time::timeout(OBEY, stopped).await.context("the process does not stop")?
    }

    pub(super) fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT)
    }

    /// Kills it, frozen or not.
    pub(super) fn kill(&self) {
        // It fails if the process has ended already, which is fine.
        let _ = self.signal(Signal::KILL);
    }

    pub(super) async fn terminate(&self) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        tokio::time::timeout(OBEY, self.ended()).await.context("the process ignores SIGTERM")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn collect(from: impl AsyncRead + Unpin, stream: Stream, lines: Lines) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
        let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
        lines.lock().unwrap_or_else(PoisonError::into_inner).push(Line { stream, text });
        line.clear();
    }
}
