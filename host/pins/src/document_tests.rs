#![allow(clippy::unwrap_used)]
use serde_json::json;

use super::*;

/// Returns a pin of the stage `name` whose digest repeats `digit`.
pub(crate) fn pin(name: &str, version: &str, digit: char) -> Pin {
    let digest = format!("sha256:{}", digit.to_string().repeat(64));
    let pin = json!({"stage": name, "version": version, "world": "custom", "digest": digest});
    serde_json::from_value(pin).unwrap()
}

/// Returns pins for one state, `X`.
pub(crate) fn pins(revision: u64, version: &str, digit: char) -> Pins {
    let states = BTreeMap::from([("X".to_owned(), pin("x", version, digit))]);
    Pins { revision, ..Pins::new(BatchLimits::default(), states) }
}

fn refusal(change: impl FnOnce(&mut Value)) -> String {
    let mut document = serde_json::to_value(pins(1, "1.0.0", '0')).unwrap();
    change(&mut document);
    Pins::parse(&serde_json::to_vec(&document).unwrap(), "pins.json").unwrap_err().to_string()
}

#[test]
fn written_pins_are_read_back_unchanged() {
    let mut pins = pins(7, "1.0.0", '0');
    pins.canaries.insert("X".into(), Canary { percent: 5, abort_above_percent: Some(10), pin: pin("x", "2.0.0", '1') });
    pins.shadows.insert("X".into(), Shadow { percent: 100, pin: pin("x", "3.0.0", '2') });
    pins.recordings.insert("X".into(), 1);
    pins.revoked.insert(3);
    pins.change =
        Some(Change { by: "me".into(), at: "now".into(), why: "new".into(), previous: Some(6), restores: None });
    assert_eq!(Pins::parse(&serde_json::to_vec(&pins).unwrap(), "t").unwrap(), pins);
    assert_eq!(pins.pins().count(), 3);
}

#[test]
fn a_pin_must_name_exact_bytes() {
    assert!(refusal(|pins| pins["states"]["X"]["digest"] = json!("latest")).contains("latest"));
    assert!(refusal(|pins| pins["states"]["X"]["digest"] = json!(format!("sha256:{}", "A".repeat(64)))).contains("64"));
}

#[test]
fn a_grant_of_everything_or_of_the_hosts_own_documents_is_refused() {
    assert!(refusal(|pins| pins["states"]["X"]["grants"] = json!({"read": [""]})).contains("every object"));
    assert!(refusal(|pins| pins["states"]["X"]["grants"] = json!({"write": ["pipeline/pins/"]})).contains("own"));
}

#[test]
fn a_misspelt_field_is_refused_and_named() {
    assert!(refusal(|pins| pins["states"]["X"]["confg"] = json!({})).contains("confg"));
    assert!(refusal(|pins| pins["canary"] = json!({})).contains("canary"));
}

#[test]
fn a_candidate_needs_a_pin_of_its_state_the_same_world_and_a_valid_share() {
    let candidate = serde_json::to_value(pin("x", "2.0.0", '1')).unwrap();
    let canary = |percent: u8| json!({"percent": percent, "pin": candidate});
    assert!(refusal(|pins| pins["canaries"] = json!({"Y": canary(5)})).contains("no pin beside it"));
    for percent in [0, 100, 255] {
        assert!(refusal(|pins| pins["canaries"] = json!({"X": canary(percent)})).contains("1 to 99"));
    }
    assert!(refusal(|pins| pins["shadows"] = json!({"X": canary(101)})).contains("1 to 100"));
    let mut elsewhere = canary(5);
    elsewhere["pin"]["world"] = json!("validate");
    assert!(refusal(|pins| pins["canaries"] = json!({"X": elsewhere})).contains("another world"));
    assert!(refusal(|pins| pins["recordings"] = json!({"X": 0})).contains("recording"));
}

#[test]
fn shares_are_about_right_and_growing_shares_keep_their_executions() {
    let mut pins = pins(1, "1.0.0", '0');
    pins.canaries.insert("X".into(), Canary { percent: 20, abort_above_percent: None, pin: pin("x", "2.0.0", '1') });
    let chosen = |pins: &Pins, name: &str| pins.choose("X", name).unwrap().role == Role::Canary;
    let names: Vec<_> = (0..2000).map(|n| format!("51-{n}-{n}-0")).collect();
    let first: Vec<_> = names.iter().filter(|name| chosen(&pins, name)).collect();
    assert!((300..500).contains(&first.len()), "{} of 2000 are no 20 %", first.len());

    pins.canaries.get_mut("X").unwrap().percent = 60;
    assert!(first.iter().all(|name| chosen(&pins, name)), "a growing share keeps its executions");
    assert!(pins.choose("Y", "a").is_none(), "a state without a pin has no candidate");
}
