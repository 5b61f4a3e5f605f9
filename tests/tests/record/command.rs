//! `stagehost run --record` and `stagehost replay`, as a person uses them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use stagehost_tests::{binary, file, guest, run};

/// The sample listing, recorded once for all tests.
fn recorded() -> &'static Path {
    static RECORDED: OnceLock<tempfile::TempDir> = OnceLock::new();
    RECORDED
        .get_or_init(|| {
            let dir = tempfile::tempdir().unwrap();
            let (sample, out) = (file("samples/listing"), dir.path().join("out"));
            let record = dir.path().join("recorded");
            let arguments: [&OsStr; 5] =
                [sample.as_os_str(), "--out".as_ref(), out.as_os_str(), "--record".as_ref(), record.as_os_str()];
            let ran = run(arguments).unwrap();
            assert_eq!(ran.code, 3, "{:#}\n{}", ran.json, ran.stderr);
            dir
        })
        .path()
}

fn records() -> std::path::PathBuf {
    recorded().join("recorded")
}

fn replay(arguments: &[&OsStr]) -> (i32, Value, String) {
    replayed(Command::new(binary()).arg("replay").arg("--json").args(arguments))
}

fn replayed(command: &mut Command) -> (i32, Value, String) {
    let output = command.output().unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap_or(-1), json, String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn every_recorded_call_of_a_run_replays_the_same() {
    let (code, json, stderr) = replay(&[records().as_os_str()]);
    assert_eq!(code, 0, "{json:#}\n{stderr}");
    let states: std::collections::BTreeSet<_> =
        json["records"].as_array().unwrap().iter().map(|record| record["state"].as_str().unwrap()).collect();
    for state in ["ValidateRawAssets", "GenerateThumbnails", "ProcessVideos", "CreateZipBundle", "FinalizeAndCallback"]
    {
        assert!(states.contains(state), "{state} is not in {states:?}");
    }
    assert_eq!(json["different"], 0);
    assert!(json["same"].as_u64().unwrap() >= 20, "{}", json["same"]);
}

#[test]
fn a_replay_needs_no_network() {
    if !stagehost_needs::network_namespace() {
        return;
    }
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--net"]).arg(binary()).args(["replay", "--json"]).arg(records());
    let (code, json, stderr) = replayed(&mut command);
    assert_eq!(code, 0, "{json:#}\n{stderr}");
}

#[test]
fn another_configuration_shows_in_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("config.json");
    std::fs::write(&config, r#"{"quality": 40}"#).unwrap();
    let records = records();
    let (code, json, stderr) = replay(&[
        records.as_os_str(),
        "--state".as_ref(),
        "GenerateThumbnails".as_ref(),
        "--config".as_ref(),
        config.as_os_str(),
    ]);
    assert_eq!(code, 4, "{json:#}\n{stderr}");
    let front = json["records"].as_array().unwrap().iter();
    let front = front.clone().find(|r| r["subject"].as_str().unwrap().ends_with("/front.jpg")).unwrap();
    let differences = front["differences"].as_array().unwrap();
    let object = differences.iter().find(|difference| difference["kind"] == "object").unwrap();
    assert!(object["what"].as_str().unwrap().contains("/thumb/"), "{object}");
    assert_ne!(object["was"], object["now"]);

    // The same as text.
    let output = Command::new(binary())
        .arg("replay")
        .arg(&records)
        .args(["--state", "GenerateThumbnails", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    for part in ["✗ GenerateThumbnails", "differences", "object ", "was ", "now "] {
        assert!(text.contains(part), "{part:?} is not said:\n{text}");
    }
}

#[test]
fn a_candidate_from_a_file_replays_the_calls_of_the_recorded_stage() {
    let (records, hostile) = (records(), guest("hostile").unwrap());
    let of_state: [&OsStr; 2] = ["--state".as_ref(), "GenerateThumbnails".as_ref()];
    let candidate: [&OsStr; 2] = ["--stage".as_ref(), hostile.as_os_str()];
    let (code, json, stderr) = replay(&[&[records.as_os_str()], &of_state[..], &candidate[..]].concat());
    assert_eq!(code, 4, "{json:#}\n{stderr}");
    assert_eq!(json["records"][0]["stage"]["name"], "hostile");
    // It makes no thumbnails: each is named as missing.
    let gone = json["records"].as_array().unwrap().iter().flat_map(|r| r["differences"].as_array().unwrap());
    assert!(gone.clone().any(|difference| difference["kind"] == "object" && difference["now"].is_null()));

    // It does not fit the other states, and the answer says so.
    let (code, _, stderr) = replay(&[&[records.as_os_str()], &candidate[..]].concat());
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("--state"), "{stderr}");
}

#[test]
fn a_record_without_its_component_is_wrong_usage_and_the_message_names_the_option() {
    let dir = tempfile::tempdir().unwrap();
    let original = std::process::Command::new("find")
        .arg(records().join("records"))
        .args(["-name", "front.jpg*.json", "-path", "*GenerateThumbnails*"])
        .output()
        .unwrap();
    let original = String::from_utf8(original.stdout).unwrap();
    let mut record: Value = serde_json::from_slice(&std::fs::read(original.trim()).unwrap()).unwrap();
    record["stage"]["digest"] = format!("sha256:{}", "0".repeat(64)).into();
    let file = dir.path().join("record.json");
    std::fs::write(&file, record.to_string()).unwrap();
    let (code, _, stderr) = replay(&[file.as_os_str()]);
    assert_eq!(code, 2, "{stderr}");
    assert!(stderr.contains("--stage FILE"), "{stderr}");
}

#[test]
fn no_secret_of_the_run_is_recorded() {
    let mut folders = vec![records()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let bytes = std::fs::read(entry.path()).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            seen += 1;
            // Stages are stored there, too; their code contains these names.
            let secret = |name: &&&str| !bytes.starts_with(b"\0asm") && text.to_ascii_lowercase().contains(**name);
            let secrets = ["tasktoken", "x-amz-signature", "x-toq-signature", "webhook-signature", "authorization"];
            assert_eq!(secrets.iter().find(secret), None, "in {}", entry.path().display());
        }
    }
    assert!(seen > 20);
}
