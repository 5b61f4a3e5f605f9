//! `config` and `completions` as people and scripts use them, and the check that stands before every start.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

fn stagehost(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stagehost"));
    command.args(arguments).env_remove("COLUMNS").output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Returns a configuration file with these settings of the thumbnails stage.
fn file(folder: &Path, config: &Value) -> String {
    let file = folder.join("my.json");
    std::fs::write(&file, json!({"states": {"GenerateThumbnails": {"config": config}}}).to_string()).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_misspelt_setting_is_refused_before_anything_is_built_or_started() {
    let folder = tempfile::tempdir().unwrap();
    let config = file(folder.path(), &json!({"width": [200]}));
    let samples = repository().join("samples/listing");
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    // Were the stages looked at first, the missing folder would be the error.
    for command in [
        &["run", samples.to_str().unwrap(), "--out", out, "--stages", "/no/such/folder"][..],
        &["serve", "--port", "0", "--out", out, "--stages", "/no/such/folder"],
        &["package", "--out", out, "--target", "arm64", "--stages", "/no/such/folder"],
        &["config", "show"],
    ] {
        let output = stagehost(&[command, &["--config", &config]].concat());
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{command:?}: {text}");
        assert!(text.contains("did you mean `widths`?"), "{command:?}: {text}");
        assert!(text.contains("my.json:1:44: ") && text.contains("/states/GenerateThumbnails/config/width"), "{text}");
        assert!(!Path::new(out).exists(), "{command:?} has started");
    }
}

#[test]
fn show_gives_every_setting_its_value_its_default_and_where_it_comes_from() {
    let folder = tempfile::tempdir().unwrap();
    let config = file(folder.path(), &json!({"widths": [200]}));
    let output = stagehost(&["config", "show", "--json", "--config", &config]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let settings = document["settings"].as_array().unwrap();
    let named = |name: &str| settings.iter().find(|setting| setting["name"] == name).unwrap();
    assert_eq!(named("config.widths")["value"], json!([200]));
    assert_eq!(named("config.widths")["default"], json!(null));
    assert_eq!(named("config.widths")["from"]["pointer"], "/states/GenerateThumbnails/config/widths");
    assert_eq!(named("maxFiles")["from"], json!({"kind": "default"}));
    assert_eq!(named("STAGEHOST_LOG")["group"], "command");
    assert_eq!(document["unchecked"], json!([]));

    let one = stdout(&stagehost(&["config", "show", "--config", &config, "GenerateThumbnails"]));
    assert!(one.contains("config.widths") && !one.contains("maxFiles") && !one.contains("STAGEHOST_LOG"), "{one}");
    let none = stagehost(&["config", "show", "GenerateThumbnail"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(stderr(&none).contains("GenerateThumbnails"), "{}", stderr(&none));
}

#[test]
fn a_component_without_a_schema_is_passed_its_settings_unchecked_and_show_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let config = file(folder.path(), &json!({"colour": "red"}));
    let component = folder.path().join("foreign.wasm");
    std::fs::write(&component, b"\0asm\x0d\0\x01\0").unwrap();
    let stage = format!("GenerateThumbnails={}", component.display());
    let output = stagehost(&["config", "show", "--config", &config, "--stage", &stage, "GenerateThumbnails"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(text.contains("config.colour") && text.contains("passed on unchecked"), "{text}");
}

#[test]
fn the_schema_is_valid_and_complete() {
    let schema: Value = serde_json::from_str(&stdout(&stagehost(&["config", "schema"]))).unwrap();
    jsonschema::draft202012::meta::validate(&schema).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    assert!(validator.is_valid(&json!({"states": {"CreateZipBundle": {"config": {"bundles": ["complete"]}}}})));
    assert!(!validator.is_valid(&json!({"states": {"CreateZipBundle": {"config": {"bundle": ["complete"]}}}})));
}

/// What bash offers behind `words`; the last one is still being typed.
fn completed(words: &[&str]) -> Vec<String> {
    let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    let last = words.len() - 1;
    let script = format!(
        "source <('{}' completions bash); COMP_WORDS=({}); COMP_CWORD={last}; \
         _stagehost stagehost {} {}; echo \"${{COMPREPLY[@]}}\"",
        env!("CARGO_BIN_EXE_stagehost"),
        quoted.join(" "),
        quoted[last],
        quoted[last - 1],
    );
    let output = Command::new("bash").args(["--norc", "-c", &script]).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output).split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_and_options() {
    assert_eq!(completed(&["stagehost", "pack"]), ["package"]);
    assert_eq!(completed(&["stagehost", "config", "s"]), ["show", "schema"]);
    let options = completed(&["stagehost", "config", "show", "--"]);
    for option in ["--config", "--stage", "--state-machine", "--json"] {
        assert!(options.iter().any(|offered| offered == option), "{option} in {options:?}");
    }
    let worlds = completed(&["stagehost", "completions", ""]);
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(worlds.iter().any(|offered| offered == shell), "{shell} in {worlds:?}");
    }
}

#[test]
fn every_shell_has_a_script_and_another_one_is_refused() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = stagehost(&["completions", shell]);
        assert!(output.status.success() && stdout(&output).contains("stagehost"), "{shell}");
    }
    assert_eq!(stagehost(&["completions", "tcsh"]).status.code(), Some(2));
    let help = stdout(&stagehost(&["completions", "--help"]));
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(help.contains(&format!("stagehost completions {shell} >")), "{shell}: {help}");
    }
}
