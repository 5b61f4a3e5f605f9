//! Other people's stages. `tests/outside-stage` is a project as an author has it: it uses nothing of this one but a copy of
//! `wit/`. It is built outside the workspace by both tools that authors use, and then runs in the pipeline, as a replacement
//! of one of the five stages and in a new state.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stagehost_tests::{Ran, binary, file, run};

const PHOTOS: [&str; 2] = ["kitchen.jpg", "staircase.jpg"];
const BOXES: [&str; 3] = ["320x240", "640x480", "1280x960"];

/// A tool and the component that it built.
type Built = (&'static str, PathBuf);

/// The stage, built once by each of the two tools that is installed.
fn components() -> Result<&'static [Built]> {
    static BUILT: OnceLock<Result<Vec<Built>, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build_with_all().map_err(|e| format!("{e:#}")));
    built.as_deref().map_err(|e| anyhow::Error::msg(e.clone()))
}

fn build_with_all() -> Result<Vec<Built>> {
    let mut built = vec![("cargo build", build("plain", &["build", "--release", "--target", "wasm32-wasip2"])?)];
    if stagehost_needs::cargo_component() {
        built.push(("cargo component build", build("component", &["component", "build", "--release"])?));
    }
    Ok(built)
}

/// Returns cargo with an author's environment: without the variables of a test run.
fn cargo() -> Command {
    let mut command = Command::new("cargo");
    for name in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "CARGO", "CARGO_MANIFEST_DIR"] {
        command.env_remove(name);
    }
    command
}

fn build(name: &str, arguments: &[&str]) -> Result<PathBuf> {
    let project = tempfile::tempdir()?;
    let project = project.path();
    copy(&file("tests/outside-stage"), project)?;
    copy(&file("wit"), &project.join("wit"))?;
    let test = std::env::current_exe()?;
    // The target directory of the tests: what the stage depends on is compiled already.
    let target = test.ancestors().nth(3).context("the test lies in no target folder")?;
    let kept = target.join("outside");
    std::fs::create_dir_all(&kept)?;
    let output = cargo().args(arguments).env("CARGO_TARGET_DIR", target).current_dir(project).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo {} in {name}: {said}", arguments.join(" "));
    // `cargo component` chooses the target itself.
    let triple = if arguments[0] == "component" { "wasm32-wasip1" } else { "wasm32-wasip2" };
    let built = target.join(triple).join("release/sidecar.wasm");
    let component = kept.join(format!("{name}.wasm"));
    std::fs::copy(&built, &component).with_context(|| format!("there is no {}", built.display()))?;
    Ok(component)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        match entry.file_name().to_str() {
            Some("target") => {}
            _ if entry.file_type()?.is_dir() => copy(&source, &target)?,
            _ => std::fs::copy(&source, &target).map(|_| ())?,
        }
    }
    Ok(())
}

/// Runs two photos with further arguments. Returns the run and the bucket's folder.
fn run_photos(folder: &Path, further: &[String]) -> Result<(Ran, PathBuf)> {
    let (photos, out) = (folder.join("photos"), folder.join("out"));
    std::fs::create_dir_all(&photos)?;
    for name in PHOTOS {
        std::fs::copy(file("samples/listing").join(name), photos.join(name))?;
    }
    let mut arguments = vec![photos.display().to_string(), "--out".to_owned(), out.display().to_string()];
    arguments.extend_from_slice(further);
    Ok((run(arguments)?, out.join("toq-listing-medias")))
}

/// Reads the rendition of a photo that the callback names.
fn rendition(ran: &Ran, bucket: &Path, photo: &str, name: &str) -> Result<Vec<u8>> {
    let output = ran.output(photo);
    let key = output["outputs"][name].as_str().with_context(|| format!("{photo} has no {name}: {output:#}"))?;
    std::fs::read(bucket.join(key)).with_context(|| format!("reading {key}"))
}

fn check(component: &Path, further: &[&str]) -> Result<(Option<i32>, Value)> {
    let mut command = Command::new(binary());
    let output = command.args(["stage", "check", "--json"]).args(further).arg(component).output()?;
    let document = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("{}: {}", component.display(), String::from_utf8_lossy(&output.stderr)))?;
    Ok((output.status.code(), document))
}

fn assert_described(ran: &Ran, bucket: &Path, photo: &str, state: &str) -> Result<()> {
    let bytes = std::fs::metadata(file("samples/listing").join(photo))?.len();
    let text = String::from_utf8(rendition(ran, bucket, photo, "sidecar")?)?;
    assert_eq!(text, format!("{photo} is {bytes} bytes, described by {state}\n"));
    Ok(())
}

/// Returns the shipped state machine with a new state between the check of the branches and the bundles.
fn with_a_new_state(name: &str) -> Result<Value> {
    let mut machine: Value = serde_json::from_slice(&std::fs::read(file("statemachine/media-processing.asl.json"))?)?;
    let states = machine["States"].as_object_mut().context("States")?;
    assert_eq!(states["CheckBranches"]["Default"], "CreateZipBundle", "the test knows the shipped state machine");
    let mut state = states["CreateZipBundle"].clone();
    state["Next"] = json!("CreateZipBundle");
    // Its Catch would name the wrong state. Without it a failure fails the execution, and so the test.
    state.as_object_mut().context("a state")?.remove("Catch");
    states["CheckBranches"]["Default"] = json!(name);
    states.insert(name.to_owned(), state);
    Ok(machine)
}

/// Runs two photos through that machine. The new state's stage may write below the prefix `granted`.
fn run_in_a_new_state(folder: &Path, component: &Path, granted: &str) -> Result<(Ran, PathBuf)> {
    let machine = write(folder, "machine.json", &with_a_new_state("DescribeAssets")?)?;
    let grants = json!({"read": ["{listingId}/raw/"], "write": [granted], "http": []});
    let config = write(folder, "config.json", &json!({"states": {"DescribeAssets": {"grants": grants}}}))?;
    let stage = format!("DescribeAssets={}", component.display());
    let further = ["--state-machine", &machine, "--config", &config, "--stage", &stage].map(str::to_owned);
    run_photos(folder, &further)
}

fn write(folder: &Path, name: &str, document: &Value) -> Result<String> {
    let path = folder.join(name);
    std::fs::write(&path, document.to_string())?;
    Ok(path.display().to_string())
}

fn durations(ran: &Ran) -> Vec<&str> {
    ran.json["timings"].as_array().into_iter().flatten().filter_map(|timing| timing["state"].as_str()).collect()
}

#[test]
fn a_stage_of_another_project_fits_as_both_tools_build_it() -> Result<()> {
    for (tool, component) in components()? {
        let (code, document) = check(component, &[])?;
        assert_eq!((code, &document["fits"]), (Some(0), &json!(true)), "{tool}: {document:#}");
        assert_eq!(document["world"], "thumbnails", "{tool}: the narrowest world that fits");
        assert_eq!(document["findings"], json!([]), "{tool}");

        // It writes objects, which the world of callbacks does not grant.
        let (code, document) = check(component, &["--world", "callback"])?;
        assert_eq!((code, &document["fits"]), (Some(1), &json!(false)), "{tool}: {document:#}");
        assert!(
            document["findings"].to_string().contains("object-writer"),
            "{tool}: the import is named: {document:#}"
        );
    }
    Ok(())
}

#[test]
fn a_stage_of_another_project_replaces_one_of_the_five() -> Result<()> {
    for (tool, component) in components()? {
        let folder = tempfile::tempdir()?;
        let stage = format!("GenerateThumbnails={}", component.display());
        let (ran, bucket) = run_photos(folder.path(), &["--stage".to_owned(), stage])?;
        assert_eq!((ran.code, &ran.json["status"]), (0, &json!("SUCCEEDED")), "{tool}: {:#}\n{}", ran.json, ran.stderr);
        for photo in PHOTOS {
            assert_described(&ran, &bucket, photo, "GenerateThumbnails")?;
            let made = ran.output(photo)["outputs"].as_object().unwrap();
            assert_eq!(made.keys().collect::<Vec<_>>(), ["sidecar"], "{tool}: it replaces the thumbnails");
        }
    }
    Ok(())
}

#[test]
fn a_stage_of_another_project_adds_a_state_to_a_copied_state_machine() -> Result<()> {
    for (tool, component) in components()? {
        let folder = tempfile::tempdir()?;
        let (ran, bucket) = run_in_a_new_state(folder.path(), component, "{listingId}/thumb/")?;
        assert_eq!((ran.code, &ran.json["status"]), (0, &json!("SUCCEEDED")), "{tool}: {:#}\n{}", ran.json, ran.stderr);
        assert!(durations(&ran).contains(&"DescribeAssets"), "{tool}: {:?}", durations(&ran));
        for photo in PHOTOS {
            assert_described(&ran, &bucket, photo, "DescribeAssets")?;
            for name in BOXES {
                let picture = image::load_from_memory(&rendition(&ran, &bucket, photo, name)?)?;
                let (wide, high) = name.split_once('x').unwrap();
                let fits = picture.width() <= wide.parse()? && picture.height() <= high.parse()?;
                assert!(fits, "{tool}: {photo} {name} is {}x{}", picture.width(), picture.height());
            }
        }
        // The next state sees its texts: two originals, six thumbnails, two texts.
        assert_eq!(ran.json["assetsZipped"], 10, "{tool}: {:#}", ran.json);
    }
    Ok(())
}

#[test]
fn a_new_state_without_a_grant_is_denied_file_by_file() -> Result<()> {
    let (_, component) = components()?.first().context("no component")?;
    let folder = tempfile::tempdir()?;
    let (ran, bucket) = run_in_a_new_state(folder.path(), component, "{listingId}/processed/")?;
    assert_ne!(ran.code, 0, "{:#}", ran.json);
    for photo in PHOTOS {
        let output = ran.output(photo);
        assert_eq!(output["errorCode"], "Stage.Denied", "{output:#}\n{}", ran.stderr);
        let said = output["errorMessage"].as_str().unwrap();
        assert!(said.contains("_sidecar.txt"), "the key is named: {said}");
    }
    let written = std::fs::read_dir(bucket.join("1/thumb"))?.count();
    assert!(written > 0, "the thumbnails of the state before are kept");
    Ok(())
}
