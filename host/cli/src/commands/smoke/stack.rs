//! What the stack's outputs name.

use std::path::Path;

use anyhow::Result;

use crate::exit::usage;
use crate::stack_outputs::StackOutputs;

/// The template's alarms, without the environment.
const ALARMS: [&str; 5] = [
    "listing-media-dlq-has-messages",
    "stepfunctions-execution-failed",
    "lambda-errors-media-processing",
    "host-errors-media-processing",
    "listing-media-undelivered-unreported",
];

/// The parts of a stack that batches go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// The media bucket's name.
    pub bucket: String,
    /// ARN of the job queue.
    pub queue: String,
    /// ARN of the dead-letter queue.
    pub dead_letters: String,
    /// ARN of the state machine.
    pub machine: String,
    /// ARN of the topic of alarms.
    pub topic: String,
    /// The host function's name.
    pub function: String,
}

impl Stack {
    /// Reads the outputs from a file; `-` is standard input.
    ///
    /// # Errors
    /// If they cannot be read, or one is missing.
    pub fn read(place: &Path) -> Result<Self> {
        let outputs = StackOutputs::read(place)?;
        Self::named_by(&outputs).map_err(|error| usage!("--stack-outputs {}: {error:#}", place.display()))
    }

    fn named_by(outputs: &StackOutputs) -> Result<Self> {
        Ok(Self {
            bucket: outputs.value("MediaBucketName")?,
            queue: outputs.queue_arn("QueueUrl")?,
            dead_letters: outputs.queue_arn("DeadLetterQueueUrl")?,
            machine: outputs.value("StateMachineArn")?,
            topic: outputs.value("AlertTopicArn")?,
            function: outputs.value("HostFunctionName")?,
        })
    }

    /// Returns the environment, in which the names of all resources end.
    pub fn environment(&self) -> &str {
        self.function.strip_prefix("listing-media-processing-host-").unwrap_or_default()
    }

    /// Returns the host's log group.
    pub fn log_group(&self) -> String {
        format!("/aws/lambda/{}", self.function)
    }

    /// Returns the names of all alarms of the template, first those that go off in a run: for dead letters, for failed
    /// executions.
    pub fn alarms(&self) -> [String; 5] {
        ALARMS.map(|name| format!("{name}-{}", self.environment()))
    }

    /// Returns the ARN of an execution.
    pub fn execution(&self, name: &str) -> String {
        format!("{}:{name}", self.machine.replacen(":stateMachine:", ":execution:", 1))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn outputs(all: &[(&str, &str)]) -> String {
        let all: Vec<_> = all.iter().map(|(key, value)| json!({"OutputKey": key, "OutputValue": value})).collect();
        json!({"Stacks": [{"StackName": "s", "Outputs": all}]}).to_string()
    }

    fn stack(text: &str) -> Result<Stack> {
        Stack::named_by(&StackOutputs::parse(text)?)
    }

    const TEMPLATE: &str = include_str!("../../../../../statemachine/template.yaml");

    const ALL: [(&str, &str); 6] = [
        ("MediaBucketName", "toq-listing-medias"),
        ("QueueUrl", "https://sqs.eu-west-1.amazonaws.com/123456789012/jobs-staging"),
        ("DeadLetterQueueUrl", "http://127.0.0.1:4567/123456789012/dead-staging"),
        ("StateMachineArn", "arn:aws:states:eu-west-1:123456789012:stateMachine:sm-staging"),
        ("AlertTopicArn", "arn:aws:sns:eu-west-1:123456789012:alerts-staging"),
        ("HostFunctionName", "listing-media-processing-host-staging"),
    ];

    #[test]
    fn the_alarms_are_those_of_the_template() {
        let stack = stack(&outputs(&ALL)).unwrap();
        for name in stack.alarms() {
            let name = name.strip_suffix("-staging").unwrap();
            assert!(TEMPLATE.contains(&format!("AlarmName: !Sub {name}-${{Environment}}\n")), "{name}");
        }
        assert_eq!(TEMPLATE.matches("Type: AWS::CloudWatch::Alarm\n").count(), ALARMS.len());
    }

    #[test]
    fn queues_and_executions_are_named_by_arn_wherever_the_endpoints_are() {
        let stack = stack(&outputs(&ALL)).unwrap();
        assert_eq!(stack.queue, "arn:aws:sqs:eu-west-1:123456789012:jobs-staging");
        assert_eq!(stack.dead_letters, "arn:aws:sqs:eu-west-1:123456789012:dead-staging");
        assert_eq!(stack.execution("e-1"), "arn:aws:states:eu-west-1:123456789012:execution:sm-staging:e-1");
    }

    #[test]
    fn a_missing_output_is_named() {
        for (missing, _) in ALL {
            let rest: Vec<_> = ALL.into_iter().filter(|(name, _)| *name != missing).collect();
            let error = stack(&outputs(&rest)).unwrap_err().to_string();
            assert!(error.contains(missing), "{error}");
        }
        assert!(stack("{}").is_err() && stack("no").is_err());
    }
}
