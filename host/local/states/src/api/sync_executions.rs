//! `StartSyncExecution`: an execution of an express workflow, and its result.

use serde_json::{Value, json};
use stagehost_asl::epoch_seconds;

use super::requests::{StartExecution, wants_data};
use crate::arn;
use crate::error::StatesError;
use crate::executions::read_input;
use crate::service::States;
use crate::store::machine::MachineKind;

/// The unit of billed time, in milliseconds.
const BILLED_UNIT: i128 = 100;
/// The unit of billed memory, in MB; more is never reported here.
const BILLED_MEMORY: u64 = 64;

impl States {
    pub(super) async fn start_sync(&self, request: StartExecution, trace: Option<&str>) -> Result<Value, StatesError> {
        let data = wants_data(request.included_data.as_deref())?;
        let machine = self.choose(&request.state_machine_arn)?.machine;
        if machine.kind != MachineKind::Express {
            return Err(StatesError::wrong_kind());
        }
        let trace = request.trace(trace)?;
        let name = request.name.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
        arn::check_name(&name)?;
        let text = request.input.unwrap_or_else(|| "{}".to_owned());
        let input = read_input(&text)?;
        let execution = self.start_express(&machine, name, input, trace.clone());
        let outcome = execution.wait().await;
        let info = execution.info();
        let elapsed = (outcome.stopped_at - info.started_at).whole_milliseconds().max(1);
        let billed = (elapsed + BILLED_UNIT - 1) / BILLED_UNIT * BILLED_UNIT;
        let mut answer = json!({
            "executionArn": info.arn, "stateMachineArn": info.state_machine_arn, "name": info.name,
            "startDate": epoch_seconds(info.started_at), "stopDate": epoch_seconds(outcome.stopped_at),
            "status": outcome.status.as_str(),
            "billingDetails": {
                "billedMemoryUsedInMB": BILLED_MEMORY,
                "billedDurationInMilliseconds": u64::try_from(billed).unwrap_or_default()
            }
        });
        if data {
            answer["input"] = text.into();
            answer["inputDetails"] = json!({"included": true});
            answer["outputDetails"] = json!({"included": true});
            if let Some(output) = outcome.output {
                answer["output"] = output.to_string().into();
            }
        }
        for (field, value) in [("error", outcome.error), ("cause", outcome.cause), ("traceHeader", trace)] {
            if let Some(value) = value {
                answer[field] = value.into();
            }
        }
        Ok(answer)
    }
}
