//! `stagehost serve --stage STATE=FILE` follows the file: a new component is pinned by the next revision, and what cannot be
//! used leaves the old one in force.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use stagehost_runtime::StageIdentity;
use stagehost_tests::{Serve, guest};

/// How long a swap may take on a busy machine: the component is compiled first.
const PATIENCE: Duration = Duration::from_secs(120);

/// Returns the revision of the pins, and the digest that is pinned to the state.
fn pinned(out: &Path) -> Result<(u64, String)> {
    let pins: Value = serde_json::from_slice(&fs::read(out.join(".stagehost/pins.json"))?)?;
    let digest = pins["states"]["GenerateThumbnails"]["digest"].as_str().context("no digest")?;
    Ok((pins["revision"].as_u64().context("no revision")?, digest.to_owned()))
}

fn wait_for(what: &str, done: impl Fn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !done()? {
        ensure!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

#[test]
fn a_component_that_changes_is_pinned_and_one_that_cannot_be_used_is_not() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (out, component, said) =
        (folder.path().join("out"), folder.path().join("stage.wasm"), folder.path().join("said"));
    let [first, second] = ["empty_asset", "version_asset"].map(|name| fs::read(guest(name).unwrap()).unwrap());
    fs::write(&component, &first)?;
    let stage = format!("GenerateThumbnails={}", component.display());
    let stderr = fs::File::create(&said)?;
    let serve = Serve::start_with(&out, |command| {
        command.args(["--stage", &stage]).stderr(Stdio::from(stderr));
    })?;
    let (revision, digest) = pinned(&out)?;
    assert_eq!(digest, StageIdentity::digest_of(&first));

    fs::write(&component, &second)?;
    wait_for("the swap", || Ok(pinned(&out)? == (revision + 1, StageIdentity::digest_of(&second))))?;

    fs::write(&component, b"no component")?;
    wait_for("the refusal", || Ok(fs::read_to_string(&said)?.contains("GenerateThumbnails keeps its stage")))?;
    assert_eq!(pinned(&out)?, (revision + 1, StageIdentity::digest_of(&second)));
    drop(serve);
    Ok(())
}
