//! What a test binary does when something is missing, with and without `STAGEHOST_REQUIRE`: the ignored tests are run in
//! child processes whose environment lacks it.
#![allow(clippy::unwrap_used)]

use std::process::{Command, Output};

#[test]
#[ignore = "run by the other tests, in a child process"]
fn needs_ffmpeg() {
    stagehost_needs::ffmpeg();
}

#[test]
#[ignore = "run by the other tests, in a child process"]
fn needs_media() {
    stagehost_needs::media("photos");
}

/// Runs one of these in a process that finds neither programs nor media.
fn run(test: &str, require: Option<&str>) -> (bool, String) {
    let empty = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--ignored", "--exact", test]).env("PATH", empty.path()).env("STAGEHOST_MEDIA", empty.path());
    match require {
        Some(names) => child.env("STAGEHOST_REQUIRE", names),
        None => child.env_remove("STAGEHOST_REQUIRE"),
    };
    let Output { status, stdout, stderr } = child.output().unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    assert!(said.contains("running 1 test"), "{said}");
    (status.success(), said)
}

#[test]
fn without_the_switch_a_test_is_skipped_and_says_so_even_though_it_passes() {
    for (test, what, how) in [
        ("needs_ffmpeg", "skipped: ffmpeg with ffprobe is missing", "apt install ffmpeg"),
        ("needs_media", "skipped: the media collection is missing", "set STAGEHOST_MEDIA"),
    ] {
        let (passed, said) = run(test, None);
        assert!(passed, "{said}");
        assert!(said.contains(what) && said.contains(how), "{said}");
    }
}

#[test]
fn with_all_a_test_that_would_be_skipped_fails_and_says_what_is_missing() {
    for (test, name) in [("needs_ffmpeg", "ffmpeg"), ("needs_media", "media")] {
        let (passed, said) = run(test, Some("all"));
        assert!(!passed, "{said}");
        assert!(said.contains(&format!("is missing and STAGEHOST_REQUIRE names {name}")), "{said}");
    }
}

#[test]
fn with_a_list_only_what_it_names_must_be_there() {
    assert!(!run("needs_ffmpeg", Some("oci,ffmpeg")).0);
    let (passed, said) = run("needs_media", Some("oci,ffmpeg"));
    assert!(passed && said.contains("skipped: "), "{said}");
}

#[test]
fn a_misspelt_name_fails_every_test_that_may_be_skipped() {
    let (passed, said) = run("needs_media", Some("ffmepg"));
    assert!(!passed && said.contains("\"ffmepg\", which no test needs"), "{said}");
}
