//! The services that Task states can call: the function, a queue that stores messages, MediaConvert.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use md5::{Digest as _, Md5};
use serde_json::{Value, json};
use stagehost_asl::{ItemStorage, Pattern, Resource, Resources, TaskCall, TaskError, Unsupported};
use stagehost_mediaconvert::{MediaConvert, lower_camel, upper_camel};

use crate::lambda::error::InvokeError;
use crate::lambda::function::FunctionError;
use crate::lambda::functions::Functions;
use crate::receiver::Receiver;
use crate::s3_items::S3Items;

/// The largest message of a queue, in bytes.
const MAX_MESSAGE: usize = 1024 * 1024;

/// The resources of the local services.
pub(crate) struct LocalResources {
    pub(crate) functions: Functions,
    pub(crate) receiver: Receiver,
    pub(crate) mediaconvert: MediaConvert,
    pub(crate) items: Arc<S3Items>,
}

#[async_trait]
impl Resources for LocalResources {
    fn supports(&self, resource: &Resource) -> Result<(), Unsupported> {
        let refuse = |reason: String| Err(Unsupported { reason });
        match resource {
            Resource::Activity { .. } => Ok(()),
            Resource::LambdaFunction { arn } => match self.functions.find(arn) {
                Ok(_) => Ok(()),
                Err(error) => refuse(error.message),
            },
            Resource::Service { service, action, pattern, arn } => match (service.as_str(), action.as_str(), pattern) {
                ("lambda", "invoke", Pattern::RequestResponse | Pattern::WaitForTaskToken)
                | ("sqs", "sendMessage", Pattern::RequestResponse)
                | ("mediaconvert", "createJob", Pattern::RequestResponse) => Ok(()),
                ("sqs", "sendMessage", _) => {
                    refuse(format!("{arn}: nothing reads queues here, so the token would never be answered"))
                }
                ("mediaconvert", "createJob", _) => refuse(format!(
                    "{arn}: only mediaconvert:createJob is served here; wait for the job by a task token"
                )),
                _ => refuse(format!(
                    "{arn} is not served on this machine; there are lambda:invoke, sqs:sendMessage and \
                         mediaconvert:createJob"
                )),
            },
        }
    }

    async fn call(&self, call: TaskCall) -> Result<Value, TaskError> {
        match &call.resource {
            Resource::Activity { arn } => {
                Err(TaskError::new("States.Runtime", format!("{arn} is an activity, which a worker asks for")))
            }
            Resource::LambdaFunction { arn } => {
                let answer = self.functions.invoke(arn, payload(&call.parameters)).await.map_err(invoke_failed)?;
                read(&answer.map_err(|error| function_failed(&error, error.payload()))?)
            }
            Resource::Service { service, action, .. } => match (service.as_str(), action.as_str()) {
                ("lambda", "invoke") => self.invoke(call.parameters).await,
                ("sqs", "sendMessage") => self.send_message(call.parameters).await,
                ("mediaconvert", "createJob") => self.create_job(call.parameters),
                _ => Err(TaskError::new("States.Runtime", format!("{} is not served here", call.resource))),
            },
        }
    }

    fn storage(&self) -> Option<Arc<dyn ItemStorage>> {
        Some(self.items.clone())
    }
}

impl LocalResources {
    async fn invoke(&self, mut parameters: Value) -> Result<Value, TaskError> {
        let name = text(&parameters, "FunctionName")?;
        let kind = parameters.get("InvocationType").and_then(Value::as_str).unwrap_or("RequestResponse");
        let asynchronous = match kind {
            "RequestResponse" => false,
            "Event" => true,
            other => {
                return Err(TaskError::new(
                    "States.Runtime",
                    format!("The parameter InvocationType is {other:?}; it should be RequestResponse or Event"),
                ));
            }
        };
        let input = parameters.get_mut("Payload").map(Value::take).unwrap_or_else(|| json!({}));
        if asynchronous {
            self.functions.enqueue(&name, payload(&input)).map_err(invoke_failed)?;
            return Ok(with_metadata(json!({"Payload": "", "StatusCode": 202}), 202));
        }
        let answer = self.functions.invoke(&name, payload(&input)).await.map_err(invoke_failed)?;
        let result = read(&answer.map_err(|error| function_failed(&error, compact(error.payload())))?)?;
        Ok(with_metadata(json!({"ExecutedVersion": "$LATEST", "Payload": result, "StatusCode": 200}), 200))
    }

    async fn send_message(&self, parameters: Value) -> Result<Value, TaskError> {
        let queue = text(&parameters, "QueueUrl")?;
        let body = match parameters.get("MessageBody") {
            Some(Value::String(body)) => body.clone(),
            // A JSON document is sent as text.
            Some(body) if !body.is_null() => body.to_string(),
            _ => return Err(missing("MessageBody")),
        };
        if body.is_empty() || body.len() > MAX_MESSAGE {
            return Err(TaskError::new(
                "SQS.SqsException",
                format!(
                    "One or more parameters are invalid. Reason: Message must be between 1 and {MAX_MESSAGE} bytes long."
                ),
            ));
        }
        let attributes = parameters.get("MessageAttributes").cloned().unwrap_or_else(|| json!({}));
        let id = self
            .receiver
            .add_dead_letter(&queue, &body, attributes)
            .await
            .map_err(|error| TaskError::new("SQS.SdkClientException", error.to_string()))?;
        let digest = hex::encode(Md5::digest(body.as_bytes()));
        Ok(with_metadata(json!({"MD5OfMessageBody": digest, "MessageId": id}), 200))
    }

    fn create_job(&self, parameters: Value) -> Result<Value, TaskError> {
        let job = self.mediaconvert.create_job(lower_camel(parameters)).map_err(|error| {
            let cause = format!("{} (Service: MediaConvert, Status Code: {})", error.message, error.status);
            TaskError::new(format!("MediaConvert.{}", error.code), cause)
        })?;
        Ok(with_metadata(json!({"Job": upper_camel(job)}), 201))
    }
}

fn payload(value: &Value) -> Bytes {
    value.to_string().into()
}

/// Parses the function's result. Step Functions accepts only JSON.
fn read(payload: &[u8]) -> Result<Value, TaskError> {
    serde_json::from_slice(payload)
        .map_err(|error| TaskError::new("States.Runtime", format!("The function's result is not JSON: {error}")))
}

/// Returns the error of a failed function: its name, and the payload that reports it as the cause.
fn function_failed(error: &FunctionError, payload: String) -> TaskError {
    if error.error_type.is_empty() {
        let cause = "The cause could not be determined because Lambda did not return an error type. Returned payload: ";
        return TaskError::new("Lambda.Unknown", cause.to_owned() + &payload);
    }
    TaskError::new(&error.error_type, payload)
}

/// Returns a payload without its spaces, as `lambda:invoke` has it: there, the service reads the response. A function that
/// is called by its ARN is quoted as it is.
fn compact(payload: String) -> String {
    serde_json::from_str::<Value>(&payload).map(|document| document.to_string()).unwrap_or(payload)
}

/// Returns the error of a call that did not reach the function.
fn invoke_failed(error: InvokeError) -> TaskError {
    let cause = format!("{} (Service: Lambda, Status Code: {})", error.message, error.status.as_u16());
    TaskError::new(format!("Lambda.{}", error.code), cause)
}

/// Returns a required string.
fn text(parameters: &Value, name: &str) -> Result<String, TaskError> {
    match parameters.get(name).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(missing(name)),
    }
}

fn missing(name: &str) -> TaskError {
    TaskError::new("States.Runtime", format!("The parameter {name} should be a string that is not empty"))
}

/// Adds the metadata that the service takes from its SDK.
fn with_metadata(mut result: Value, status: u16) -> Value {
    result["SdkHttpMetadata"] = json!({"HttpStatusCode": status});
    result["SdkResponseMetadata"] = json!({"RequestId": uuid::Uuid::new_v4().to_string()});
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_of_a_failed_function_is_what_it_reported() {
        let error =
            FunctionError::reported("{\"errorMessage\": \"no\", \"errorType\": \"Mine\", \"requestId\": \"r\"}\n");
        let failed = function_failed(&error, compact(error.payload()));
        assert_eq!(failed.error, "Mine");
        assert_eq!(failed.cause.as_deref(), Some(r#"{"errorMessage":"no","errorType":"Mine","requestId":"r"}"#));
        let called = function_failed(&error, error.payload()).cause;
        assert_eq!(called.as_deref(), Some(r#"{"errorMessage": "no", "errorType": "Mine", "requestId": "r"}"#));
    }

    #[test]
    fn a_function_that_names_no_error_failed_for_an_unknown_cause() {
        let error = FunctionError::reported(r#"{"errorMessage":"Task timed out after 3.00 seconds"}"#);
        let failed = function_failed(&error, compact(error.payload()));
        assert_eq!(failed.error, "Lambda.Unknown");
        let cause = "The cause could not be determined because Lambda did not return an error type. Returned payload: \
                     {\"errorMessage\":\"Task timed out after 3.00 seconds\"}";
        assert_eq!(failed.cause.as_deref(), Some(cause));
    }
}
