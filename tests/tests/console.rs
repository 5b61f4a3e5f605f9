//! The console in a browser: `tests/python/console_pages.py` and `console_pins.py` use it as a person does.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use stagehost_needs::{BROWSER, python_with};
use stagehost_tests::{Running, Serve, binary, cache, file, run_script};

/// What drives the browser, besides Python.
struct Tools {
    axe: PathBuf,
    chromium: PathBuf,
}

impl Tools {
    /// Writes a file with their places into a folder. Returns the file.
    fn write(&self, folder: &Path) -> Result<PathBuf> {
        let file = folder.join("tools.json");
        std::fs::write(&file, json!({"axe": self.axe, "chromium": self.chromium}).to_string())?;
        Ok(file)
    }
}

/// Returns a Python with playwright and the tools; `None` if the test is to be skipped.
fn browser() -> Result<Option<(PathBuf, Tools)>> {
    let cache = cache()?;
    let python = python_with(&BROWSER, "STAGEHOST_BROWSER_PYTHON", &cache.join("browser/bin/python"), "playwright");
    let axe = cache.join("node_modules/axe-core/axe.min.js");
    let axe = BROWSER.or_skip(if axe.is_file() { Ok(axe) } else { Err(format!("there is no {}", axe.display())) });
    let chromium = BROWSER.or_skip(chromium());
    Ok(match (python, axe, chromium) {
        (Some(python), Some(axe), Some(chromium)) => Some((python, Tools { axe, chromium })),
        _ => None,
    })
}

/// Returns the browser.
fn chromium() -> Result<PathBuf, String> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut found = std::env::split_paths(&folders).flat_map(|folder| names.map(|name| folder.join(name)));
    found.find(|path| path.is_file()).ok_or_else(|| "no chromium on the PATH".to_owned())
}

/// Returns where screenshots go: into the folder that `STAGEHOST_PICTURES` names, or into one that goes with the test.
fn pictures(folder: &Path) -> PathBuf {
    std::env::var_os("STAGEHOST_PICTURES").map_or_else(|| folder.join("pictures"), PathBuf::from)
}

/// Returns the component that `stagehost serve` has built for a stage.
fn component(stage: &str) -> Result<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| file("target"), Into::into);
    let built = file("").join(target).join(format!("wasm32-wasip2/release/stage_{stage}.wasm"));
    ensure!(built.is_file(), "there is no {}", built.display());
    Ok(built)
}

fn target() -> &'static str {
    if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" }
}

#[test]
fn a_person_uploads_a_folder_reads_a_failure_and_runs_it_again_in_a_browser() -> Result<()> {
    let Some((python, tools)) = browser()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    let serve = Serve::start(&folder.path().join("out"))?;
    let address = folder.path().join("serve.json");
    std::fs::write(&address, serve.facts.to_string())?;
    let tools = tools.write(folder.path())?;
    run_script(&python, "console_pages.py", &[&address, &file("samples/listing"), &pictures(folder.path()), &tools])
}

/// Somebody who operates an environment: a key, a registry with version 1.5.0 of a stage, and a store of pins.
struct Operator {
    folder: tempfile::TempDir,
    serve: Serve,
}

impl Operator {
    /// Puts the pins of the checkout's components in force. A pipeline of this machine stands in for AWS.
    fn begin() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let serve = Serve::start(&folder.path().join("out"))?;
        let this = Self { folder, serve };
        let pins = this.place("out/.stagehost/pins.json").display().to_string();
        this.done(&["keys", "new", "release"])?;
        this.done(&["pins", "init", "--from", &pins, "--why", "first pins", "--by", "Ada"])?;
        this.publishes("thumbnails")?;
        Ok(this)
    }

    /// Publishes a stage as version 1.5.0.
    fn publishes(&self, stage: &str) -> Result<()> {
        let component = component(stage)?.display().to_string();
        let words = ["--name", stage, "--version", "1.5.0", "--target", target()];
        self.done(&[["stage", "publish", &component].as_slice(), &words].concat())
    }

    /// Starts a pipeline of this machine that follows the pins, and lets the console change them.
    fn followed(&self) -> Result<Serve> {
        Serve::start_with(&self.place("followed"), |command| {
            command.arg("--pins").arg(self.place("pins")).arg("--registry").arg(self.place("registry"));
            command.arg("--keys").arg(self.place("keys")).arg("--allow-changes");
        })
    }

    fn place(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Gives a command the environment of somebody who operates a deployed stack.
    fn equip(&self, command: &mut Command) {
        command.env("STAGEHOST_ENVIRONMENT", "staging").env("STAGEHOST_TARGET", target());
        for (name, folder) in [("KEYS", "keys"), ("REGISTRY", "registry"), ("PINS", "pins")] {
            command.env(format!("STAGEHOST_{name}"), self.place(folder));
        }
        command.env("AWS_ENDPOINT_URL", self.serve.endpoint()).env("AWS_REGION", "us-east-1");
        command.env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
    }

    fn done(&self, words: &[&str]) -> Result<()> {
        let mut command = Command::new(binary());
        self.equip(command.args(words));
        let ran = command.output()?;
        ensure!(ran.status.success(), "{words:?}: {}", String::from_utf8_lossy(&ran.stderr));
        Ok(())
    }

    /// Changes the pins by click at this address. The picture of the page has this name.
    fn clicks(&self, (python, tools): &(PathBuf, Tools), url: &str, picture: &str) -> Result<()> {
        let (url, folder) = (PathBuf::from(url), self.folder.path());
        let picture = pictures(folder).join(picture);
        run_script(python, "console_pins.py", &[&url, &picture, &tools.write(folder)?])
    }
}

#[test]
fn an_operator_sets_a_canary_and_rolls_it_back_by_click() -> Result<()> {
    let Some(browser) = browser()? else { return Ok(()) };
    let operator = Operator::begin()?;
    let arn = operator.serve.facts["stateMachineArn"].as_str().unwrap_or_default();
    let mut command = Command::new(binary());
    command.args(["console", "--state-machine-arn", arn, "--bucket", "toq-listing-medias"]);
    operator.equip(command.args(["--allow-changes", "--port", "0", "--json"]));
    let mut console = Running(command.stdout(Stdio::piped()).spawn()?);
    let mut line = String::new();
    BufReader::new(console.0.stdout.take().context("no standard output")?).read_line(&mut line)?;
    let facts: Value = serde_json::from_str(&line).with_context(|| format!("console printed {line:?}"))?;
    operator.clicks(&browser, facts["url"].as_str().unwrap_or_default(), "canary-1440-light.png")
}

#[test]
fn serve_changes_the_pins_that_it_follows_by_click() -> Result<()> {
    let Some(browser) = browser()? else { return Ok(()) };
    let operator = Operator::begin()?;
    let follows = operator.followed()?;
    operator.clicks(&browser, follows.facts["console"].as_str().unwrap_or_default(), "canary-in-serve-1440-light.png")
}

#[test]
fn a_shadow_that_makes_other_pictures_is_seen_beside_the_pinned_stage() -> Result<()> {
    let Some((python, tools)) = browser()? else { return Ok(()) };
    let operator = Operator::begin()?;
    operator.publishes("validate")?;
    for state in ["ValidateRawAssets", "GenerateThumbnails"] {
        operator.done(&["pins", "set", state, "1.5.0", "--why", "from the registry", "--by", "Ada"])?;
    }
    let shadow = ["pins", "shadow", "GenerateThumbnails", "1.5.0", "--percent", "100", "--config", "{\"quality\":20}"];
    operator.done(&[shadow.as_slice(), &["--why", "is it as good?", "--by", "Ada"]].concat())?;
    let follows = operator.followed()?;
    let address = operator.place("serve.json");
    std::fs::write(&address, follows.facts.to_string())?;
    let (folder, samples) = (operator.folder.path(), file("samples/listing"));
    run_script(&python, "console_shadow.py", &[&address, &samples, &pictures(folder), &tools.write(folder)?])
}

#[test]
fn serve_changes_pins_only_if_it_follows_a_store() -> Result<()> {
    let ran = Command::new(binary()).args(["serve", "--port", "0", "--allow-changes"]).output()?;
    ensure!(ran.status.code() == Some(2), "{ran:?}");
    ensure!(String::from_utf8_lossy(&ran.stderr).contains("--pins"), "{ran:?}");
    Ok(())
}
