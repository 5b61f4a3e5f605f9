//! Components that misbehave: each crime is a typed failure of the file it was committed on, within its deadline, and the
//! file beside it is not affected.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::time::{Duration, Instant};

use stagehost_tests::{Ran, file, guest, run};

/// Runs the hostile guest over files of these names, each of which is a good photo.
fn crimes(names: &[&str], dir: &Path) -> Ran {
    let input = dir.join("in");
    std::fs::create_dir_all(&input).unwrap();
    for name in names {
        std::fs::copy(file("samples/listing/front.jpg"), input.join(format!("{name}.jpg"))).unwrap();
    }
    let config = dir.join("config.json");
    let limits =
        r#"{"states":{"GenerateThumbnails":{"limits":{"memoryMib":64,"deadlineMs":2000},"config":{"a":"secret"}}}}"#;
    std::fs::write(&config, limits).unwrap();
    let stage = format!("GenerateThumbnails={}", guest("hostile").unwrap().display());
    run([
        input.as_os_str(),
        "--listing".as_ref(),
        "51".as_ref(),
        "--out".as_ref(),
        dir.join("out").as_os_str(),
        "--config".as_ref(),
        config.as_os_str(),
        "--stage".as_ref(),
        stage.as_ref(),
    ])
    .unwrap()
}

#[test]
fn every_breach_is_a_typed_failure_of_that_file_alone() {
    let dir = tempfile::tempdir().unwrap();
    let expected = [
        ("loop", "Stage.Timeout", "2000 ms"),
        ("sleep", "Stage.Timeout", "2000 ms"),
        ("memory", "Stage.OutOfMemory", "64 MiB"),
        ("stack", "Stage.Trapped", "hostile::overflow"),
        ("panic", "Stage.Trapped", "a guest's panic, on purpose"),
        ("exit", "Stage.Trapped", "exit"),
        ("steal", "Stage.Denied", "52/raw/"),
        ("climb", "Stage.Denied", "pins.json"),
        ("deface", "Stage.Denied", "51/raw/"),
        ("forge", "Stage.Denied", "52/thumb/"),
        ("rename", "Stage.Internal", "52/raw/"),
        ("boast", "Stage.", ""),
        ("hoard", "Stage.InvalidInput", "16 objects"),
        ("half", "Stage.Trapped", "with a writer open"),
        ("environment", "Stage.Internal", "variables [], files 0"),
        ("network", "Stage.Internal", "connected: false"),
    ];
    let mut names: Vec<_> = expected.iter().map(|(name, ..)| *name).collect();
    names.extend(["good", "flood", "also-good"]);
    let started = Instant::now();
    let ran = crimes(&names, dir.path());
    assert_eq!(ran.code, 3, "{:#}\n{}", ran.json, ran.stderr);
    assert!(started.elapsed() < Duration::from_secs(300), "a guest held the host up");
    for (name, code, says) in expected {
        let output = ran.output(&format!("{name}.jpg"));
        let (found, message) = (output["errorCode"].as_str().unwrap_or_default(), output["errorMessage"].as_str());
        assert!(found.starts_with(code), "{name}: {found}, expected {code}; {message:?}");
        assert!(message.is_some_and(|message| message.contains(says)), "{name}: {message:?} does not say {says:?}");
    }
    for name in ["good", "flood", "also-good"] {
        assert!(ran.output(&format!("{name}.jpg"))["errorCode"].is_null(), "{name} is not affected");
    }
    // Nothing of what was begun is there, visible or hidden.
    let bucket = dir.path().join("out/toq-listing-medias/51");
    assert!(!bucket.join("thumb").exists(), "a writer that was never finished left something behind");
}

#[test]
fn an_import_beyond_the_world_is_refused_by_name_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let stage = format!("GenerateThumbnails={}", guest("overreach").unwrap().display());
    let out = dir.path().join("out");
    let input = file("samples/listing");
    let ran = run([input.as_os_str(), "--out".as_ref(), out.as_os_str(), "--stage".as_ref(), stage.as_ref()]).unwrap();
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(!out.join("toq-listing-medias").exists(), "nothing was uploaded, nothing ran");

    let checked = std::process::Command::new(stagehost_tests::binary())
        .args(["stage", "check", "--json", "--world", "thumbnails"])
        .arg(guest("overreach").unwrap())
        .output()
        .unwrap();
    assert_eq!(checked.status.code(), Some(1));
    let document: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!(document["findings"][0]["item"], "import toq:media/transcoder@1.0.0");
}

#[test]
fn a_component_that_fits_no_world_is_told_the_nearest_one_what_is_at_fault_and_the_fix() {
    let check = |further: &[&str]| {
        let mut command = std::process::Command::new(stagehost_tests::binary());
        let output = command.args(["stage", "check"]).args(further).arg(guest("overreach").unwrap()).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stdout).unwrap()
    };
    let text = check(&[]);
    for part in [
        "✗ import toq:media/transcoder@1.0.0",
        "the world validate does not grant it",
        "fix: remove what needs it",
        "fits no world; the nearest is validate",
    ] {
        assert!(text.contains(part), "{part:?} is not said:\n{text}");
    }
    let document: serde_json::Value = serde_json::from_str(&check(&["--json"])).unwrap();
    assert_eq!((&document["world"], &document["nearest"]), (&serde_json::Value::Null, &"validate".into()));
    assert_eq!(document["findings"].as_array().unwrap().len(), 1, "{document:#}");
}
