//! Pins that change under a running function.

use std::path::Path;

use serde_json::{Value, json};
use stagehost_registry::{SigningKey, seal};
use stagehost_tests::package::package;

use crate::surroundings::{Host, rewrite, started_with};

/// Returns the package's pins with another revision and another size limit of the first stage.
fn revision(number: u64, max_file_bytes: u64) -> Value {
    let shipped = std::fs::read(package().unwrap().folder.join("pins.json")).unwrap();
    let mut pins: Value = serde_json::from_slice(&shipped).unwrap();
    pins["revision"] = json!(number);
    // As the function's ENV.
    pins["environment"] = json!("test");
    pins["states"]["ValidateRawAssets"]["config"] = json!({"maxFileBytes": max_file_bytes});
    pins
}

const PLENTY: u64 = 1 << 20;
const NEXT_TO_NOTHING: u64 = 1 << 10;

/// Runs the first state for one photo. Returns the revision and the problem's code.
async fn outcome(host: &Host, batch: &Value) -> (u64, Option<String>) {
    let answer = host.state("ValidateRawAssets", batch.clone()).await;
    let code = answer["assets"][0]["problem"]["code"].as_str().map(str::to_owned);
    (answer["revision"].as_u64().unwrap(), code)
}

/// Changes the pins several times with `write`, to good and to bad ones.
async fn swap_and_refuse(host: &Host, write: impl Fn(&str)) {
    let batch = host.one_photo(51);
    let put = |pins: &Value| write(&pins.to_string());
    assert_eq!(outcome(host, &batch).await, (7, None));

    put(&revision(8, NEXT_TO_NOTHING));
    assert_eq!(outcome(host, &batch).await, (8, Some("Stage.TooLarge".into())), "a new revision is taken over");
    put(&revision(9, PLENTY));
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
        write(&bad);
        host.function.forget_lines();
        assert_eq!(outcome(host, &batch).await, (9, None), "the last good revision serves on instead of {bad}");
        let said = host.function.line(|line| line.contains("refused") && line.contains("ERROR")).await;
        assert!(said.is_some(), "no error in the log: {:#?}", host.function.lines());
    }

    put(&revision(14, NEXT_TO_NOTHING));
    assert_eq!(outcome(host, &batch).await.0, 14, "a good revision is taken over after bad ones");
}

#[tokio::test]
async fn pins_in_a_file_change_without_a_restart_and_bad_ones_are_refused() {
    let place = |folder: &Path| folder.join("pins.json");
    let host = started_with(package().unwrap(), |folder| {
        std::fs::write(place(folder), revision(7, PLENTY).to_string()).unwrap();
        vec![("PINS", place(folder).display().to_string())]
    })
    .await;
    let place = place(host.folder.path());
    swap_and_refuse(&host, |pins| rewrite(&place, pins)).await;
}

#[tokio::test]
async fn pins_in_the_bucket_change_without_a_restart_and_bad_ones_are_refused() {
    let key = SigningKey::generate().unwrap();
    let host = started_with(package().unwrap(), |_| {
        let place = "s3://toq-listing-medias/pipeline/pins".to_owned();
        vec![("PINS", place), ("PINS_MAX_AGE", "0".to_owned()), ("TRUSTED_KEYS", key.public().to_string())]
    })
    .await;
    let place = host.object("pipeline/pins/pins.json");
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    let write = |pins: &str| {
        let envelope = seal("application/vnd.stagehost.pins.v1+json", pins.as_bytes(), &key);
        rewrite(&place, &String::from_utf8(envelope).unwrap());
    };
    write(&revision(7, PLENTY).to_string());
    swap_and_refuse(&host, write).await;

    let unsigned = revision(20, PLENTY).to_string();
    let stranger = SigningKey::generate().unwrap();
    let strange = seal("application/vnd.stagehost.pins.v1+json", unsigned.as_bytes(), &stranger);
    for refused in [unsigned, String::from_utf8(strange).unwrap()] {
        rewrite(&place, &refused);
        assert_eq!(outcome(&host, &host.one_photo(51)).await.0, 14, "{refused} is by nobody whom the function trusts");
    }
    let counted = host.function.line(|line| line.contains("HostErrors") && line.contains("PinsRefused")).await;
    assert!(counted.is_some(), "no alarm rings");
}

#[tokio::test]
async fn without_pins_every_state_is_refused_until_some_are_written() {
    let place = |folder: &Path| folder.join("pins.json");
    let host = started_with(package().unwrap(), |folder| vec![("PINS", place(folder).display().to_string())]).await;
    let batch = host.one_photo(51);
    let payload = stagehost_tests::package::state("ValidateRawAssets", batch.clone());
    assert_eq!(host.invoke(&payload).await.unwrap_err().error_type, "Host.NoPin");
    host.assert_healthy().await;
    rewrite(&place(host.folder.path()), &revision(7, PLENTY).to_string());
    assert_eq!(outcome(&host, &batch).await, (7, None));
}
