//! Lambda's Runtime API on loopback, and one execution environment behind it: a child process that is invoked, frozen,
//! thawed and terminated as Lambda does it.
//!
//! Other emulators start containers or ZIPs, take milliseconds for an invocation, hide the process and cannot send odd
//! deadlines. This one takes a tenth of a millisecond, so ten thousand invocations take seconds.
//!
//! It follows the developer guide, "Using the Lambda runtime API for custom runtimes" (version 2018-06-01). Besides, an
//! environment serves one invocation at a time, so invocations wait for each other.

mod deadline;
mod process;
mod server;

use std::process::{Command, ExitStatus};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use serde_json::Value;

pub use deadline::Deadline;
pub use process::{Line, Stream};
pub use stagehost_local::FunctionError;

use process::Process;
use server::{Api, Shared};

/// How long an initialisation may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// A function: one process, which is killed when this is dropped.
pub struct Function {
    process: Process,
    shared: Arc<Shared>,
    _api: Api,
    spawned: Instant,
}

impl Function {
    /// Starts the process with these variables, `PATH` and the address of the Runtime API. As on Lambda, nothing else of
    /// this process's environment reaches it. Returns before it is ready.
    ///
    /// # Errors
    /// If no port is free, or the program is missing.
    pub async fn start<K, V>(mut command: Command, env: impl IntoIterator<Item = (K, V)>) -> Result<Self>
    where
        K: AsRef<std::ffi::OsStr>,
        V: AsRef<std::ffi::OsStr>,
    {
        let shared = Arc::new(Shared::new());
        let api = Api::start(shared.clone()).await.context("starting the Runtime API")?;
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(env);
        command.env("AWS_LAMBDA_RUNTIME_API", api.address().to_string());
        let spawned = Instant::now();
        let process = Process::spawn(command)?;
        Ok(Self { process, shared, _api: api, spawned })
    }

    /// Invokes it with a JSON document.
    ///
    /// # Errors
    /// The error that it reported; `Runtime.ExitError` if it ended; `Sandbox.Timedout` if it had not answered by a
    /// [`Deadline::In`] and was killed; `Runtime.NotJson` if the answer is not JSON.
    pub async fn invoke(&self, payload: &Value, deadline: Deadline) -> Result<Value, FunctionError> {
        let answer = self.invoke_bytes(payload.to_string(), deadline).await?;
        let not_json =
            |e| FunctionError::new("Runtime.NotJson", format!("{e} in {:?}", String::from_utf8_lossy(&answer)));
        serde_json::from_slice(&answer).map_err(not_json)
    }

    /// Invokes it with any bytes.
    ///
    /// # Errors
    /// As [`invoke`](Self::invoke).
    pub async fn invoke_bytes(&self, payload: impl Into<Bytes>, deadline: Deadline) -> Result<Bytes, FunctionError> {
        self.invoke_traced(payload, deadline, None).await
    }

    /// Invokes it with any bytes, in the trace of a header `Root=…;Parent=…;Sampled=1`.
    ///
    /// # Errors
    /// As [`invoke`](Self::invoke).
    pub async fn invoke_traced(
        &self,
        payload: impl Into<Bytes>,
        deadline: Deadline,
        trace: Option<&str>,
    ) -> Result<Bytes, FunctionError> {
        let time = deadline.time();
        let answer = self.shared.submit(payload.into(), deadline, trace);
        tokio::select! {
            // An answer that came before the process ended counts.
            biased;
            answer = answer => match answer {
                Ok(answer) => answer,
                Err(_) => Err(FunctionError::new("Emulator.Stopped", "the Runtime API was stopped")),
            },
            status = self.process.ended() => Err(self.exit_error(status)),
            () = tokio::time::sleep(time) => {
                self.process.kill();
                Err(FunctionError::new("Sandbox.Timedout", format!("Task timed out after {:.2} seconds", time.as_secs_f64())))
            }
        }
    }

    fn exit_error(&self, status: ExitStatus) -> FunctionError {
        if let Some(error) = self.shared.init_error() {
            return error;
        }
        let lines = self.process.lines();
        let tail: Vec<_> = lines.iter().rev().take(5).rev().map(|line| line.text.as_str()).collect();
        FunctionError::new("Runtime.ExitError", format!("the process ended ({status}): {}", tail.join("\n")))
    }

    /// Waits until it asks for its first invocation, which ends the initialisation.
    ///
    /// # Errors
    /// The error that it reported to `init/error`, or that it ended.
    pub async fn ready(&self) -> Result<(), FunctionError> {
        tokio::select! {
            biased;
            () = self.shared.ready() => Ok(()),
            status = self.process.ended() => Err(self.exit_error(status)),
            () = tokio::time::sleep(PATIENCE) =>
                Err(FunctionError::new("Emulator.NoAnswer", format!("not ready within {PATIENCE:?}"))),
        }
    }

    /// Returns the time from its start until it asked for its first invocation.
    pub fn time_to_ready(&self) -> Option<Duration> {
        self.shared.ready_at().map(|at| at.duration_since(self.spawned))
    }

    /// Returns the time from its start until its first answer, which may be an error.
    pub fn time_to_first_answer(&self) -> Option<Duration> {
        self.shared.answered_at().map(|at| at.duration_since(self.spawned))
    }

    /// Returns the error that it reported to `init/error`.
    pub fn init_error(&self) -> Option<FunctionError> {
        self.shared.init_error()
    }

    /// Returns the id of the process.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Returns its resident memory in bytes.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn resident_bytes(&self) -> Result<u64> {
        self.process.resident_bytes()
    }

    /// Returns the most memory that it ever had resident, in bytes.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn peak_bytes(&self) -> Result<u64> {
        self.process.peak_bytes()
    }

    /// Returns the number of its open file descriptors.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn descriptors(&self) -> Result<usize> {
        self.process.descriptors()
    }

    /// Returns the lines that it has written so far, in the order of their arrival.
    pub fn lines(&self) -> Vec<Line> {
        self.process.lines()
    }

    /// Forgets what it has written so far.
    pub fn forget_lines(&self) {
        self.process.forget_lines();
    }

    /// Waits a few seconds for a line: output may arrive after the answer.
    pub async fn line(&self, wanted: impl Fn(&str) -> bool) -> Option<String> {
        self.process.line(wanted).await
    }

    /// Stops all its threads, as Lambda does between invocations.
    ///
    /// # Errors
    /// If the process has ended.
    pub async fn freeze(&self) -> Result<()> {
        self.process.freeze().await
    }

    /// Lets it run again.
    ///
    /// # Errors
    /// If the process has ended.
    pub fn thaw(&self) -> Result<()> {
        self.process.thaw()
    }

    /// Kills it with SIGKILL, frozen or not.
    pub fn kill(&self) {
        self.process.kill();
    }

    /// Sends SIGTERM and waits for its end.
    ///
    /// # Errors
    /// If it does not, or has ended before.
    pub async fn terminate(&self) -> Result<ExitStatus> {
        self.process.terminate().await
    }

    /// Returns its exit status, if it has ended.
    pub fn exit_status(&self) -> Option<ExitStatus> {
        self.process.exit_status()
    }
}
