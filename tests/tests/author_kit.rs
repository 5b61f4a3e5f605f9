//! A stage's author, from nothing to a stage that runs in the pipeline: `stage new`, `build`, `check`, `test`, `dev`, `run`, in
//! every language whose tool is here.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stagehost_needs::{NODE, PYTHON3, componentize_js, componentize_py, program};
use stagehost_tests::author::{author_command, with_the_stages_of_the_release};
use stagehost_tests::{Running, binary, file, guest};

/// How long a saved version may take to run on a busy machine: it is built first.
const PATIENCE: Duration = Duration::from_secs(180);

/// A project that `stage new` has made.
struct Project {
    folder: tempfile::TempDir,
    /// The state that runs it.
    state: String,
    /// Where the language's tool is, if it is not on the PATH.
    tool: Option<PathBuf>,
}

impl Project {
    /// Makes a project. Projects in Rust share a target directory, in which cargo tells them apart by their names.
    fn new(name: &str, language: &str, kind: &str, tool: Option<PathBuf>) -> Result<Self> {
        let mut project = Self { folder: tempfile::tempdir()?, state: String::new(), tool };
        let path = project.path("").display().to_string();
        let made = ["stage", "new", name, "--lang", language, "--kind", kind, "--path", &path, "--json"];
        project.state = project.json(&made, 0)?["state"].as_str().context("no state")?.to_owned();
        Ok(project)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a program in the project's folder, in an author's environment.
    fn run(&self, program: &Path, arguments: &[&str]) -> Result<Output> {
        let mut command = author_command(program, self.folder.path(), self.tool.as_deref())?;
        // What the project depends on is downloaded already.
        command.env("CARGO_NET_OFFLINE", "true");
        if arguments.first() == Some(&"run") {
            with_the_stages_of_the_release(&mut command);
        }
        command.args(arguments).output().context(program.display().to_string())
    }

    fn stagehost(&self, arguments: &[&str], code: i32) -> Result<String> {
        let output = self.run(&binary(), arguments)?;
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.code() == Some(code), "{arguments:?}: {}\n{out}\n{err}", output.status);
        Ok(out.into_owned())
    }

    fn json(&self, arguments: &[&str], code: i32) -> Result<Value> {
        let out = self.stagehost(arguments, code)?;
        serde_json::from_str(&out).with_context(|| format!("{arguments:?} printed {out}"))
    }

    fn unit_tests(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let output = self.run(Path::new(program), arguments)?;
        let said = [output.stdout, output.stderr].concat();
        ensure!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&said));
        Ok(())
    }

    /// Replaces a text that must be there.
    fn edit(&self, name: &str, from: &str, to: &str) -> Result<()> {
        let text = fs::read_to_string(self.path(name))?;
        ensure!(text.contains(from), "{name} has no {from:?}");
        fs::write(self.path(name), text.replace(from, to))?;
        Ok(())
    }

    /// Builds, checks and tests the project as it was made. Returns the component.
    fn works_at_once(&self) -> Result<String> {
        let built = self.json(&["stage", "build", "--json"], 0)?;
        let component = built["component"].as_str().context("no component")?.to_owned();
        self.stagehost(&["stage", "check", &component], 0)?;
        let tested = self.json(&["stage", "test", "--json", "--junit", "report.xml"], 0)?;
        assert_eq!(tested["failed"], 0, "{tested:#}");
        let report = fs::read_to_string(self.path("report.xml"))?;
        assert!(report.contains("name=\"a-photo\"") && report.contains("failures=\"0\""), "{report}");
        // The settings are checked against the schema in the component.
        let wrong = json!({"states": {&self.state: {"config": {"auther": "Ada"}}}}).to_string();
        fs::write(self.path("wrong.json"), wrong)?;
        let stage = format!("{}={component}", self.state);
        let machine = self.machine()?;
        let run = self.run(
            &binary(),
            &["run", "cases/a-photo", "--state-machine", &machine, "--config", "wrong.json", "--stage", &stage],
        )?;
        let said = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.code() == Some(2) && said.contains("auther"), "{said}");
        Ok(component)
    }

    /// The shipped state machine with the project's state.
    fn machine(&self) -> Result<String> {
        let mut machine: Value = serde_json::from_slice(&fs::read(file("statemachine/media-processing.asl.json"))?)?;
        let added: Value = serde_json::from_slice(&fs::read(self.path("pipeline/state.json"))?)?;
        for (name, state) in added.as_object().context("an object")? {
            // As jq's `*`: objects are merged.
            match (machine["States"].get_mut(name), state) {
                (Some(Value::Object(old)), Value::Object(new)) => old.extend(new.clone()),
                _ => machine["States"][name] = state.clone(),
            }
        }
        let path = self.path("pipeline/machine.asl.json");
        fs::write(&path, serde_json::to_vec_pretty(&machine)?)?;
        Ok(path.display().to_string())
    }

    /// Runs a photo through the whole pipeline. Returns the callback's body and what was said.
    fn run_in_the_pipeline(&self, component: &str) -> Result<(Value, String)> {
        let photos = self.path("photos");
        fs::create_dir_all(&photos)?;
        fs::copy(file("samples/listing/kitchen.jpg"), photos.join("kitchen.jpg"))?;
        let (machine, stage) = (self.machine()?, format!("{}={component}", self.state));
        let arguments = ["run", "photos", "--state-machine", &machine, "--config", "pipeline/settings.json", "--stage"];
        let output = self.run(&binary(), &[&arguments[..], &[&stage, "--json", "--record", "cases/a-run"]].concat())?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let body = serde_json::from_slice(&output.stdout).with_context(|| said.clone())?;
        Ok((body, said))
    }
}

#[test]
fn a_rust_stage_goes_from_nothing_into_the_pipeline() -> Result<()> {
    let project = Project::new("line-notes", "rust", "asset", None)?;
    project.unit_tests("cargo", &["test", "--quiet"])?;
    let component = project.works_at_once()?;

    let (body, said) = project.run_in_the_pipeline(&component)?;
    assert_eq!(body["status"], "SUCCEEDED", "{body:#}\n{said}");
    let key = body["outputs"][0]["outputs"]["note"].as_str().context("there is no note")?;
    let note = fs::read_to_string(project.path("out/toq-listing-medias").join(key))?;
    assert!(note.ends_with("bytes are zero, noted by nobody\n"), "{note}");
    // The state, its pins and the batch's schema belong together.
    let machine = project.machine()?;
    project.stagehost(&["check", "--state-machine", &machine, "--pins", "out/.stagehost/pins.json"], 0)?;

    // The run was recorded into cases/, so it is a case now.
    let tested = project.json(&["stage", "test", "--json", "--case", "a-run"], 0)?;
    let name = tested["cases"][0]["name"].as_str().context("no case")?;
    assert!(name.starts_with("a-run/kitchen.jpg-") && tested["failed"] == 0, "{tested:#}");
    project.edit("src/note.rs", "bytes are zero", "bytes are 0")?;
    let tested = project.json(&["stage", "test", "--json", "--case", "a-run"], 1)?;
    let differences = tested["cases"][0]["differences"].to_string();
    assert!(differences.contains("kitchen_note.txt") && differences.contains("expected"), "{tested:#}");
    Ok(())
}

#[test]
fn a_stage_in_development_runs_in_the_pipeline_and_a_saved_version_is_swapped_in() -> Result<()> {
    let project = Project::new("piped-notes", "rust", "asset", None)?;
    // Builds the stages of the release if they are not built yet.
    let component = project.works_at_once()?;
    project.run_in_the_pipeline(&component)?;
    let stages = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| file("target"), PathBuf::from);
    let stages = stages.join("wasm32-wasip2/release").display().to_string();
    let arguments = ["stage", "dev", "photos", "--pipeline", "--stages", &stages];

    // No state machine is named: the project's state is added to the shipped one.
    let shown = project.stagehost(&[&arguments[..], &["--once"]].concat(), 0)?;
    assert!(shown.contains("bytes read") && shown.contains("SUCCEEDED (the backend was told)"), "{shown}");
    let note = shown.lines().find(|line| line.starts_with("✓ note")).context("no note is shown")?;
    let place = note.rsplit(": ").next().context("a place")?;
    assert!(fs::read_to_string(project.path(place))?.contains("bytes are zero"), "{note}");
    let again = project.stagehost(&[&arguments[..], &["--once"]].concat(), 0)?;
    assert!(again.contains("= note") && again.contains("not made again"), "{again}");
    let fresh = project.stagehost(&[&arguments[..], &["--once", "--fresh"]].concat(), 0)?;
    assert!(fresh.contains("✓ note"), "{fresh}");

    let said = project.path("said");
    let mut command = author_command(&binary(), project.folder.path(), None)?;
    command.args(arguments).arg("--fresh").env("CARGO_NET_OFFLINE", "true");
    let output = fs::File::create(&said)?;
    let dev = Running(command.stdout(output.try_clone()?).stderr(output).spawn()?);
    let wait_for = |text: &str| -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !fs::read_to_string(&said)?.contains(text) {
            ensure!(Instant::now() < deadline, "{text:?} did not appear in\n{}", fs::read_to_string(&said)?);
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(())
    };
    wait_for("waiting for changes")?;
    let sources = fs::read_to_string(project.path("src/note.rs"))?;
    fs::write(project.path("src/note.rs"), format!("{sources}\nthis is no Rust\n"))?;
    wait_for("RunPipedNotes keeps its stage")?;
    fs::write(project.path("src/note.rs"), sources.replace("bytes are zero", "bytes are 0"))?;
    wait_for("RunPipedNotes runs the new version (revision 2 of the pins)")?;
    wait_for("from the change (revision 2 of the pins) to here")?;
    drop(dev);
    assert!(fs::read_to_string(project.path(place))?.contains("bytes are 0"), "the new version made it again");
    Ok(())
}

#[test]
fn a_changed_result_fails_its_case_by_name_and_is_taken_over_on_request() -> Result<()> {
    let project = Project::new("changed-notes", "rust", "asset", None)?;
    project.edit("src/note.rs", "{} of {} bytes are zero", "{} of {} bytes are 0")?;
    let tested = project.json(&["stage", "test", "--json"], 1)?;
    let case = &tested["cases"][0];
    assert_eq!((tested["failed"].as_u64(), case["name"].as_str()), (Some(1), Some("a-photo")), "{tested:#}");
    let differences = case["differences"].to_string();
    assert!(differences.contains("effects[0].text") && differences.contains("bytes are 0"), "{differences}");

    project.stagehost(&["stage", "test", "--update"], 0)?;
    project.stagehost(&["stage", "test"], 0)?;
    let expected = fs::read_to_string(project.path("cases/a-photo/expected.json"))?;
    assert!(expected.contains("bytes are 0, noted by Ada"), "{expected}");

    // The description's world is a promise: this stage writes objects, which `validate` does not permit.
    project.edit("stage.json", "\"custom\"", "\"validate\"")?;
    let output = project.run(&binary(), &["stage", "build"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && said.contains("stage.json names the world validate"), "{said}");
    assert!(said.contains("toq:media/object-writer"), "{said}");
    Ok(())
}

#[test]
fn a_panic_is_shown_where_its_author_looks() -> Result<()> {
    let project = Project::new("panicking-notes", "rust", "asset", None)?;
    let photo = project.path("cases/a-photo/photo.jpg").display().to_string();
    let shown = project.stagehost(&["stage", "dev", &photo, "--once"], 0)?;
    assert!(shown.contains("✓ note") && shown.contains("bytes read"), "{shown}");
    let made = project.path("out/dev/1/processed/photo/horizontal/2026-01-02/photo_note.txt");
    assert!(fs::read_to_string(made)?.ends_with("noted by nobody\n"));

    project.edit(
        "src/note.rs",
        "self.total += window.len() as u64;",
        "assert!(window.is_empty(), \"no such tile\");",
    )?;
    let shown = project.stagehost(&["stage", "dev", &photo, "--once"], 1)?;
    assert!(shown.contains("Stage.Trapped") && shown.contains("no such tile"), "{shown}");
    assert!(shown.contains("src/note.rs"), "the place is named: {shown}");
    Ok(())
}

#[test]
fn a_batch_stage_in_rust_works_at_once_and_its_note_is_shown() -> Result<()> {
    let project = Project::new("batch-notes", "rust", "batch", None)?;
    project.unit_tests("cargo", &["test", "--quiet"])?;
    let component = project.works_at_once()?;
    let (body, said) = project.run_in_the_pipeline(&component)?;
    assert_eq!(body["status"], "SUCCEEDED", "{body:#}\n{said}");
    assert!(said.contains("RunBatchNotes: 1 files, 222910 bytes, counted by nobody"), "{said}");
    Ok(())
}

#[test]
fn stages_in_python_work_at_once_and_an_exception_is_shown_with_its_place() -> Result<()> {
    let Some(tool) = componentize_py() else { return Ok(()) };
    if !program(&PYTHON3) {
        return Ok(());
    }
    for kind in ["batch", "asset"] {
        let project = Project::new("line-notes", "python", kind, Some(tool.clone()))?;
        project.unit_tests("python3", &["-m", "unittest", "discover", "tests"])?;
        project.works_at_once()?;
        if kind == "asset" {
            let photo = project.path("cases/a-photo/photo.jpg").display().to_string();
            project.edit("src/app.py", "config = Config.read(ctx.config)", "raise KeyError('no such colour')")?;
            let shown = project.stagehost(&["stage", "dev", &photo, "--once"], 1)?;
            assert!(shown.contains("KeyError: 'no such colour' (File"), "{shown}");
        }
    }
    Ok(())
}

#[test]
fn stages_in_javascript_work_at_once_and_an_exception_is_shown_with_its_place() -> Result<()> {
    let Some(tool) = componentize_js() else { return Ok(()) };
    if !program(&NODE) {
        return Ok(());
    }
    for kind in ["batch", "asset"] {
        let project = Project::new("line-notes", "javascript", kind, Some(tool.clone()))?;
        project.unit_tests("node", &["--test"])?;
        project.works_at_once()?;
        if kind == "asset" {
            let photo = project.path("cases/a-photo/photo.jpg").display().to_string();
            project.edit("src/app.js", "const config = readConfig(ctx.config);", "const config = undefined.colour;")?;
            let shown = project.stagehost(&["stage", "dev", &photo, "--once"], 1)?;
            assert!(shown.contains("Stage.Internal: TypeError"), "{shown}");
        }
    }
    Ok(())
}

#[test]
fn a_missing_tool_is_named_with_the_command_that_installs_it() -> Result<()> {
    for (language, advice) in [("python", "pip install"), ("javascript", "npm install")] {
        let project = Project::new("line-notes", language, "asset", None)?;
        let output = Command::new(binary())
            .args(["stage", "build"])
            .current_dir(project.path(""))
            .env("PATH", project.path("nothing-is-here"))
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains(advice), "{language}: {said}");
    }
    Ok(())
}

#[test]
fn what_a_check_has_compiled_is_not_compiled_again() -> Result<()> {
    let cache = tempfile::tempdir()?;
    let check = || -> Result<String> {
        let mut command = Command::new(binary());
        command.args(["stage", "check"]).arg(guest("empty_asset")?).env("XDG_CACHE_HOME", cache.path());
        let output = command.output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{said}");
        Ok(said)
    };
    let first = check()?;
    assert!(first.contains("compiling"), "{first}");
    assert_eq!(fs::read_dir(cache.path().join("stagehost/artifacts"))?.count(), 1);
    let second = check()?;
    assert!(!second.contains("compiling"), "{second}");
    Ok(())
}
