//! What the tests that cross crates have in common: they run the real `stagehost` binary, as a person would.

pub mod package;
pub mod runtime_api;
pub mod seaweed;
pub mod statistics;

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The top level of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// A file or folder below the top level.
pub fn file(path: &str) -> PathBuf {
    repository().join(path)
}

/// A folder of the media that may not be in the repository; `None`, and a line that says so, where it is absent.
pub fn media(folder: &str) -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("STAGEHOST_MEDIA").unwrap_or_default()).join(folder);
    if path.is_dir() {
        return Some(path);
    }
    println!("skipped: there is no {path:?} (STAGEHOST_MEDIA)");
    None
}

/// The `stagehost` binary that cargo built together with these tests.
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
    /// The document on standard output; null if there is none.
    pub json: Value,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// What the callback says of a file, by the end of its key.
    pub fn output(&self, name: &str) -> &Value {
        let outputs = self.json["outputs"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ends = |output: &&Value| output["rawKey"].as_str().is_some_and(|key| key.ends_with(&format!("/{name}")));
        outputs
            .iter()
            .find(ends)
            .unwrap_or_else(|| panic!("{name} is not in the callback: {:#}\n{}", self.json, self.stderr))
    }
}

/// `stagehost run --json` with these arguments.
pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Result<Ran> {
    ran(&mut run_command(arguments))
}

/// The command of [`run`], not started yet.
pub fn run_command<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(binary());
    command.arg("run").args(["--json", "--quiet"]).args(arguments);
    command
}

/// Waits for the end of a [`run_command`].
pub fn ran(command: &mut Command) -> Result<Ran> {
    let output = command.output().context("starting stagehost")?;
    let stdout = String::from_utf8_lossy(&output.stdout);
    Ok(Ran {
        code: output.status.code().unwrap_or(-1),
        json: serde_json::from_str(&stdout).unwrap_or(Value::Null),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// A folder for what tests and benchmarks install; `tests/run` uses the same.
///
/// # Errors
/// If there is no home to put it in.
pub fn cache() -> Result<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    let folder = base.context("neither XDG_CACHE_HOME nor HOME is set")?.join("stagehost-tests");
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

/// A Python that has ministack: `STAGEHOST_MINISTACK_PYTHON`, or the one that `tests/run` makes.
///
/// # Errors
/// If there is none.
pub fn ministack_python() -> Result<PathBuf> {
    let python = match std::env::var_os("STAGEHOST_MINISTACK_PYTHON") {
        Some(python) => python.into(),
        None => cache()?.join("ministack/bin/python"),
    };
    ensure!(
        python.is_file(),
        "there is no {}; run the tests with tests/run, which makes it, or set STAGEHOST_MINISTACK_PYTHON to a Python with \
         ministack 1.5.33",
        python.display()
    );
    Ok(python)
}

/// Runs a script of `tests/python` and shows what it says.
///
/// # Errors
/// What it said, if it failed.
pub fn run_script(python: impl AsRef<OsStr>, script: &str, arguments: &[&Path]) -> Result<()> {
    let ran = Command::new(python)
        // No byte code is left in the checkout.
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

/// A component of `tests/guests`, built once per test process.
pub fn guest(name: &str) -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let build = || -> Result<PathBuf> {
        // Beside the tests, so that the procedural macros are those which the stages were built with.
        let target = binary().parent().and_then(Path::parent).map(Path::to_owned).context("no target folder")?;
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(["build", "--release", "--quiet", "--target", "wasm32-wasip2", "--target-dir"]).arg(&target);
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

/// A process that does not outlive the test.
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
    /// What it said of itself: `endpoint`, `stateMachineArn`, …
    pub facts: Value,
}

impl Serve {
    /// Starts it over a folder.
    ///
    /// # Errors
    /// If it ends before it says where it is.
    pub fn start(out: &Path) -> Result<Self> {
        let child = Command::new(binary())
            .args(["serve", "--port", "0", "--json", "--out"])
            .arg(out)
            .stdout(Stdio::piped())
            .spawn()
            .context("starting stagehost serve")?;
        let mut child = Running(child);
        let stdout = child.0.stdout.take().context("no standard output")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let facts = serde_json::from_str(&line).with_context(|| format!("serve said {line:?}"))?;
        Ok(Self { _child: child, facts })
    }

    /// `http://127.0.0.1:PORT`
    pub fn endpoint(&self) -> &str {
        self.facts["endpoint"].as_str().unwrap_or_default()
    }
}
