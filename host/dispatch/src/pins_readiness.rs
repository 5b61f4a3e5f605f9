//! Whether a revision of the pins can take effect in this process: whether it may, and whether its stages are loaded.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use stagehost_batch::Case;
use stagehost_pins::{Pin, Pins};
use tokio::task::JoinSet;

use crate::awake::awake;
use crate::error::DispatchError;
use crate::stage_source::StageSource;

/// Whether a revision can take effect.
#[derive(Debug)]
pub(crate) enum Readiness {
    /// It can.
    Ready,
    /// It cannot. Waiting does not help, but what is missing may be added.
    Broken(DispatchError),
    /// Not yet: something has not answered. The text says what.
    Late(String),
}

/// Decides whether `offered` may follow the pins in force, before any of its stages is loaded. A source of pins has already
/// checked where they are from.
fn may_follow(accepted: &Pins, offered: &Pins) -> Result<(), DispatchError> {
    // A rollback may go back to before a state had a pin. Processes that start accept it, so this one must, too.
    if offered.change.as_ref().is_some_and(|change| change.restores.is_some()) {
        return Ok(());
    }
    match accepted.states.keys().find(|state| !offered.states.contains_key(*state)) {
        Some(state) => Err(DispatchError::no_pin(format!("it has no pin for {state}, which the one before has"))),
        None => Ok(()),
    }
}

/// Loads what `offered` changes, all stages at the same time, for at most `bound`. Without `accepted`, in a process that has
/// no pins in force yet, stages are only checked where that is certain enough, so that a cold start need not load them all.
pub(crate) async fn readiness(
    stages: &Arc<dyn StageSource>,
    accepted: Option<&Pins>,
    offered: &Pins,
    bound: Duration,
) -> Readiness {
    if let Some(accepted) = accepted
        && let Err(error) = may_follow(accepted, offered)
    {
        return Readiness::Broken(error);
    }
    let cold = accepted.is_none();
    // By state: a stage that another state has may never have been called here, and so not be loaded.
    let known: Vec<_> = accepted.into_iter().flat_map(Pins::pins).collect();
    let mut missing: Vec<&Pin> = Vec::new();
    for (state, pin) in offered.pins() {
        let was_loaded = known.iter().any(|(of, other)| *of == state && other.loads_same_code_as(pin));
        if !was_loaded && !missing.iter().any(|other| other.loads_same_code_as(pin)) {
            missing.push(pin);
        }
    }
    let mut names: BTreeSet<String> = missing.iter().map(ToString::to_string).collect();
    // They are aborted if this ends before them.
    let mut loads = JoinSet::new();
    for pin in missing {
        let (stages, pin) = (stages.clone(), pin.clone());
        loads.spawn(async move {
            let loaded = if cold { stages.check(&pin).await } else { stages.stage(&pin).await.map(drop) };
            (pin.to_string(), loaded)
        });
    }
    let mut late = None;
    let all = async {
        while let Some(joined) = loads.join_next().await {
            match joined {
                Ok((name, Ok(()))) => {
                    names.remove(&name);
                }
                Ok((_, Err(error))) if is_transient(&error) => late = Some(error.to_string()),
                Ok((_, Err(error))) => return Some(error),
                Err(panicked) => return Some(DispatchError::bad_stage(format!("loading a stage: {panicked}"))),
            }
        }
        None
    };
    let broken = tokio::select! {
        biased;
        broken = all => broken,
        () = awake(bound) => {
            let names: Vec<_> = names.into_iter().collect();
            let (names, seconds) = (names.join(", "), bound.as_secs());
            return Readiness::Late(format!("not loaded within {seconds} s: {names}"));
        }
    };
    match (broken, late) {
        (Some(error), _) => Readiness::Broken(error),
        (None, Some(error)) => Readiness::Late(error),
        (None, None) => Readiness::Ready,
    }
}

/// Returns whether another try may succeed.
pub(crate) fn is_transient(error: &DispatchError) -> bool {
    error.error_type == Case::Transient.name()
}
