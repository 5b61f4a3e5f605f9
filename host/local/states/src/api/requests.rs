//! The documents of requests.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::StatesError;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateStateMachine {
    pub(super) name: String,
    pub(super) definition: String,
    pub(super) role_arn: String,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) logging_configuration: Option<Value>,
    pub(super) tracing_configuration: Option<Value>,
    #[serde(default)]
    pub(super) tags: Vec<Tag>,
    pub(super) publish: Option<bool>,
    pub(super) version_description: Option<String>,
    pub(super) encryption_configuration: Option<Encryption>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateStateMachine {
    pub(super) state_machine_arn: String,
    pub(super) definition: Option<String>,
    pub(super) role_arn: Option<String>,
    pub(super) logging_configuration: Option<Value>,
    pub(super) tracing_configuration: Option<Value>,
    pub(super) publish: Option<bool>,
    pub(super) version_description: Option<String>,
    pub(super) encryption_configuration: Option<Encryption>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MachineArn {
    pub(super) state_machine_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMachines {
    pub(super) max_results: Option<i64>,
    pub(super) next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ValidateDefinition {
    pub(super) definition: String,
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) severity: Option<String>,
    pub(super) max_results: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StartExecution {
    pub(super) state_machine_arn: String,
    pub(super) name: Option<String>,
    pub(super) input: Option<String>,
    pub(super) trace_header: Option<String>,
    /// Of `StartSyncExecution`.
    pub(super) included_data: Option<String>,
}

/// The most characters of a trace header, by the service's model.
const TRACE_HEADER_MAX: usize = 256;

impl StartExecution {
    /// Returns the execution's trace header: that of the request's document, or else that of the HTTP request.
    ///
    /// # Errors
    /// `ValidationException`: the document's is too long or not ASCII.
    pub(super) fn trace(&self, http: Option<&str>) -> Result<Option<String>, StatesError> {
        let refused = |trace: &str, rule: &str| Err(StatesError::constraint(trace, "traceHeader", rule));
        match self.trace_header.as_deref() {
            Some(trace) if trace.len() > TRACE_HEADER_MAX => {
                refused(trace, "Member must have length less than or equal to 256")
            }
            Some(trace) if !trace.is_ascii() => {
                refused(trace, r"Member must satisfy regular expression pattern: \p{ASCII}*")
            }
            own => Ok(own.or(http).map(str::to_owned)),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ExecutionReference {
    pub(super) execution_arn: String,
    pub(super) included_data: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StopExecution {
    pub(super) execution_arn: String,
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListExecutions {
    pub(super) state_machine_arn: Option<String>,
    pub(super) map_run_arn: Option<String>,
    pub(super) status_filter: Option<String>,
    pub(super) redrive_filter: Option<String>,
    pub(super) max_results: Option<i64>,
    pub(super) next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListMapRuns {
    pub(super) execution_arn: String,
    pub(super) max_results: Option<i64>,
    pub(super) next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct MapRunReference {
    pub(super) map_run_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateMapRun {
    pub(super) map_run_arn: String,
    pub(super) max_concurrency: Option<u64>,
    pub(super) tolerated_failure_count: Option<u64>,
    pub(super) tolerated_failure_percentage: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetExecutionHistory {
    pub(super) execution_arn: String,
    pub(super) max_results: Option<i64>,
    pub(super) reverse_order: Option<bool>,
    pub(super) next_token: Option<String>,
    pub(super) include_execution_data: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaskReport {
    pub(super) task_token: String,
    pub(super) output: Option<String>,
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Tag {
    pub(super) key: String,
    pub(super) value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Tagging {
    pub(super) resource_arn: String,
    #[serde(default)]
    pub(super) tags: Vec<Tag>,
    #[serde(default)]
    pub(super) tag_keys: Vec<String>,
}

/// The parameters of `ListStateMachineVersions` and `ListStateMachineAliases`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListOfMachine {
    pub(super) state_machine_arn: String,
    pub(super) max_results: Option<i64>,
    pub(super) next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PublishVersion {
    pub(super) state_machine_arn: String,
    pub(super) revision_id: Option<String>,
    pub(super) description: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct VersionReference {
    pub(super) state_machine_version_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RoutingItem {
    pub(super) state_machine_version_arn: String,
    pub(super) weight: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateAlias {
    pub(super) name: String,
    pub(super) description: Option<String>,
    pub(super) routing_configuration: Vec<RoutingItem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UpdateAlias {
    pub(super) state_machine_alias_arn: String,
    pub(super) description: Option<String>,
    pub(super) routing_configuration: Option<Vec<RoutingItem>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AliasReference {
    pub(super) state_machine_alias_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RedriveExecution {
    pub(super) execution_arn: String,
    pub(super) client_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CreateActivity {
    pub(super) name: String,
    #[serde(default)]
    pub(super) tags: Vec<Tag>,
    pub(super) encryption_configuration: Option<Encryption>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActivityReference {
    pub(super) activity_arn: String,
    /// Of `GetActivityTask`.
    pub(super) worker_name: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct Encryption {
    #[serde(rename = "type")]
    pub(super) kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TestState {
    pub(super) definition: String,
    pub(super) role_arn: Option<String>,
    pub(super) input: Option<String>,
    pub(super) inspection_level: Option<String>,
    pub(super) reveal_secrets: Option<bool>,
    pub(super) variables: Option<String>,
    pub(super) state_name: Option<String>,
    pub(super) mock: Option<Mock>,
    pub(super) context: Option<String>,
    pub(super) state_configuration: Option<TestStateConfiguration>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Mock {
    pub(super) result: Option<String>,
    pub(super) error_output: Option<MockError>,
    pub(super) field_validation_mode: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct MockError {
    pub(super) error: Option<String>,
    pub(super) cause: Option<String>,
}

/// `mapItemReaderData` is accepted: the result of a Map state is always mocked, so its items are never read.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TestStateConfiguration {
    pub(super) retrier_retry_count: Option<u64>,
    pub(super) error_caused_by_state: Option<String>,
    pub(super) map_iteration_failure_count: Option<u64>,
}

/// Parses a request. An empty body is an empty object.
///
/// # Errors
/// `ValidationException` or `SerializationException`.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, StatesError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => StatesError::validation(format!("1 validation error detected: {error}")),
        _ => StatesError::new("SerializationException", format!("The request is not JSON: {error}")),
    })
}

/// Returns whether `includedData` asks for input and output. Without it, it does.
///
/// # Errors
/// `ValidationException` for a value that the service does not know.
pub(super) fn wants_data(included: Option<&str>) -> Result<bool, StatesError> {
    match included {
        None | Some("ALL_DATA") => Ok(true),
        Some("METADATA_ONLY") => Ok(false),
        Some(other) => {
            let message = format!("'{other}' is not known as includedData: ALL_DATA or METADATA_ONLY");
            Err(StatesError::validation(message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_header_is_ascii_of_at_most_256_characters() {
        let start = |trace_header: Option<String>| StartExecution {
            state_machine_arn: "arn".into(),
            name: None,
            input: None,
            trace_header,
            included_data: None,
        };
        let longest = "x".repeat(256);
        assert_eq!(start(Some(longest.clone())).trace(Some("other")), Ok(Some(longest)));
        assert_eq!(start(None).trace(Some("Root=1-0-0")), Ok(Some("Root=1-0-0".into())));
        for trace in ["x".repeat(257), "é".into()] {
            let name = start(Some(trace.clone())).trace(None).map_err(|error| error.name);
            assert_eq!(name, Err("ValidationException"), "{trace}");
        }
    }
}
