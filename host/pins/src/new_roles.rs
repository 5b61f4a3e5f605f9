//! What a change makes of a version: pinned, canary or shadow. A version that takes on another role is checked again, because
//! it may have been yanked since it got the one before.

use crate::document::{Pin, Pins};

impl Pins {
    /// Returns every pin with a role that it did not have in the pins `before`, each with its state. A canary or a shadow for
    /// more executions than before counts as well; one whose settings alone change does not.
    pub fn in_new_roles<'a>(&'a self, before: &Pins) -> Vec<(&'a str, &'a Pin)> {
        let same = |old: Option<&Pin>, new: &Pin| old.is_some_and(|old| old.loads_same_code_as(new));
        let pinned = self.states.iter().filter(|(state, pin)| !same(before.states.get(*state), pin));
        let canaries = self.canaries.iter().filter(|(state, new)| {
            let old = before.canaries.get(*state).filter(|old| old.percent >= new.percent);
            !same(old.map(|old| &old.pin), &new.pin)
        });
        let shadows = self.shadows.iter().filter(|(state, new)| {
            let old = before.shadows.get(*state).filter(|old| old.percent >= new.percent);
            !same(old.map(|old| &old.pin), &new.pin)
        });
        let all = pinned
            .chain(canaries.map(|(state, canary)| (state, &canary.pin)))
            .chain(shadows.map(|(state, shadow)| (state, &shadow.pin)));
        all.map(|(state, pin)| (state.as_str(), pin)).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::document::tests::{pin, pins};
    use crate::document::{Canary, Pins, Shadow};

    fn canary(percent: u8) -> Canary {
        Canary { percent, abort_above_percent: None, pin: pin("x", "2.0.0", '1') }
    }

    fn versions(next: &Pins, before: &Pins) -> Vec<String> {
        next.in_new_roles(before).iter().map(|(state, pin)| format!("{state} {}", pin.version)).collect()
    }

    #[test]
    fn a_canary_or_a_shadow_that_is_promoted_takes_a_new_role() {
        let tried = pins(1, "1.0.0", '0').with_canary("X", canary(5)).unwrap();
        assert_eq!(versions(&tried, &pins(1, "1.0.0", '0')), ["X 2.0.0"]);
        assert_eq!(versions(&tried.promoting("X").unwrap(), &tried), ["X 2.0.0"]);
        let shadow = Shadow { percent: 5, pin: pin("x", "3.0.0", '2') };
        let watched = tried.with_shadow("X", Some(shadow)).unwrap();
        assert_eq!(versions(&watched.pinning("X", pin("x", "3.0.0", '2')), &watched), ["X 3.0.0"]);
        assert_eq!(
            versions(&watched.with_canary("X", Canary { pin: pin("x", "3.0.0", '2'), ..canary(5) }).unwrap(), &watched),
            ["X 3.0.0"]
        );
    }

    #[test]
    fn a_version_that_moves_to_another_state_takes_a_new_role() {
        let before = pins(1, "1.0.0", '0');
        let mut next = before.clone();
        next.states.insert("Y".into(), pin("x", "1.0.0", '0'));
        assert_eq!(versions(&next, &before), ["Y 1.0.0"]);
    }

    #[test]
    fn more_executions_are_a_new_role_fewer_or_other_settings_are_not() {
        let tried = pins(1, "1.0.0", '0').with_canary("X", canary(5)).unwrap();
        assert_eq!(versions(&tried.with_canary("X", canary(50)).unwrap(), &tried), ["X 2.0.0"]);
        assert!(versions(&tried.with_canary("X", canary(1)).unwrap(), &tried).is_empty());
        assert!(versions(&tried.aborting("X").unwrap(), &tried).is_empty());
        let mut settings = tried.clone();
        settings.states.get_mut("X").unwrap().config.insert("quality".into(), 80.into());
        assert!(versions(&settings, &tried).is_empty());
    }
}
