//! From one revision of the pins to the next without a gap.
//!
//! A new revision is taken over only when everything that it changes has been found and loaded. Until then, and for good
//! if something of it is missing or broken, the one before serves on; calls under way finish with what they began with.

use std::sync::{Arc, Mutex, PoisonError};

use crate::dispatcher::StageSource;
use crate::error::DispatchError;
use crate::pins::{PinSource, Pins};

/// The pins that are in force.
pub(crate) struct Revisions {
    source: Arc<dyn PinSource>,
    stages: Arc<dyn StageSource>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// In force.
    accepted: Option<Arc<Pins>>,
    /// Tried and found wanting; not tried again until it changes.
    refused: Option<Arc<Pins>>,
}

impl Revisions {
    pub(crate) fn new(source: Arc<dyn PinSource>, stages: Arc<dyn StageSource>) -> Self {
        Self { source, stages, state: Mutex::default() }
    }

    /// The pins in force, after a look at whether there are new ones.
    pub(crate) async fn current(&self) -> Result<Arc<Pins>, DispatchError> {
        let offered = self.source.current().await.map_err(|e| DispatchError::no_pin(e.to_string()))?;
        let accepted = {
            let mut state = self.state();
            match &state.accepted {
                // The first one is taken as it is: what of it is broken refuses its own state when that is called, and
                // a cold start loads one stage and not all of them.
                None => {
                    state.accepted = Some(offered.clone());
                    return Ok(offered);
                }
                Some(accepted) if Arc::ptr_eq(accepted, &offered) || **accepted == *offered => {
                    return Ok(accepted.clone());
                }
                Some(accepted) if state.refused.as_ref().is_some_and(|refused| **refused == *offered) => {
                    return Ok(accepted.clone());
                }
                Some(accepted) => accepted.clone(),
            }
        };
        let (from, to) = (accepted.revision, offered.revision);
        match self.load_changes(&accepted, &offered).await {
            Ok(()) => {
                tracing::info!(from, to, "new pins in force");
                self.state().accepted = Some(offered.clone());
                Ok(offered)
            }
            Err(error) => {
                tracing::error!(from, to, %error, "new pins refused; the last good revision serves on");
                self.state().refused = Some(offered);
                Ok(accepted)
            }
        }
    }

    async fn load_changes(&self, accepted: &Pins, offered: &Pins) -> Result<(), DispatchError> {
        for state in accepted.states.keys() {
            if !offered.states.contains_key(state) {
                return Err(DispatchError::no_pin(format!("it has no pin for {state}, which the one before has")));
            }
        }
        for (state, pin) in &offered.states {
            let before = accepted.states.get(state);
            if before.is_none_or(|before| (&before.digest, before.world) != (&pin.digest, pin.world)) {
                self.stages.stage(pin).await?;
            }
        }
        Ok(())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use async_trait::async_trait;
    use serde_json::json;
    use stagehost_runtime::Stage;

    use super::*;
    use crate::pins::{Pin, PinError};

    struct Offered(Mutex<Arc<Pins>>);

    #[async_trait]
    impl PinSource for Offered {
        async fn current(&self) -> Result<Arc<Pins>, PinError> {
            Ok(self.0.lock().unwrap().clone())
        }
    }

    /// Has no stage at all, and counts how often it was asked for one.
    #[derive(Default)]
    struct Empty(Mutex<u32>);

    #[async_trait]
    impl StageSource for Empty {
        async fn stage(&self, pin: &Pin) -> Result<Arc<Stage>, DispatchError> {
            *self.0.lock().unwrap() += 1;
            Err(DispatchError::bad_stage(format!("no {}", pin.digest)))
        }
    }

    fn pins(revision: u64, digit: &str, quality: u32) -> Arc<Pins> {
        let pin = json!({
            "stage": "x", "version": "1.0.0", "world": "custom", "config": {"quality": quality},
            "digest": format!("sha256:{}", digit.repeat(64)),
        });
        let text = json!({"revision": revision, "states": {"X": pin}}).to_string();
        Arc::new(Pins::parse(text.as_bytes(), "test").unwrap())
    }

    #[tokio::test]
    async fn a_revision_whose_stage_cannot_be_loaded_is_tried_once_and_the_last_good_one_serves_on() {
        let (source, stages) = (Arc::new(Offered(Mutex::new(pins(1, "0", 85)))), Arc::new(Empty::default()));
        let revisions = Revisions::new(source.clone(), stages.clone());
        assert_eq!(revisions.current().await.unwrap().revision, 1);
        *source.0.lock().unwrap() = pins(2, "1", 85);
        for _ in 0..3 {
            assert_eq!(revisions.current().await.unwrap().revision, 1);
        }
        assert_eq!(*stages.0.lock().unwrap(), 1);
        // One that changes no bytes needs none loaded.
        *source.0.lock().unwrap() = pins(3, "0", 70);
        assert_eq!(revisions.current().await.unwrap().revision, 3);
    }

    #[tokio::test]
    async fn a_revision_that_forgets_a_state_is_refused() {
        let source = Arc::new(Offered(Mutex::new(pins(1, "0", 85))));
        let revisions = Revisions::new(source.clone(), Arc::new(Empty::default()));
        revisions.current().await.unwrap();
        let empty = br#"{"revision": 2, "states": {}}"#;
        *source.0.lock().unwrap() = Arc::new(Pins::parse(empty, "test").unwrap());
        assert_eq!(revisions.current().await.unwrap().revision, 1);
    }
}
