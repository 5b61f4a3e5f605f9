//! Does what a page tells its reader, block after block, in a temporary folder that looks like a checkout.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use stagehost_tests::{Running, binary, cache, file};

use crate::blocks::{Block, Note};

/// The longest that one block may take: a build of a stage, or a run with videos on a busy machine.
const LONGEST: Duration = Duration::from_secs(900);

/// What a page uses of the repository. Copies, so that no page can change the repository.
const COPIED: [&str; 3] = ["samples", "statemachine", "wit"];

/// A reader of one page.
pub struct Reader {
    folder: tempfile::TempDir,
    /// The port that the page names, and the one that is used instead.
    port: Option<(u16, u16)>,
    background: Vec<Running>,
}

impl Reader {
    /// A reader at the top of a checkout, with `stagehost`, `cargo` and `aws` on the PATH.
    pub fn new() -> Result<Self> {
        let reader = Self { folder: tempfile::tempdir()?, port: None, background: Vec::new() };
        for folder in ["bin", "home", "tmp", "state", "stagehost"] {
            fs::create_dir(reader.path(folder))?;
        }
        for folder in COPIED {
            copy(&file(folder), &reader.checkout().join(folder))?;
        }
        fs::write(reader.path("state/cwd"), reader.checkout().display().to_string())?;
        fs::write(reader.path("state/env"), "")?;
        reader.install_commands()?;
        Ok(reader)
    }

    /// A path in the reader's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The top of the checkout.
    pub fn checkout(&self) -> PathBuf {
        self.path("stagehost")
    }

    /// The folder in which the next block is run.
    pub fn current_folder(&self) -> Result<PathBuf> {
        Ok(fs::read_to_string(self.path("state/cwd"))?.trim_end().into())
    }

    /// Does what a block says.
    ///
    /// Errors: if it fails, or the test does not know how to run it.
    pub fn follow(&mut self, block: &Block) -> Result<()> {
        if let Note::PartOf(name) = &block.note {
            let whole = fs::read_to_string(file(name)).with_context(|| name.clone())?;
            ensure!(is_part_of(&block.text, &whole), "it is not a part of {name}, word for word");
            return Ok(());
        }
        let text = self.adapted(&block.text);
        if let Some(name) = block.file() {
            if block.language == "json" {
                serde_json::from_str::<Value>(&text)?;
            }
            let path = self.current_folder()?.join(name);
            return fs::write(&path, text).with_context(|| format!("writing {}", path.display()));
        }
        match (block.language.as_str(), &block.note) {
            ("sh", Note::Background(port)) => self.start(&text, *port),
            ("sh", Note::Exits(code)) => self.run_shell(&text, *code),
            ("sh", _) => self.run_shell(&text, 0),
            ("python", _) => self.run(Command::new(python()?).arg("-c").arg(&text), 0),
            ("json", _) => serde_json::from_str::<Value>(&text).map(drop).map_err(Into::into),
            ("text", _) => no_commands(&text),
            ("", _) => bail!("the block has no language; `text` is for output and drawings"),
            (other, _) => {
                bail!("no way to run a block of {other:?}; mark it with <!-- not run: REASON --> if it must stay")
            }
        }
    }

    /// Runs commands that no page has.
    pub fn run_shell(&self, commands: &str, code: i32) -> Result<()> {
        let state = self.path("state");
        let state = state.display();
        let script = format!(
            "set -euo pipefail\ncd \"$(cat {state}/cwd)\"\nsource {state}/env\n\
             trap 'pwd > {state}/cwd; export -p > {state}/env' EXIT\n{commands}"
        );
        self.run(Command::new("bash").arg("-c").arg(script), code)
    }

    fn run(&self, command: &mut Command, code: i32) -> Result<()> {
        let (out, err) = (self.path("state/stdout"), self.path("state/stderr"));
        command.stdout(fs::File::create(&out)?).stderr(fs::File::create(&err)?);
        let mut child = Running(self.surroundings(command)?.spawn()?);
        let ended = wait(&mut child.0)?;
        if ended != Some(code) {
            let ended = ended.map_or("did not end in time".to_owned(), |code| format!("ended with exit code {code}"));
            bail!("{ended} instead of {code}:\n{}\n{}", tail(&out), tail(&err));
        }
        Ok(())
    }

    fn start(&mut self, command: &str, documented: u16) -> Result<()> {
        ensure!(command.trim() == "stagehost serve", "only `stagehost serve` is known to run in the background");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let err = self.path("state/serve");
        let mut serve = Command::new(self.path("bin/stagehost"));
        serve.args(["serve", "--port", &port.to_string()]).stdout(Stdio::null()).stderr(fs::File::create(&err)?);
        let mut child = Running(self.surroundings(&mut serve)?.spawn()?);
        let deadline = Instant::now() + LONGEST;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = child.0.try_wait()?.is_some();
            ensure!(!ended && Instant::now() < deadline, "`stagehost serve` does not listen:\n{}", tail(&err));
            std::thread::sleep(Duration::from_millis(100));
        }
        self.background.push(child);
        self.port = Some((documented, port));
        Ok(())
    }

    /// The text with the reader's own port and temporary folder.
    fn adapted(&self, text: &str) -> String {
        let text = text.replace("/tmp/", &format!("{}/", self.path("tmp").display()));
        match self.port {
            Some((documented, port)) => text.replace(&documented.to_string(), &port.to_string()),
            None => text,
        }
    }

    /// A person's shell: a home of its own, none of the test run's settings.
    fn surroundings<'a>(&self, command: &'a mut Command) -> Result<&'a mut Command> {
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let of_the_host = ["TRUSTED_KEYS", "MEDIA_KMS_KEY_ID", "MEDIA_BUCKET", "PINS", "REGISTRY"];
            if name.starts_with("AWS_") || name.starts_with("STAGEHOST_") || of_the_host.contains(&name.as_str()) {
                command.env_remove(name);
            }
        }
        let home = PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?);
        for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup"), ("XDG_CACHE_HOME", ".cache")] {
            // What is downloaded and compiled there is the same for everyone.
            command.env(name, std::env::var_os(name).unwrap_or_else(|| home.join(folder).into()));
        }
        let path = std::env::var("PATH").unwrap_or_default();
        Ok(command
            .env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("HOME", self.path("home"))
            .env("USER", "reader")
            .env("CARGO", real_cargo()?)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env_remove("XDG_CONFIG_HOME")
            .stdin(Stdio::null())
            .current_dir(self.current_folder()?))
    }

    fn install_commands(&self) -> Result<()> {
        let stagehost = binary();
        let bootstrap = stagehost.with_file_name("bootstrap");
        // The function's binary was built together with the tests; a package does not build it once more.
        self.install(
            "stagehost",
            &format!(
                "if [ \"${{1:-}}\" = package ]; then set -- \"$@\" --bootstrap '{}'; fi\nexec '{}' \"$@\"",
                bootstrap.display(),
                stagehost.display()
            ),
        )?;
        // `cargo run` has been done. A stage is built with the versions of the workspace, which are downloaded already, in the
        // target directory of the tests, where what it depends on is compiled already.
        let test = std::env::current_exe()?;
        let target = test.ancestors().nth(3).context("the test is in no target folder")?;
        self.install(
            "cargo",
            &format!(
                "if [ \"${{1:-}} ${{2:-}} ${{3:-}}\" = 'run --release --' ]; then shift 3; exec stagehost \"$@\"; fi\n\
                 [ -e Cargo.lock ] || cp '{}' Cargo.lock\n[ -e target ] || ln -s '{}' target\n\
                 unset CARGO_TARGET_DIR RUSTFLAGS CARGO_ENCODED_RUSTFLAGS CARGO_BUILD_TARGET\n\
                 exec '{}' \"$@\" --offline",
                file("Cargo.lock").display(),
                target.display(),
                real_cargo()?.display()
            ),
        )?;
        self.install("aws", &format!("exec '{}' -m awscli \"$@\"", python()?.display()))
    }

    fn install(&self, name: &str, script: &str) -> Result<()> {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/usr/bin/env bash\n{script}\n"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(())
    }
}

/// A Python with boto3 and the AWS CLI: `STAGEHOST_PYTHON`, or the one that `tests/run` makes.
pub fn python() -> Result<PathBuf> {
    let python = match std::env::var_os("STAGEHOST_PYTHON") {
        Some(python) => python.into(),
        None => cache()?.join("venv/bin/python"),
    };
    ensure!(python.is_file(), "there is no {}; run the tests with tests/run, which makes it", python.display());
    Ok(python)
}

fn real_cargo() -> Result<PathBuf> {
    let named = std::env::var_os("CARGO").map(PathBuf::from).filter(|path| path.is_absolute());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = || std::env::split_paths(&path).map(|folder| folder.join("cargo")).find(|path| path.is_file());
    named.or_else(found).context("cargo is not on the PATH")
}

/// The exit code; `None`, and the child is ended, if it takes too long.
fn wait(child: &mut Child) -> Result<Option<i32>> {
    let deadline = Instant::now() + LONGEST;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status.code().unwrap_or(-1)));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(None)
}

/// The end of a file, for a message.
fn tail(path: &Path) -> String {
    let text = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&text[text.len().saturating_sub(4000)..]).into_owned()
}

/// Returns whether a block has some lines of a file, one after the other.
fn is_part_of(block: &str, whole: &str) -> bool {
    !block.trim().is_empty() && format!("\n{whole}").contains(&format!("\n{block}"))
}

#[test]
fn a_part_of_a_file_is_whole_lines_of_it() {
    let whole = "fn f() {\n    g();\n}\n";
    assert!(is_part_of("fn f() {\n", whole) && is_part_of("    g();\n}\n", whole));
    assert!(!is_part_of("g();\n", whole) && !is_part_of("fn f() {\n}\n", whole) && !is_part_of("\n", whole));
}

/// Output and drawings need not be run; a command in them would never be.
fn no_commands(text: &str) -> Result<()> {
    let command = |line: &&str| {
        let word = line.trim_start().trim_start_matches("$ ").split(' ').next().unwrap_or_default();
        matches!(word, "stagehost" | "cargo" | "aws" | "curl")
    };
    match text.lines().find(command) {
        Some(line) => bail!("a command in a block of text: {line}; make it a block of sh"),
        None => Ok(()),
    }
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() { copy(&source, &target)? } else { fs::copy(&source, &target).map(drop)? }
    }
    Ok(())
}
