//! The pins that a person asks for, made from those in force.

use anyhow::{Context as _, Result};
use stagehost_pins::{Canary, CurrentPins, Pin, PinStore, Pins, Shadow, differences};

use super::candidate::published;
use super::change::{ChangeKind, NextPins, PinsChange};
use crate::exit::usage;

/// Changes a pin's settings.
pub type Settings<'a> = &'a (dyn Fn(&mut Pin) -> Result<()> + Sync);

/// Returns the pins with another version or other settings for a state.
///
/// # Errors
/// If the version is not published, or nothing is pinned yet and no stage is named.
pub async fn set(
    change: &PinsChange<'_>,
    on: &CurrentPins,
    state: &str,
    version: Option<&str>,
    settings: Settings<'_>,
) -> Result<NextPins> {
    let now = on.pins.states.get(state);
    let mut pin = match (version, now) {
        (Some(version), now) => published(change.registry.as_ref(), state, version, now).await?,
        (None, Some(now)) => now.clone(),
        (None, None) => return Err(usage!("nothing is pinned to {state} yet; name a stage as NAME@VERSION")),
    };
    settings(&mut pin)?;
    Ok(NextPins::new(on.pins.pinning(state, pin)))
}

/// Returns the pins with a canary for a state.
///
/// # Errors
/// If the state has no pin, or the version is not published.
pub async fn canary(
    change: &PinsChange<'_>,
    on: &CurrentPins,
    state: &str,
    version: &str,
    (percent, abort_above_percent): (u8, Option<u8>),
    settings: Settings<'_>,
) -> Result<NextPins> {
    let now = on.pins.pinned(state).map_err(|error| usage!("{error}"))?;
    let mut pin = published(change.registry.as_ref(), state, version, Some(now)).await?;
    settings(&mut pin)?;
    let canary = Canary { percent, abort_above_percent, pin };
    Ok(NextPins::new(on.pins.with_canary(state, canary).map_err(|error| usage!("{error}"))?))
}

/// Returns the pins with a state's canary as its pin.
///
/// # Errors
/// If the state has no canary.
pub fn promote(on: &CurrentPins, state: &str) -> Result<NextPins> {
    Ok(NextPins::new(on.pins.promoting(state).map_err(|error| usage!("{error}"))?))
}

/// Returns the pins without a state's canary.
///
/// # Errors
/// If the state has no canary.
pub fn abort(on: &CurrentPins, state: &str) -> Result<NextPins> {
    Ok(NextPins::new(on.pins.aborting(state).map_err(|error| usage!("{error}"))?))
}

/// Returns the pins with a shadow for a state: `version` beside `percent` of the executions; without a version, without a
/// shadow.
///
/// # Errors
/// If the state has no pin, or no shadow to remove, or the version is not published.
pub async fn shadow(
    change: &PinsChange<'_>,
    on: &CurrentPins,
    state: &str,
    version: Option<&str>,
    percent: u8,
    settings: Settings<'_>,
) -> Result<NextPins> {
    let now = on.pins.pinned(state).map_err(|error| usage!("{error}"))?;
    let shadow = match version {
        None => None,
        Some(version) => {
            let mut pin = published(change.registry.as_ref(), state, version, Some(now)).await?;
            settings(&mut pin)?;
            Some(Shadow { percent, pin })
        }
    };
    Ok(NextPins::new(on.pins.with_shadow(state, shadow).map_err(|error| usage!("{error}"))?))
}

/// Returns the pins of an earlier revision, by default those before the pins in force.
///
/// # Errors
/// If that was never in force, is revoked, or is not to be trusted.
pub async fn rollback(
    store: &PinStore,
    on: &CurrentPins,
    revision: Option<u64>,
    allow_yanked: Option<String>,
) -> Result<NextPins> {
    let restores = match revision {
        Some(revision) => revision,
        None => before(store, &on.pins).await?,
    };
    // Not every stored revision was in force: another change may have been faster.
    let earlier = store.was_in_force(&on.pins, restores).await;
    let earlier = earlier.with_context(|| format!("revision {restores} cannot be put in force again"))?;
    let Some(earlier) = earlier else {
        return Err(usage!("revision {restores} was never in force; `stagehost pins history` lists those that were"));
    };
    if on.pins.revoked.contains(&restores) {
        return Err(usage!("revision {restores} is revoked; `stagehost pins history` lists the others"));
    }
    Ok(NextPins { kind: ChangeKind::Rollback { restores, allow_yanked }, pins: on.pins.rolled_back_to(&earlier) })
}

/// Returns the newest revision before this one with other pins; one that was only signed again has the same. For pins that
/// were put in force again it is the one before those, so that a second rollback does not undo the first.
async fn before(store: &PinStore, pins: &Pins) -> Result<u64> {
    let mut at = pins.clone();
    loop {
        if let Some(restored) =
            at.change.as_ref().and_then(|change| change.restores).filter(|restored| *restored < at.revision)
        {
            at = store.revision(restored).await?;
        }
        let previous = at.change.as_ref().and_then(|change| change.previous).filter(|previous| *previous < at.revision);
        let previous =
            previous.ok_or_else(|| usage!("there are no pins before those of revision {}", pins.revision))?;
        at = store.revision(previous).await?;
        if !differences(pins, &pins.rolled_back_to(&at)).is_empty() {
            return Ok(previous);
        }
    }
}

/// Returns the pins with a revoked revision.
///
/// # Errors
/// If the revision is in force, does not exist, or is revoked already.
pub fn revoke(on: &CurrentPins, revision: u64) -> Result<NextPins> {
    Ok(NextPins::new(on.pins.revoking(revision).map_err(|error| usage!("{error}"))?))
}
