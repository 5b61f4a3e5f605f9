//! What a person sees of a run: with readers that go away, in files, on terminals without colours.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use stagehost_needs::{SCRIPT, program};
use stagehost_tests::{binary, file};

/// A folder with one small file, and what a run makes of it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        std::fs::create_dir(place.path("in")).unwrap();
        std::fs::copy(file("samples/listing/floor-plan.png"), place.path("in/floor-plan.png")).unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self) -> Command {
        let mut command = Command::new(binary());
        command.arg("run").arg(self.path("in")).arg("--out").arg(self.path("out"));
        command.env_remove("NO_COLOR").env_remove("COLUMNS").stdin(Stdio::null());
        command
    }

    fn is_complete(&self) -> bool {
        self.path("out/toq-listing-medias/1/zip/batch-1/complete.zip").is_file()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_batch_goes_on_to_its_end_when_nobody_reads_about_it() {
    let place = Place::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut run = place.run();
    let status = run.stdout(writer.try_clone().unwrap()).stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(place.is_complete());
}

#[test]
fn in_a_file_each_state_has_a_line_at_its_beginning_and_one_at_its_end() {
    let place = Place::new();
    let output = place.run().output().unwrap();
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(!text.contains('\x1b') && !output.stdout.contains(&0x1b), "{text}");
    for state in ["ValidateRawAssets", "GenerateThumbnails", "CreateZipBundle", "FinalizeAndCallback"] {
        // What a stage noted stands between them.
        let note = format!("{state}: ");
        let mut lines: Vec<_> = text.lines().map(str::trim_start).filter(|line| line.starts_with(state)).collect();
        lines.retain(|line| !line.starts_with(&note));
        assert_eq!(lines.len(), 2, "{state} in {text}");
        assert!(lines[0].ends_with('…') && lines[1].contains(" s"), "{lines:?}");
    }
}

#[test]
fn quiet_is_silent_and_the_document_says_that_the_callback_was_delivered() {
    let place = Place::new();
    let output = place.run().args(["--quiet", "--json"]).output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&document["status"], &document["delivered"]), (&"SUCCEEDED".into(), &true.into()), "{document:#}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_fails_after_the_batch_is_done() {
    let place = Place::new();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = place.run().stdout(full).stderr(Stdio::piped()).output().unwrap();
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("stagehost: cannot write to standard output"), "{text}");
    assert!(place.is_complete());
}

#[test]
fn a_terminal_without_colours_gets_no_escape_sequence_and_narrow_tables() {
    if !program(&SCRIPT) {
        return;
    }
    let place = Place::new();
    let [binary, input, out] = [binary(), place.path("in"), place.path("out")].map(|path| path.display().to_string());
    let command = format!("{binary} run {input} --out {out}");
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).stdin(Stdio::null());
    let output = script.env("TERM", "xterm").env("NO_COLOR", "1").env("COLUMNS", "60").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("floor-plan.png") && !text.contains('\x1b'), "{text:?}");
    assert!(text.contains("640x480"), "no name of a rendition is cut in two: {text}");
    let table = text.lines().skip_while(|line| !line.contains("File ")).take_while(|line| !line.trim().is_empty());
    assert!(table.map(|line| line.trim_end().chars().count()).all(|width| width <= 60), "{text}");
}
