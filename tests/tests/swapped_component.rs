//! `stagehost serve --stage STATE=FILE` follows the file: a new component is pinned by the next revision, and what cannot be
//! used leaves the old one in force.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stagehost_runtime::StageIdentity;
use stagehost_tests::{Serve, binary, file, guest};

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

#[tokio::test]
async fn a_component_that_was_swapped_in_is_kept_beside_the_records_of_its_calls() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let (out, component, records) = (path("out"), path("stage.wasm"), path("records"));
    let [first, second] = ["empty_asset", "version_asset"].map(|name| fs::read(guest(name).unwrap()).unwrap());
    fs::write(&component, first)?;
    let stage = format!("GenerateThumbnails={}", component.display());
    let serve = Serve::start_with(&out, |command| {
        command.args(["--stage", &stage, "--record"]).arg(&records);
    })?;
    fs::write(&component, &second)?;
    wait_for("the swap", || Ok(pinned(&out)?.1 == StageIdentity::digest_of(&second)))?;

    let key = "51/raw/photo/horizontal/2026-01-01/kitchen.jpg";
    let object = out.join("toq-listing-medias").join(key);
    fs::create_dir_all(object.parent().context("a key has folders")?)?;
    fs::copy(file("samples/listing/kitchen.jpg"), object)?;
    let batch = json!({"jobId": 4, "batchId": 5, "listingId": 51, "assets": [key], "retry": 0}).to_string();
    let url = format!("{}/api/v1/listings/51/media/batch", serve.endpoint());
    let answer = reqwest::Client::new().post(url).body(batch).send().await?;
    ensure!(answer.status() == 202, "{answer:?}");
    let blob = StageIdentity::digest_of(&second).replace("sha256:", "blobs/sha256/");
    wait_for("the record", || Ok(records.join(&blob).is_file() && has_record(&records.join("records"))?))?;
    drop(serve);

    // The component's file may be gone by then.
    fs::remove_file(&component)?;
    let replayed = Command::new(binary()).args(["replay", "--state", "GenerateThumbnails"]).arg(&records).output()?;
    let said = String::from_utf8_lossy(&replayed.stderr);
    ensure!(replayed.status.success(), "{}{said}", String::from_utf8_lossy(&replayed.stdout));
    Ok(())
}

/// Whether a call of the swapped stage has been recorded.
fn has_record(folder: &Path) -> Result<bool> {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry?.path();
        let inside = path.components().any(|part| part.as_os_str() == "GenerateThumbnails");
        if path.is_dir() && has_record(&path)? || inside && path.extension().is_some_and(|end| end == "json") {
            return Ok(true);
        }
    }
    Ok(false)
}
