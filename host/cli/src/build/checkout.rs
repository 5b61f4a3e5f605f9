//! The checkout: the stages' sources and the state machine. Stages that are older than their sources are built again, so
//! that the code that runs is the code that you read.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::exit::usage;
use crate::output::printer::Printer;

/// The stages of a release, by the name of their package's folder.
pub const STAGES: [&str; 5] = ["validate", "thumbnails", "transcode", "zip", "callback"];

/// The target that a plain `cargo build` makes components for.
pub const TARGET: &str = "wasm32-wasip2";

/// A folder with `stages/`, `wit/` and `statemachine/`.
pub struct Checkout {
    root: PathBuf,
}

impl Checkout {
    /// Returns `STAGEHOST_HOME`, or the checkout that this binary was built in.
    ///
    /// # Errors
    /// If neither exists.
    pub fn find() -> Result<Self> {
        Self::if_any()?.ok_or_else(|| {
            usage!(
                "the checkout that stagehost was built in is gone; set STAGEHOST_HOME to one, or name the components \
                 with --stages DIR and the state machine with --state-machine FILE"
            )
        })
    }

    /// Returns the checkout, or `None` if there is none: for commands that can work without it.
    ///
    /// # Errors
    /// If `STAGEHOST_HOME` is set, but is not a checkout.
    pub fn if_any() -> Result<Option<Self>> {
        if let Some(root) = std::env::var_os("STAGEHOST_HOME") {
            let root = PathBuf::from(root);
            if !root.join("stages").is_dir() {
                return Err(usage!("STAGEHOST_HOME is {}, but there is no stages/ in it", root.display()));
            }
            return Ok(Some(Self { root }));
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        Ok(root.canonicalize().ok().filter(|root| root.join("stages").is_dir()).map(|root| Self { root }))
    }

    /// Returns the file of the state machine that is deployed.
    pub fn state_machine(&self) -> PathBuf {
        self.root.join("statemachine/media-processing.asl.json")
    }

    /// Returns the top folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns cargo's target directory of the checkout. The stages are built in it too, in the host's profile, so that
    /// procedural macros are compiled once for both.
    pub fn target_dir(&self) -> PathBuf {
        let base = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), PathBuf::from);
        if base.is_absolute() { base } else { self.root.join(base) }
    }

    /// Returns the folder of components, after building them if any source is newer.
    ///
    /// # Errors
    /// If cargo or the target is missing, or a stage does not compile; cargo's output is on standard error.
    pub async fn built_stages(&self, printer: &Printer) -> Result<PathBuf> {
        let folder = self.target_dir().join(TARGET).join("release");
        let oldest = STAGES.iter().map(|stage| modified(&folder.join(file_name(stage)))).min().flatten();
        let newest = ["stages", "wit", ".cargo", "Cargo.lock", "Cargo.toml", "rust-toolchain.toml"]
            .iter()
            .filter_map(|source| newest_in(&self.root.join(source)))
            .max();
        if oldest.is_none() || oldest < newest {
            self.build(printer).await?;
            for stage in STAGES {
                // Cargo does not touch a component whose own sources did not change.
                let file = std::fs::File::options().append(true).open(folder.join(file_name(stage)));
                file.and_then(|file| file.set_modified(SystemTime::now()))
                    .with_context(|| format!("cargo built no {}", file_name(stage)))?;
            }
        }
        Ok(folder)
    }

    async fn build(&self, printer: &Printer) -> Result<()> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let work = printer.begin("building the stages");
        let mut command = Command::new(cargo);
        command.args(["build", "--release", "--quiet", "--target", TARGET, "--target-dir"]).arg(self.target_dir());
        // With this one, the procedural macros are those that the host was built with.
        command.args(["--package", "stage-macro-features"]);
        for stage in STAGES {
            command.args(["--package", &format!("stage-{stage}")]);
        }
        // RUSTFLAGS of the environment would replace those of .cargo/config.toml, SIMD among them.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        command.current_dir(&self.root).stdin(Stdio::null()).kill_on_drop(true);
        let output = command.output().await.context(
            "cargo is needed to build the stages and could not be run; install Rust, or name built components with \
             --stages DIR",
        )?;
        if !output.status.success() {
            let errors = String::from_utf8_lossy(&output.stderr);
            printer.problem(format_args!("cargo failed:\n{}", errors.trim_end()));
            if errors.contains("can't find crate for `std`") || errors.contains("target may not be installed") {
                bail!("the target {TARGET} is not installed; run `rustup target add {TARGET}`, or use --setup");
            }
            bail!("the stages do not compile; cargo's output is above");
        }
        work.done();
        Ok(())
    }
}

/// Returns the name of the file that cargo makes of a stage's package.
pub fn file_name(stage: &str) -> String {
    format!("stage_{}.wasm", stage.replace('-', "_"))
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|m| m.modified()).ok()
}

/// Returns when the newest file or folder in a folder was changed, the folder itself included; `None` if there is none.
pub fn newest_in(path: &Path) -> Option<SystemTime> {
    let own = modified(path);
    let Ok(entries) = std::fs::read_dir(path) else { return own };
    entries.flatten().map(|entry| newest_in(&entry.path())).chain([own]).flatten().max()
}
