//! Pins that change under a running function.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stagehost_tests::package::package;

use crate::surroundings::{Host, rewrite, started_with};

/// The package's pins with another revision, and the largest file that the first stage takes.
fn revision(number: u64, max_file_bytes: u64) -> Value {
    let shipped = std::fs::read(package().unwrap().folder.join("pins.json")).unwrap();
    let mut pins: Value = serde_json::from_slice(&shipped).unwrap();
    pins["revision"] = json!(number);
    pins["states"]["ValidateRawAssets"]["config"] = json!({"maxFileBytes": max_file_bytes});
    pins
}

const PLENTY: u64 = 1 << 20;
const NEXT_TO_NOTHING: u64 = 1 << 10;

/// What the first state makes of one photo: the revision, and the problem's code.
async fn outcome(host: &Host, batch: &Value) -> (u64, Option<String>) {
    let answer = host.state("ValidateRawAssets", batch.clone()).await;
    let code = answer["assets"][0]["problem"]["code"].as_str().map(str::to_owned);
    (answer["revision"].as_u64().unwrap(), code)
}

async fn swap_and_refuse(host: &Host, place: &Path) {
    let batch = host.one_photo(51);
    let write = |pins: &Value| rewrite(place, &pins.to_string());
    assert_eq!(outcome(host, &batch).await, (7, None));

    write(&revision(8, NEXT_TO_NOTHING));
    assert_eq!(outcome(host, &batch).await, (8, Some("Stage.TooLarge".into())), "a new revision is taken over");
    write(&revision(9, PLENTY));
    assert_eq!(outcome(host, &batch).await, (9, None), "and the next one");

    let mut unknown = revision(10, NEXT_TO_NOTHING);
    unknown["states"]["ValidateRawAssets"]["digest"] = json!(format!("sha256:{}", "0".repeat(64)));
    let mut greedy = revision(11, NEXT_TO_NOTHING);
    greedy["states"]["ValidateRawAssets"]["grants"]["read"] = json!([""]);
    let mut incomplete = revision(12, NEXT_TO_NOTHING);
    incomplete["states"].as_object_mut().unwrap().remove("FinalizeAndCallback");
    let mut misspelt = revision(13, NEXT_TO_NOTHING);
    misspelt["states"]["ValidateRawAssets"]["confg"] = json!({});
    for bad in [unknown.to_string(), greedy.to_string(), incomplete.to_string(), misspelt.to_string(), "{".to_owned()] {
        rewrite(place, &bad);
        host.function.forget_lines();
        assert_eq!(outcome(host, &batch).await, (9, None), "the last good revision serves on instead of {bad}");
        let said = host.function.line(|line| line.contains("refused") && line.contains("ERROR")).await;
        assert!(said.is_some(), "nobody is told: {:#?}", host.function.lines());
    }

    write(&revision(14, NEXT_TO_NOTHING));
    assert_eq!(outcome(host, &batch).await.0, 14, "a good revision is taken over after bad ones");
}

#[tokio::test]
async fn pins_in_a_file_change_without_a_restart_and_never_to_the_worse() {
    let place = |folder: &Path| folder.join("pins.json");
    let host = started_with(package().unwrap(), |folder| {
        std::fs::write(place(folder), revision(7, PLENTY).to_string()).unwrap();
        vec![("PINS", place(folder).display().to_string())]
    })
    .await;
    swap_and_refuse(&host, &place(host.folder.path())).await;
}

#[tokio::test]
async fn pins_in_the_bucket_change_without_a_restart_and_never_to_the_worse() {
    let host = started_with(package().unwrap(), |_| {
        let object = "s3://toq-listing-medias/pipeline/pins.json".to_owned();
        vec![("PINS", object), ("PINS_MAX_AGE", "0".to_owned())]
    })
    .await;
    let place: PathBuf = host.object("pipeline/pins.json");
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    rewrite(&place, &revision(7, PLENTY).to_string());
    swap_and_refuse(&host, &place).await;
}

#[tokio::test]
async fn without_any_pins_every_state_is_refused_and_the_process_waits_for_some() {
    let place = |folder: &Path| folder.join("pins.json");
    let host = started_with(package().unwrap(), |folder| vec![("PINS", place(folder).display().to_string())]).await;
    let batch = host.one_photo(51);
    let payload = stagehost_tests::package::state("ValidateRawAssets", batch.clone());
    assert_eq!(host.invoke(&payload).await.unwrap_err().error_type, "Host.NoPin");
    host.assert_healthy().await;
    rewrite(&place(host.folder.path()), &revision(7, PLENTY).to_string());
    assert_eq!(outcome(&host, &batch).await, (7, None));
}
