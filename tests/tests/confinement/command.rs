//! The same by the real command, over the real client of S3: each breach is a typed failure of its own file.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::case::AT_ONCE;
use stagehost_tests::measured::{Measured, measured};
use stagehost_tests::{file, guest, run, run_command};

/// What the host may have resident, in MiB: two calls of 64 MiB, and as much again for itself.
const MOST_RESIDENT_MIB: u64 = 256;

/// Runs the hostile guest over files of these names, each of which is a good photo.
fn crimes(names: &[&str], dir: &Path) -> Measured {
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
    let mut command = run_command([&input]);
    command.args(["--listing", "51", "--stage", &stage, "--out"]).arg(dir.join("out"));
    measured(command.arg("--config").arg(config)).unwrap()
}

#[test]
fn every_breach_is_a_typed_failure_of_that_file_alone() {
    let dir = tempfile::tempdir().unwrap();
    let expected = [
        ("loop", "Stage.Timeout", "2000 ms"),
        ("sleep", "Stage.Timeout", "2000 ms"),
        ("memory", "Stage.OutOfMemory", "64 MiB"),
        ("stack", "Stage.Trapped", "hostile::machine::overflow"),
        ("panic", "Stage.Trapped", "a guest's panic, on purpose"),
        ("exit", "Stage.Trapped", "exit"),
        ("steal", "Stage.Denied", "52/raw/"),
        ("climb", "Stage.Denied", "pins.json"),
        ("deface", "Stage.Denied", "51/raw/"),
        ("forge", "Stage.Denied", "52/thumb/"),
        ("invent", "Stage.Internal", "neither written nor looked at"),
        ("rename", "Stage.Internal", "52/raw/"),
        ("boast", "Stage.TooLarge", AT_ONCE),
        ("exaggerate", "Stage.Internal", "claims 1000 renditions"),
        ("title", "Stage.TooLarge", AT_ONCE),
        ("edges", "Stage.TooLarge", "limits.quotas.bytesWritten"),
        ("keys", "Stage.Internal", "all 17 refused as invalid-input"),
        ("wander", "Stage.Internal", "all 120 refused as denied"),
        ("readers", "Stage.InvalidInput", "16 objects are open already"),
        ("timers", "Stage.Trapped", "resource table has no free keys"),
        ("hoard", "Stage.InvalidInput", "16 objects"),
        ("half", "Stage.Trapped", "with a writer open"),
        ("environment", "Stage.Internal", "variables [], files 0"),
        ("network", "Stage.Internal", "connected: false"),
    ];
    let mut names: Vec<_> = expected.iter().map(|(name, ..)| *name).collect();
    names.extend(["good", "flood", "also-good"]);
    let started = Instant::now();
    let measured = crimes(&names, dir.path());
    let ran = &measured.ran;
    assert_eq!(ran.code, 3, "{:#}\n{}", ran.json, ran.stderr);
    assert!(started.elapsed() < Duration::from_secs(300), "a guest held the host up");
    measured.assert_at_most(MOST_RESIDENT_MIB);
    for (name, code, says) in expected {
        let output = ran.output(&format!("{name}.jpg"));
        let (found, message) = (output["errorCode"].as_str().unwrap_or_default(), output["errorMessage"].as_str());
        assert_eq!(found, code, "{name}: {message:?}");
        assert!(message.is_some_and(|message| message.contains(says)), "{name}: {message:?} does not say {says:?}");
    }
    for name in ["good", "flood", "also-good"] {
        assert!(ran.output(&format!("{name}.jpg"))["errorCode"].is_null(), "{name} is not affected");
    }
    // Nothing of an unfinished object is left, visible or hidden.
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
fn for_a_component_that_fits_no_world_the_check_names_the_nearest_one_the_fault_and_the_fix() {
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
