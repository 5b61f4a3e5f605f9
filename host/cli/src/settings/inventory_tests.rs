#![allow(clippy::unwrap_used)]

use std::path::Path;

use super::*;
use crate::settings::schema::schema;
use crate::settings::stage_schema::of_state;
use crate::settings::state_defaults::RELEASE;

fn settings(text: &str) -> Vec<Setting> {
    let states: Vec<String> = RELEASE.iter().map(|defaults| defaults.state.to_owned()).collect();
    let schema = schema(&states, &[]).unwrap();
    let file = ConfigFile::of_text(Path::new("my.json"), text.to_owned(), &schema).unwrap();
    let known: Vec<_> = states.iter().map(|state| (state.clone(), of_state(state, &[]).unwrap())).collect();
    of_file(&file, &schema, &known)
}

fn setting(all: &[Setting], state: &str, name: &str) -> Setting {
    let group = if state.is_empty() { Group::Batch } else { Group::State(state.to_owned()) };
    all.iter().find(|setting| setting.group == group && setting.name == name).unwrap().clone()
}

#[test]
fn without_a_file_every_value_is_its_default() {
    let all = settings("{}");
    for setting in &all {
        assert_eq!((&setting.value, &setting.from), (&setting.default, &Origin::Default), "{}", setting.name);
    }
    assert_eq!(setting(&all, "", "maxFiles").value, Some(json!(60)));
    assert_eq!(setting(&all, "GenerateThumbnails", "limits.memoryMib").value, Some(json!(512)));
    assert_eq!(setting(&all, "CreateZipBundle", "grants.write").value, Some(json!(["{listingId}/zip/"])));
    assert_eq!(setting(&all, "FinalizeAndCallback", "config.attempts").value, Some(json!(4)));
}

#[test]
fn a_value_of_the_file_has_its_place() {
    let all = settings("{\"states\":\n {\"CreateZipBundle\": {\"config\": {\"bundles\": [\"complete\"]}}}}");
    let bundles = setting(&all, "CreateZipBundle", "config.bundles");
    assert_eq!(bundles.value, Some(json!(["complete"])));
    assert_eq!(bundles.default, Some(json!(["complete", "originals", "thumbnails"])));
    let Origin::File { pointer, position, .. } = bundles.from else { panic!("{:?}", bundles.from) };
    assert_eq!(pointer, "/states/CreateZipBundle/config/bundles");
    assert_eq!(position.unwrap().to_string(), "2:34");
}

#[test]
fn limits_given_in_part_replace_the_state_s_own_as_a_whole() {
    let all = settings(r#"{"states": {"ValidateRawAssets": {"limits": {"memoryMib": 96}}}}"#);
    let deadline = setting(&all, "ValidateRawAssets", "limits.deadlineMs");
    assert_eq!((deadline.value, deadline.default), (Some(json!(60_000)), Some(json!(120_000))));
    let Origin::File { pointer, .. } = deadline.from else { panic!("{:?}", deadline.from) };
    assert_eq!(pointer, "/states/ValidateRawAssets/limits");
}

#[test]
fn quotas_given_in_part_leave_the_others_at_their_defaults() {
    let all = settings(r#"{"states": {"ProcessVideos": {"limits": {"quotas": {"jobs": 1000}}}}}"#);
    let jobs = setting(&all, "ProcessVideos", "limits.quotas.jobs");
    assert_eq!((jobs.value, jobs.default), (Some(json!(1000)), Some(json!(256))));
    let Origin::File { pointer, .. } = jobs.from else { panic!("{:?}", jobs.from) };
    assert_eq!(pointer, "/states/ProcessVideos/limits/quotas/jobs");
    let deliveries = setting(&all, "ProcessVideos", "limits.quotas.deliveries");
    assert_eq!((deliveries.value, deliveries.from), (Some(json!(32)), Origin::Default));
}

#[test]
fn with_widths_alone_no_boxes_are_made_and_a_rule_says_so() {
    let all = settings(r#"{"states": {"GenerateThumbnails": {"config": {"widths": [200]}}}}"#);
    let boxes = setting(&all, "GenerateThumbnails", "config.boxes");
    assert_eq!(boxes.value, Some(json!([])));
    assert!(matches!(boxes.from, Origin::Rule { .. }), "{:?}", boxes.from);
}

#[test]
fn settings_of_a_stage_without_a_schema_are_listed_as_they_are() {
    let known = StageSettings { source: StageSource::Missing, schema: None };
    let states = ["AddNotes".to_owned()];
    let schema = schema(&states, &[]).unwrap();
    let text = r#"{"states": {"AddNotes": {"config": {"colour": "red"}}}}"#;
    let file = ConfigFile::of_text(Path::new("my.json"), text.to_owned(), &schema).unwrap();
    let all = of_file(&file, &schema, &[("AddNotes".to_owned(), known)]);
    let colour = setting(&all, "AddNotes", "config.colour");
    assert_eq!((colour.value, colour.default), (Some(json!("red")), None));
    assert!(matches!(colour.from, Origin::File { .. }));
}

#[test]
fn a_secret_variable_is_named_and_never_shown() {
    let all = of_environment(|name| match name {
        "CALLBACK_SECRET" | "AWS_SECRET_ACCESS_KEY" => Some("hush".to_owned()),
        "PINS_MAX_AGE" => Some("9".to_owned()),
        "ENV" => Some(" ".to_owned()),
        _ => None,
    });
    assert!(!serde_json::to_string(&all).unwrap().contains("hush"));
    let named = |name: &str| all.iter().find(|setting| setting.name == name).unwrap();
    assert!(matches!(named("CALLBACK_SECRET").from, Origin::Environment { secret: true, .. }));
    assert_eq!(named("CALLBACK_SECRET").value, None);
    assert_eq!(named("PINS_MAX_AGE").value, Some(json!("9")));
    assert_eq!((&named("ENV").value, &named("ENV").from), (&Some(json!("unknown")), &Origin::Default));
}
