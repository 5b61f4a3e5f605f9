//! The operations by name: a JSON document in, a JSON document out.

use serde_json::{Value, json};
use stagehost_asl::epoch_seconds;
use time::OffsetDateTime;

use super::machines::{describe_machine, describe_version};
use super::requests::{
    ActivityReference, AliasReference, ExecutionReference, MachineArn, MapRunReference, StopExecution, Tagging,
    TaskReport, VersionReference, read,
};
use super::responses::empty;
use super::tags::checked_tags;
use super::task_tokens::token_error;
use crate::arn::{self, MachineReference};
use crate::error::StatesError;
use crate::service::States;

impl States {
    /// Carries out an operation. `trace` is the request's trace header.
    pub(crate) async fn operate(
        &self,
        operation: &str,
        body: &[u8],
        trace: Option<&str>,
    ) -> Result<Value, StatesError> {
        match operation {
            "CreateStateMachine" => self.create(read(body)?),
            "UpdateStateMachine" => self.update(read(body)?),
            "DeleteStateMachine" => {
                let MachineArn { state_machine_arn } = read(body)?;
                self.delete_state_machine(&state_machine_arn).map(|()| empty())
            }
            "DescribeStateMachine" => {
                let MachineArn { state_machine_arn } = read(body)?;
                match arn::machine_reference(&state_machine_arn)? {
                    MachineReference::Version(name, number) => {
                        let version = self.version(&state_machine_arn, name, number)?;
                        Ok(describe_version(&version))
                    }
                    _ => self.state_machine(&state_machine_arn).map(|machine| describe_machine(&machine)),
                }
            }
            "ListStateMachines" => self.list_machines(&read(body)?),
            "ValidateStateMachineDefinition" => self.validate_definition(&read(body)?),
            "TestState" => self.test_state(read(body)?).await,
            "PublishStateMachineVersion" => self.publish(read(body)?),
            "ListStateMachineVersions" => self.list_versions(&read(body)?),
            "DeleteStateMachineVersion" => {
                let VersionReference { state_machine_version_arn } = read(body)?;
                self.delete_version(&state_machine_version_arn).map(|()| empty())
            }
            "CreateStateMachineAlias" => self.new_alias(read(body)?),
            "UpdateStateMachineAlias" => self.change_alias(read(body)?),
            "DescribeStateMachineAlias" => {
                let AliasReference { state_machine_alias_arn } = read(body)?;
                self.describe_alias(&state_machine_alias_arn)
            }
            "ListStateMachineAliases" => self.list_aliases(&read(body)?),
            "DeleteStateMachineAlias" => {
                let AliasReference { state_machine_alias_arn } = read(body)?;
                self.delete_alias(&state_machine_alias_arn).map(|()| empty())
            }
            "CreateActivity" => self.new_activity(read(body)?),
            "DescribeActivity" => {
                let ActivityReference { activity_arn, .. } = read(body)?;
                self.describe_activity(&activity_arn)
            }
            "ListActivities" => self.list_activities(&read(body)?),
            "DeleteActivity" => {
                let ActivityReference { activity_arn, .. } = read(body)?;
                self.delete_activity(&activity_arn).map(|()| empty())
            }
            "GetActivityTask" => self.activity_task(read(body)?).await,
            "StartExecution" => self.start(read(body)?, trace),
            "StartSyncExecution" => self.start_sync(read(body)?, trace).await,
            "RedriveExecution" => self.redrive(&read(body)?),
            "DescribeExecution" => self.describe_execution(&read(body)?),
            "DescribeStateMachineForExecution" => {
                let ExecutionReference { execution_arn, .. } = read(body)?;
                let machine = self.record(&execution_arn)?.machine;
                let mut answer = describe_machine(&machine);
                if let Some(fields) = answer.as_object_mut() {
                    fields.retain(|field, _| !["status", "type", "creationDate"].contains(&field.as_str()));
                    fields.insert("updateDate".into(), epoch_seconds(machine.updated_at));
                }
                Ok(answer)
            }
            "StopExecution" => {
                let StopExecution { execution_arn, error, cause } = read(body)?;
                let execution = self.stop_execution(&execution_arn, error, cause).await?;
                let stopped = execution.outcome().map_or_else(OffsetDateTime::now_utc, |outcome| outcome.stopped_at);
                Ok(json!({"stopDate": epoch_seconds(stopped)}))
            }
            "ListExecutions" => self.list_executions(&read(body)?),
            "GetExecutionHistory" => self.history(&read(body)?),
            "DescribeMapRun" => {
                let MapRunReference { map_run_arn } = read(body)?;
                self.describe_map_run(&map_run_arn)
            }
            "ListMapRuns" => self.list_map_runs(&read(body)?),
            "UpdateMapRun" => self.update_map_run(&read(body)?),
            "SendTaskSuccess" => self.task_success(&read(body)?),
            "SendTaskFailure" => {
                let TaskReport { task_token, error, cause, .. } = read(body)?;
                self.tokens().send_failure(&task_token, error, cause).map(|()| empty()).map_err(token_error)
            }
            "SendTaskHeartbeat" => {
                let TaskReport { task_token, .. } = read(body)?;
                self.tokens().send_heartbeat(&task_token).map(|()| empty()).map_err(token_error)
            }
            "ListTagsForResource" => {
                let Tagging { resource_arn, .. } = read(body)?;
                self.change_tags(&resource_arn, |tags| {
                    let tags = tags.iter().map(|(key, value)| json!({"key": key, "value": value}));
                    Ok(json!({"tags": tags.collect::<Vec<_>>()}))
                })
            }
            "TagResource" => {
                let Tagging { resource_arn, tags: new, .. } = read(body)?;
                self.change_tags(&resource_arn, |tags| {
                    tags.extend(checked_tags(tags.len(), new)?);
                    Ok(empty())
                })
            }
            "UntagResource" => {
                let Tagging { resource_arn, tag_keys, .. } = read(body)?;
                self.change_tags(&resource_arn, |tags| {
                    tags.retain(|key, _| !tag_keys.contains(key));
                    Ok(empty())
                })
            }
            other => Err(StatesError::new(
                "UnknownOperationException",
                format!("the Step Functions operation '{other}' is not supported here"),
            )),
        }
    }
}
