//! Single stages of this machine's pipeline, called as the state machine calls them.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::{Value, json};
use stagehost_console::{PinsDesk, SourceError, StageBench, TriedAs};
use stagehost_local::Function;
use stagehost_runtime::World;

/// The host of this machine, and its pins.
pub struct LocalBench {
    pub host: Arc<dyn Function>,
    pub pins: Arc<dyn PinsDesk>,
}

#[async_trait]
impl StageBench for LocalBench {
    async fn states(&self) -> Result<Vec<(String, String)>, SourceError> {
        let pins = self.pins.current().await?.pins;
        let alone = |world: World| !matches!(world, World::Transcode | World::Callback);
        let states = pins.states.iter().filter(|(_, pin)| alone(pin.world));
        Ok(states.map(|(state, pin)| (state.clone(), pin.to_string())).collect())
    }

    async fn call(&self, state: &str, tried_as: &TriedAs, batch: &Value) -> Result<Value, SourceError> {
        let TriedAs { arn, name, started_at } = tried_as;
        let execution = json!({"arn": arn, "name": name, "startedAt": started_at});
        // Not the first try: a failure that a retry may cure is recorded on the file, as at the end of an execution.
        let payload = json!({"state": state, "execution": execution, "retry": 9, "batch": batch});
        let answer = self.host.invoke(Bytes::from(payload.to_string())).await;
        let answer = answer.map_err(|error| SourceError::Refused(error.to_string()))?;
        serde_json::from_slice(&answer).map_err(|error| SourceError::Failed(format!("the host's answer: {error}")))
    }
}
