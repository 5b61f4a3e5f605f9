//! What a function refuses although a trusted key has signed it: each for a reason of its own, and by a process that has seen
//! nothing yet. And what the command refuses before it comes to that.

use axum::{Json, Router};
use serde_json::{Value, json};
use stagehost_registry::{SigningKey, seal};
use stagehost_tests::guest;
use stagehost_tests::package::{package, package_with, state};
use stagehost_tests::versions::version;

use crate::desk::Desk;
use crate::surroundings::{Host, rewrite, started_with};

const STATE: &str = "ValidateRawAssets";

/// Starts a function that follows the pins in the bucket with these variables. `pins` are in force there.
async fn started_on(pins: &Value, key: &SigningKey, more: &[(&'static str, String)]) -> Host {
    let host = started_with(package().unwrap(), |_| {
        let mut variables = vec![
            ("PINS", "s3://toq-listing-medias/pipeline/pins".to_owned()),
            ("PINS_MAX_AGE", "0".to_owned()),
            ("TRUSTED_KEYS", key.public().to_string()),
        ];
        variables.extend(more.iter().cloned());
        variables
    })
    .await;
    let place = host.object("pipeline/pins/pins.json");
    std::fs::create_dir_all(place.parent().unwrap()).unwrap();
    let envelope = seal("application/vnd.stagehost.pins.v1+json", pins.to_string().as_bytes(), key);
    rewrite(&place, &String::from_utf8(envelope).unwrap());
    host
}

/// Returns the package's pins as revision 7 of an environment.
fn pins_for(environment: &str) -> Value {
    let shipped = std::fs::read(package().unwrap().folder.join("pins.json")).unwrap();
    let mut pins: Value = serde_json::from_slice(&shipped).unwrap();
    pins["revision"] = json!(7);
    pins["environment"] = json!(environment);
    pins
}

/// Invokes the function for the first state. Returns the error's name and message.
async fn refusal(host: &Host) -> (String, String) {
    let error = host.invoke(&state(STATE, host.one_photo(51))).await.expect_err("it ran");
    host.assert_healthy().await;
    (error.error_type, error.error_message)
}

/// Starts a Parameter Store in which every parameter is this number. Returns its address.
async fn parameters(number: u64) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = json!({"Parameter": {"Type": "String", "Value": number.to_string(), "Version": 3}});
    let app = Router::new().fallback(move || async move { Json(answer) });
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

#[tokio::test]
async fn a_function_that_starts_refuses_the_pins_of_another_environment() {
    let key = SigningKey::generate().unwrap();
    let (name, said) = refusal(&started_on(&pins_for("staging"), &key, &[]).await).await;
    assert_eq!(name, "Host.NoPin");
    assert!(said.contains("are signed for the environment staging, but this is test"), "{said}");

    let mut unbound = pins_for("");
    unbound.as_object_mut().unwrap().remove("environment");
    let (name, said) = refusal(&started_on(&unbound, &key, &[]).await).await;
    assert_eq!(name, "Host.NoPin");
    assert!(said.contains("for no environment") && said.contains("stagehost pins resign"), "{said}");
}

#[tokio::test]
async fn a_function_that_starts_refuses_pins_below_the_floor() {
    let key = SigningKey::generate().unwrap();
    let floor = "arn:aws:ssm:us-east-1:000000000000:parameter/listing-media-processing/test/pins-floor".to_owned();
    let in_store = vec![("PINS_FLOOR", floor), ("AWS_ENDPOINT_URL_SSM", parameters(8).await)];
    for floor in [vec![("PINS_MIN_REVISION", "8".to_owned())], in_store.clone()] {
        let (name, said) = refusal(&started_on(&pins_for("test"), &key, &floor).await).await;
        assert_eq!(name, "Host.NoPin");
        assert!(said.contains("are revision 7, but nothing below 8 may be in force"), "{said}");
    }
    let mut newer = pins_for("test");
    newer["revision"] = json!(8);
    let host = started_on(&newer, &key, &in_store).await;
    assert_eq!(host.state(STATE, host.one_photo(51)).await["revision"], 8);
}

#[tokio::test]
async fn a_function_that_starts_refuses_pins_by_a_key_for_stages() {
    let key = SigningKey::generate().unwrap();
    let trusted = [("TRUSTED_KEYS", format!("stages:{}", key.public()))];
    let (name, said) = refusal(&started_on(&pins_for("test"), &key, &trusted).await).await;
    assert_eq!(name, "Host.NoPin");
    assert!(said.contains(&key.public().id()) && said.contains("not trusted to change pins"), "{said}");
}

/// A desk with the package's pins as revision 1 and version 0.2.0 of the stage published.
fn desk() -> Desk {
    let desk = Desk::new(&package().unwrap().folder);
    publish(&desk, 2);
    desk
}

fn publish(desk: &Desk, number: u8) {
    let component = desk.path(&format!("version-{number}.wasm"));
    std::fs::write(&component, version("version_asset", number).unwrap()).unwrap();
    desk.publish(&component, &format!("0.{number}.0"));
}

fn change(desk: &Desk, arguments: &[&str]) -> Value {
    desk.done(&[&["pins"], arguments, &["--why", "a test"]].concat())
}

fn change_refused(desk: &Desk, arguments: &[&str]) -> String {
    desk.refused(&[&["pins"], arguments, &["--why", "a test"]].concat())
}

/// Replaces the keys that a function trusts.
fn trusting(mut variables: Vec<(&'static str, String)>, keys: &str) -> Vec<(&'static str, String)> {
    variables.retain(|(name, _)| *name != "TRUSTED_KEYS");
    variables.push(("TRUSTED_KEYS", keys.to_owned()));
    variables
}

#[tokio::test]
async fn a_function_that_starts_refuses_stages_by_a_key_for_pins() {
    let desk = desk();
    change(&desk, &["set", STATE, "0.2.0"]);
    let keys = desk.done(&["keys", "role", "release", "pins"])["public"].as_str().unwrap().to_owned();
    assert!(keys.starts_with("pins:ed25519:"), "{keys}");
    let host = started_with(package().unwrap(), |_| {
        // Nothing runs in the place of revision 2.
        let floor = ("PINS_MIN_REVISION", "2".to_owned());
        trusting(desk.environment("0"), &keys).into_iter().chain([floor]).collect()
    })
    .await;
    let (name, said) = refusal(&host).await;
    assert_eq!(name, "Host.BadStage");
    assert!(said.contains("validate@0.2.0") && said.contains("not trusted to publish stages"), "{said}");
}

#[test]
fn a_key_does_on_the_command_line_what_its_role_says() {
    let desk = desk();
    desk.done(&["keys", "role", "release", "pins"]);
    desk.done(&["keys", "new", "build", "--role", "stages"]);
    let roles: Vec<_> =
        desk.done(&["keys", "list"]).as_array().unwrap().iter().map(|key| key["role"].clone()).collect();
    assert_eq!(roles, ["stages", "pins"]);

    let said = change_refused(&desk, &["record", STATE, "--percent", "1", "--key", "build"]);
    assert!(said.contains("its role is stages, and it may not change pins"), "{said}");
    let file = desk.path("version-2.wasm").display().to_string();
    let publish = ["stage", "publish", &file, "--name", "validate", "--version", "0.9.0", "--key", "release"];
    let said = desk.refused(&publish);
    assert!(said.contains("its role is pins, and it may not publish stages"), "{said}");
    assert_eq!(change(&desk, &["record", STATE, "--percent", "1"])["revision"], 2, "the key that may is found");

    // What only the key for pins has signed is no stage to pin any more; the other one signs it again.
    let said = change_refused(&desk, &["set", STATE, "0.2.0"]);
    assert!(said.contains("not trusted to publish stages"), "{said}");
    desk.done(&["keys", "role", "release", "both"]);
    desk.done(&["stage", "resign", "--all", "--key", "build"]);
    desk.done(&["keys", "role", "release", "pins"]);
    assert_eq!(change(&desk, &["set", STATE, "0.2.0"])["revision"], 3);
}

fn yank(desk: &Desk) {
    desk.done(&["stage", "yank", "validate@0.2.0", "--reason", "writes nonsense", "--by", "anna"]);
}

fn says_who_and_why(said: &str) {
    assert!(said.contains("validate@0.2.0 was yanked by anna on "), "{said}");
    assert!(said.contains(": writes nonsense; "), "{said}");
}

#[test]
fn a_yanked_canary_or_shadow_gets_no_other_role() {
    let desk = desk();
    change(&desk, &["canary", STATE, "0.2.0", "--percent", "5"]);
    yank(&desk);
    says_who_and_why(&change_refused(&desk, &["promote", STATE]));
    says_who_and_why(&change_refused(&desk, &["canary", STATE, "0.2.0", "--percent", "50"]));
    change(&desk, &["abort", STATE]);
    says_who_and_why(&change_refused(&desk, &["shadow", STATE, "0.2.0"]));

    let desk = self::desk();
    change(&desk, &["shadow", STATE, "0.2.0"]);
    yank(&desk);
    says_who_and_why(&change_refused(&desk, &["canary", STATE, "0.2.0", "--percent", "5"]));
    says_who_and_why(&change_refused(&desk, &["set", STATE, "0.2.0"]));
    change(&desk, &["shadow", STATE, "--off"]);
}

#[test]
fn a_rollback_to_a_yanked_version_needs_a_reason_and_keeps_it() {
    let desk = desk();
    change(&desk, &["set", STATE, "0.2.0"]);
    publish(&desk, 3);
    change(&desk, &["set", STATE, "0.3.0"]);
    yank(&desk);
    let said = change_refused(&desk, &["rollback"]);
    says_who_and_why(&said);
    assert!(said.contains("--allow-yanked REASON"), "{said}");
    assert_eq!(change(&desk, &["rollback", "--allow-yanked", "0.3.0 is worse"])["revision"], 4);
    let history = desk.done(&["pins", "history"]);
    assert_eq!(history[0]["change"]["why"], "a test; yanked, and allowed: 0.3.0 is worse");
}

#[tokio::test]
async fn a_revision_is_put_in_force_again_after_the_key_of_older_ones_is_gone() {
    let desk = desk();
    change(&desk, &["set", STATE, "0.2.0"]);
    let new = desk.done(&["keys", "new", "release-2"])["public"].as_str().unwrap().to_owned();
    desk.done(&["stage", "resign", "--all", "--key", "release-2"]);
    assert_eq!(change(&desk, &["resign", "--key", "release-2"])["revision"], 3);
    change(&desk, &["record", STATE, "--percent", "1", "--key", "release-2"]);
    for half in ["keys/release.pem", "keys/release.pub"] {
        std::fs::remove_file(desk.path(half)).unwrap();
    }

    let history = desk.done(&["pins", "history"]);
    let shown: Vec<_> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["revision"].as_u64().unwrap(), entry["refused"].as_str().map(str::to_owned)))
        .collect();
    let trusted: Vec<_> = shown.iter().map(|(revision, refused)| (*revision, refused.is_none())).collect();
    assert_eq!(trusted, [(4, true), (3, true), (2, false), (1, false)]);
    assert!(shown[2].1.as_ref().unwrap().contains("which is not trusted"), "{shown:?}");

    assert_eq!(change(&desk, &["rollback"])["revision"], 5, "to revision 3");
    let said = change_refused(&desk, &["rollback", "1"]);
    assert!(said.contains("revision 1 cannot be put in force again") && said.contains("is not trusted"), "{said}");
    let host = started_with(package().unwrap(), |_| trusting(desk.environment("0"), &new)).await;
    assert_eq!(host.state(STATE, host.one_photo(51)).await["revision"], 5);
}

#[test]
fn the_command_refuses_pins_of_another_environment_than_the_named_one() {
    let desk = desk();
    let set = ["set", STATE, "0.2.0", "--environment", "production"];
    let said = change_refused(&desk, &set);
    assert!(said.contains("for the environment test, but this is production"), "{said}");
    let said = change_refused(&desk, &["resign", "--environment", "production"]);
    assert!(said.contains("--from-environment test"), "{said}");
    let moved = change(&desk, &["resign", "--environment", "production", "--from-environment", "test"]);
    assert_eq!((&moved["revision"], &moved["environment"]), (&json!(2), &json!("production")));
    assert_eq!(change(&desk, &set)["revision"], 3);
    assert_eq!(desk.done(&["pins", "show"])["environment"], "production");
}

#[test]
fn a_rollback_without_a_number_goes_past_a_revision_that_was_only_signed_again() {
    let desk = desk();
    change(&desk, &["set", STATE, "0.2.0"]);
    change(&desk, &["resign"]);
    let before = desk.done(&["pins", "show"])["states"][STATE]["version"].clone();
    assert_eq!(before, "0.2.0");
    assert_eq!(change(&desk, &["rollback"])["revision"], 4);
    assert_ne!(desk.done(&["pins", "show"])["states"][STATE]["version"], "0.2.0");
}

#[test]
fn a_floor_is_raised_for_its_own_environment_only() {
    let desk = desk();
    let floor = "arn:aws:ssm:us-east-1:000000000000:parameter/listing-media-processing/production/pins-floor";
    let said = change_refused(&desk, &["resign", "--floor", floor]);
    assert!(said.contains("name it with --environment"), "{said}");
    let said = change_refused(&desk, &["resign", "--floor", floor, "--environment", "test"]);
    assert!(said.contains("a parameter of the environment production"), "{said}");
}

#[tokio::test]
async fn a_stage_does_not_reach_the_runtime_api_even_if_its_pin_grants_it() {
    let package =
        package_with("calling", &["--stage", &format!("GenerateThumbnails={}", guest("actor").unwrap().display())])
            .unwrap();
    let mut pins: Value = serde_json::from_slice(&std::fs::read(package.folder.join("pins.json")).unwrap()).unwrap();
    let pin = &mut pins["states"]["GenerateThumbnails"];
    pin["grants"]["http"] = json!(["127.0.0.1:9001"]);
    pin["config"] = json!({"call": "runtime-api"});
    let host = started_with(&package, |folder| {
        let place = folder.join("pins.json");
        std::fs::write(&place, pins.to_string()).unwrap();
        vec![("PINS", place.display().to_string())]
    })
    .await;
    let validated = host.state(STATE, host.one_photo(51)).await;
    let answer = host.state("GenerateThumbnails", validated).await;
    let problem = &answer["assets"][0]["problem"];
    assert_eq!(problem["code"], "Stage.Denied", "{answer:#}");
    assert!(problem["message"].as_str().unwrap().contains("on Lambda no stage may call its own machine"), "{problem}");
    host.assert_healthy().await;
}
