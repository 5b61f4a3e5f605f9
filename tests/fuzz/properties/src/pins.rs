//! The document of the pins.

use stagehost_pins::{Pins, Role, differences};

/// Any document is refused or obeys the rules: it is the same when it is written and read again, every candidate stands
/// beside a pin of its own world, and the choice for an execution depends on its name only.
pub fn check(bytes: &[u8]) {
    let pins = match Pins::parse(bytes, "pins.json") {
        Ok(pins) => pins,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let written = match serde_json::to_vec(&pins) {
        Ok(written) => written,
        Err(error) => panic!("not written: {error}"),
    };
    match Pins::parse(&written, "pins.json") {
        Ok(again) => assert_eq!(again, pins, "read again"),
        Err(error) => panic!("what was written is refused: {error}"),
    }
    assert!(differences(&pins, &pins).is_empty(), "it differs from itself");
    for (state, pin) in pins.pins() {
        assert!(pins.states.get(state).is_some_and(|pinned| pinned.world == pin.world), "{state}");
        for execution in ["a", "b", "listing-51_job-4_retry-0"] {
            let chosen = pins.choose(state, execution);
            assert!(chosen.is_some_and(|choice| choice.role == Role::Pinned || pins.canaries.contains_key(state)));
            let again = pins.choose(state, execution);
            assert_eq!(chosen.map(|choice| choice.pin), again.map(|choice| choice.pin));
        }
    }
    let restored = pins.rolled_back_to(&pins);
    assert_eq!(restored, pins, "rolled back to itself");
}
