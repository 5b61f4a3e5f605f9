//! Where the project's own files are: the stages' sources and the state machine. In a checkout the stages are built when
//! they are older than their sources, so that what runs is what one reads.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

use crate::exit::usage;

/// The stages of a release, by the name of their package's folder.
pub const STAGES: [&str; 5] = ["validate", "thumbnails", "transcode", "zip", "callback"];

/// The target that a plain `cargo build` makes components for.
pub const TARGET: &str = "wasm32-wasip2";

/// A folder with `stages/`, `wit/` and `statemachine/`.
pub struct Checkout {
    root: PathBuf,
}

impl Checkout {
    /// `STAGEHOST_HOME`, or the checkout that this binary was built in.
    ///
    /// # Errors
    /// If neither is there.
    pub fn find() -> Result<Self> {
        Self::if_any()?.ok_or_else(|| {
            usage!(
                "the checkout that stagehost was built in is gone; set STAGEHOST_HOME to one, or name the components \
                 with --stages DIR and the state machine with --state-machine FILE"
            )
        })
    }

    /// The same for what a binary can do alone.
    ///
    /// # Errors
    /// If `STAGEHOST_HOME` is set to something else.
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

    /// The state machine that is deployed.
    pub fn state_machine(&self) -> PathBuf {
        self.root.join("statemachine/media-processing.asl.json")
    }

    /// The top level.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo builds `what`: beside the host's own build, so that neither waits for the other's lock.
    pub fn target_dir(&self, what: &str) -> PathBuf {
        let base = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| self.root.join("target"), PathBuf::from);
        if base.is_absolute() { base.join(what) } else { self.root.join(base).join(what) }
    }

    /// The components, built if any source is newer.
    ///
    /// # Errors
    /// If cargo or the target is missing, or a stage does not compile; cargo's own words are on standard error.
    pub fn built_stages(&self, quiet: bool) -> Result<PathBuf> {
        let folder = self.target_dir("stages").join(TARGET).join("stage");
        let oldest = STAGES.iter().map(|stage| modified(&folder.join(file_name(stage)))).min().flatten();
        let newest = ["stages", "wit", ".cargo", "Cargo.lock", "Cargo.toml", "rust-toolchain.toml"]
            .iter()
            .filter_map(|source| newest_in(&self.root.join(source)))
            .max();
        if oldest.is_none() || oldest < newest {
            self.build(quiet)?;
            for stage in STAGES {
                // Cargo leaves a component alone whose own sources did not change; it is up to date all the same.
                let file = std::fs::File::options().append(true).open(folder.join(file_name(stage)));
                file.and_then(|file| file.set_modified(SystemTime::now()))
                    .with_context(|| format!("cargo built no {}", file_name(stage)))?;
            }
        }
        Ok(folder)
    }

    fn build(&self, quiet: bool) -> Result<()> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        bar.set_style(ProgressStyle::with_template("{spinner} {msg} [{elapsed}]")?);
        bar.set_message("building the stages, once");
        bar.enable_steady_tick(std::time::Duration::from_millis(120));
        let mut command = Command::new(cargo);
        command
            .args(["build", "--profile", "stage", "--quiet", "--target", TARGET, "--target-dir"])
            .arg(self.target_dir("stages"));
        for stage in STAGES {
            command.args(["--package", &format!("stage-{stage}")]);
        }
        // RUSTFLAGS of the environment would replace those of .cargo/config.toml, SIMD among them.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        let output = command.current_dir(&self.root).stdin(Stdio::null()).output().context(
            "cargo is needed to build the stages and could not be run; install Rust, or name built components with \
             --stages DIR",
        )?;
        bar.finish_and_clear();
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            eprintln!("{}", said.trim_end());
            if said.contains("can't find crate for `std`") || said.contains("target may not be installed") {
                bail!("the target {TARGET} is not installed; run `rustup target add {TARGET}`, or use --setup");
            }
            bail!("the stages do not compile; cargo's words are above");
        }
        Ok(())
    }
}

/// The file that cargo makes of a stage's package.
pub fn file_name(stage: &str) -> String {
    format!("stage_{}.wasm", stage.replace('-', "_"))
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|m| m.modified()).ok()
}

fn newest_in(path: &Path) -> Option<SystemTime> {
    let own = modified(path);
    let Ok(entries) = std::fs::read_dir(path) else { return own };
    entries.flatten().map(|entry| newest_in(&entry.path())).chain([own]).flatten().max()
}
