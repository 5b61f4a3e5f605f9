#![allow(clippy::unwrap_used)]

use super::*;
use crate::settings::state_defaults::RELEASE;

fn states() -> Vec<String> {
    RELEASE.iter().map(|defaults| defaults.state.to_owned()).collect()
}

fn read(text: &str) -> Result<ConfigFile> {
    ConfigFile::of_text(Path::new("my.json"), text.to_owned(), &schema(&states(), &[]).unwrap())
}

fn refusal(text: &str) -> String {
    let error = read(text).unwrap_err();
    assert_eq!(crate::exit::of_error(&error), crate::exit::Exit::Usage);
    error.to_string()
}

fn thumbnails(config: &str) -> String {
    format!("{{\n  \"states\": {{\n    \"GenerateThumbnails\": {{\"config\": {config}}}\n  }}\n}}")
}

#[test]
fn a_misspelt_setting_is_refused_with_its_place_and_the_nearest_name() {
    insta::assert_snapshot!(refusal(&thumbnails(r#"{"width": [200, 400]}"#)));
}

#[test]
fn everything_that_is_wrong_is_named_at_once() {
    let text = r#"{
  "batches": {"maxFiles": 60},
  "states": {
    "GenerateThumbnail": {},
    "GenerateThumbnails": {
      "config": {"boxes": ["320*240"], "format": "avif", "quality": 0, "maxPixels": "many", "colour": 1},
      "limits": {"memory": 768, "deadlineMs": 1.0},
      "grants": {"read": ["{listingId}/raw"]}
    },
    "ValidateRawAssets": {"config": {"accept": ["bmp"], "maxFileBytes": 0}},
    "ProcessVideos": {"config": {"outputs": [{"name": "a", "long": 33}]}}
  }
}"#;
    insta::assert_snapshot!(refusal(text));
}

#[test]
fn rules_between_settings_are_named_by_what_they_mean() {
    insta::assert_snapshot!(refusal(&thumbnails(r#"{"format": "webp", "lossless": true, "quality": 80}"#)));
    insta::assert_snapshot!(refusal(&thumbnails(r#"{"boxes": []}"#)));
}

#[test]
fn a_text_that_is_not_json_is_refused_with_line_and_column() {
    let text = refusal("{\n  \"states\": {,}\n}");
    assert!(text.contains("my.json") && text.contains("line 2 column 14"), "{text}");
}

#[test]
fn what_fits_is_read() {
    let file = read(&thumbnails(r#"{"widths": [200]}"#)).unwrap();
    assert!(file.settings.states["GenerateThumbnails"].config.as_ref().unwrap().contains_key("widths"));
    assert!(read(r#"{"$schema": "./x.json", "batch": {"maxFiles": 7}}"#).unwrap().settings.batch.is_some());
    assert!(ConfigFile::read(None, &states(), &[]).unwrap().path.is_none());
}

#[test]
fn an_option_for_a_state_that_does_not_exist_names_the_nearest_one() {
    let overrides = [StageOverride { state: "GenerateThumbnail".into(), file: "x.wasm".into() }];
    let error = ConfigFile::read(None, &states(), &overrides).unwrap_err().to_string();
    assert!(error.contains("did you mean \"GenerateThumbnails\"?"), "{error}");
}

#[test]
fn a_component_that_is_not_there_is_named_with_its_state() {
    let overrides = [StageOverride { state: "GenerateThumbnails".into(), file: "/no/such.wasm".into() }];
    let error = ConfigFile::read(None, &states(), &overrides).unwrap_err();
    assert_eq!(crate::exit::of_error(&error), crate::exit::Exit::Usage);
    assert!(error.to_string().contains("--stage GenerateThumbnails /no/such.wasm"), "{error}");
}

#[test]
fn more_memory_than_a_function_can_have_is_refused() {
    let limits =
        |mib: u32| format!("{{\"states\": {{\"GenerateThumbnails\": {{\"limits\": {{\"memoryMib\": {mib}}}}}}}}}");
    assert!(read(&limits(10_240)).is_ok());
    let text = refusal(&limits(99_999_999));
    assert!(text.contains("memoryMib") && text.contains("10240"), "{text}");
}
