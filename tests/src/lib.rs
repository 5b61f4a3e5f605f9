//! Helpers for the tests that cross crates. They run the real `stagehost` binary, as a person does.

pub mod author;
pub mod bench;
pub mod campaign;
pub mod cost_durations;
pub mod measured;
pub mod package;
pub mod proc_memory;
pub mod runtime_api;
pub mod seaweed;
pub mod statistics;
pub mod versions;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stagehost_needs::{MINISTACK, python_with};

/// Returns the top level of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// Returns the path of a file or folder below the top level.
pub fn file(path: &str) -> PathBuf {
    repository().join(path)
}

/// Returns the `stagehost` binary that cargo built together with these tests, or the one that `STAGEHOST_BIN` names.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("STAGEHOST_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().unwrap_or_default();
    let found = test.ancestors().map(|folder| folder.join("stagehost")).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("no stagehost beside {}; run the tests with tests/run", test.display()))
}

/// How a run ended.
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// The document on standard output; null if it is not JSON.
    pub json: Value,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Returns the callback's entry for a file. Panics if it has none.
    pub fn output(&self, name: &str) -> &Value {
        let outputs = self.json["outputs"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ends = |output: &&Value| output["rawKey"].as_str().is_some_and(|key| key.ends_with(&format!("/{name}")));
        outputs
            .iter()
            .find(ends)
            .unwrap_or_else(|| panic!("{name} is not in the callback: {:#}\n{}", self.json, self.stderr))
    }
}

/// Runs `stagehost run --json` with these arguments.
pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<Ran> {
    ran(&mut run_command(arguments))
}

/// Returns the command of [`run`], not started yet.
pub fn run_command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(binary());
    command.arg("run").args(["--json", "--quiet"]).args(arguments);
    command
}

/// Runs a [`run_command`] to its end.
pub fn ran(command: &mut Command) -> Result<Ran> {
    let output = command.output().context("starting stagehost")?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    Ok(Ran {
        code: output.status.code().unwrap_or(-1),
        json: serde_json::from_str(&stdout).unwrap_or(Value::Null),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Returns the folder for what tests and benchmarks install; `tests/run` uses the same.
///
/// # Errors
/// If it cannot be made.
pub fn cache() -> Result<PathBuf> {
    let folder = stagehost_needs::cache().map_err(anyhow::Error::msg)?;
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

/// Returns the Python that `STAGEHOST_MINISTACK_PYTHON` names or `tests/run` makes; `None` if the test is skipped without
/// it.
///
/// # Errors
/// If there is no folder to look in.
#[track_caller]
pub fn ministack_python() -> Result<Option<PathBuf>> {
    let made = cache()?.join("ministack/bin/python");
    Ok(python_with(&MINISTACK, "STAGEHOST_MINISTACK_PYTHON", &made, "ministack, boto3"))
}

/// Runs a script of `tests/python` and prints its output.
///
/// # Errors
/// If it fails; the error has its output.
pub fn run_script(python: impl AsRef<OsStr>, script: &str, arguments: &[&Path]) -> Result<()> {
    let ran = Command::new(python)
        // Python leaves no byte code in the checkout.
        .arg("-B")
        .arg(file("tests/python").join(script))
        .args(arguments)
        .output()
        .with_context(|| format!("starting {script}"))?;
    let said = String::from_utf8_lossy(&ran.stdout);
    println!("{said}");
    ensure!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
    Ok(())
}

/// Returns a component of `tests/guests`. They are built once per test process.
pub fn guest(name: &str) -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let build = || -> Result<PathBuf> {
        // Beside the tests, so that the procedural macros are those which the stages were built with.
        let target = binary().parent().and_then(Path::parent).map(Path::to_owned).context("no target folder")?;
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(["build", "--release", "--quiet", "--target", "wasm32-wasip2", "--target-dir"]).arg(&target);
        command.args(["--package", "stage-macro-features"]);
        for guest in std::fs::read_dir(file("tests/guests"))? {
            command.arg("--package").arg(guest?.file_name());
        }
        let output = command.current_dir(repository()).output().context("starting cargo")?;
        ensure!(output.status.success(), "the guests do not build: {}", String::from_utf8_lossy(&output.stderr));
        Ok(target.join("wasm32-wasip2/release"))
    };
    let folder = BUILT.get_or_init(|| build().map_err(|e| format!("{e:#}"))).clone().map_err(anyhow::Error::msg)?;
    Ok(folder.join(format!("{name}.wasm")))
}

/// A process that is killed when this is dropped.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `stagehost serve` on a free port; stopped when it is dropped.
pub struct Serve {
    _child: Running,
    /// What it printed at its start: `endpoint`, `stateMachineArn`, …
    pub facts: Value,
}

impl Serve {
    /// Starts it over a folder.
    ///
    /// # Errors
    /// If it ends before it has printed its address.
    pub fn start(out: &Path) -> Result<Self> {
        Self::start_with(out, |_| {})
    }

    /// Starts it over a folder, with changes to its command.
    ///
    /// # Errors
    /// If it ends before it has printed its address.
    pub fn start_with(out: &Path, change: impl FnOnce(&mut Command)) -> Result<Self> {
        let mut command = Command::new(binary());
        command.args(["serve", "--port", "0", "--json", "--out"]).arg(out).stdout(Stdio::piped());
        change(&mut command);
        let mut child = Running(command.spawn().context("starting stagehost serve")?);
        let stdout = child.0.stdout.take().context("no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let facts = serde_json::from_str(&line).with_context(|| format!("serve printed {line:?}"))?;
        Ok(Self { _child: child, facts })
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> &str {
        self.facts["endpoint"].as_str().unwrap_or_default()
    }
}
