//! `stagehost env`: the backend's settings for its `env.yaml`, from the outputs of a deployed stack.
//!
//! Names that were copied by hand once differed from the deployed ones. So they come from the stack itself, and a missing
//! one is an error.

use std::path::PathBuf;

use anyhow::{Result, anyhow};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::exit::Exit;
use crate::output::printer::Printer;
use crate::stack_outputs::StackOutputs;

/// An output of the template: its name in the backend's `env.yaml` and its purpose.
struct Setting {
    output: &'static str,
    /// `None` if only operators need it.
    name: Option<&'static str>,
    about: &'static str,
}

const fn setting(output: &'static str, name: &'static str, about: &'static str) -> Setting {
    Setting { output, name: Some(name), about }
}

const fn for_operators(output: &'static str) -> Setting {
    Setting { output, name: None, about: "" }
}

/// Every output of statemachine/template.yaml, in the order in which the backend reads about them.
const SETTINGS: [Setting; 14] = [
    setting("MediaBucketName", "mediaBucket", "uploads go to {listing}/raw/…; results are beside them"),
    setting("KeyArn", "kmsKeyArn", "encrypts the bucket and the queue; the role may use it"),
    setting("QueueUrl", "queueUrl", "one message starts one batch; the body is the batch"),
    setting("StateMachineArn", "stateMachineArn", "the other way to start a batch: StartExecution, with a name"),
    setting("BackendRoleArn", "roleArn", "the role of the backend"),
    setting("BackendInstanceProfileName", "instanceProfile", "the same role, for EC2 instances"),
    setting("CallbackTraceHeader", "callbackTraceHeader", "the callback's header with the trace context"),
    setting(
        "DeadLetterQueueUrl",
        "deadLetterQueueUrl",
        "what could not be read or delivered; to look at, not to send to",
    ),
    for_operators("HostFunctionName"),
    for_operators("HostVersion"),
    for_operators("StateMachineAliasArn"),
    for_operators("AlertTopicArn"),
    for_operators("MediaConvertQueueArn"),
    for_operators("DashboardName"),
];

/// The block's name in `env.yaml`.
const BLOCK: &str = "mediaProcessing";

/// Print the backend's settings from the outputs of a deployed stack
#[derive(Args)]
#[command(after_help = "\
Exit codes: 0 printed, 1 an output is missing, 2 wrong usage or a missing file.

Examples:

  aws cloudformation describe-stacks \\
    --stack-name listing-media-staging \\
    | stagehost env >> env.yaml")]
pub struct EnvArgs {
    /// The answer of `aws cloudformation describe-stacks`, as JSON; `-` is standard input
    #[arg(long, value_name = "FILE", default_value = "-")]
    stack_outputs: PathBuf,

    /// Print one JSON document instead of YAML
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If the input cannot be read, or an output is missing.
pub fn env(args: EnvArgs, printer: &Printer) -> Result<Exit> {
    let outputs = StackOutputs::read(&args.stack_outputs)?;
    let settings = settings(&outputs)?;
    if args.json {
        printer.document(&json!({ BLOCK: settings }));
    } else {
        printer.line(yaml(&outputs, &settings));
    }
    Ok(Exit::Success)
}

/// Returns the backend's settings in the order of [`SETTINGS`], after the region.
///
/// # Errors
/// If the stack lacks outputs. The error names all of them.
fn settings(outputs: &StackOutputs) -> Result<Map<String, Value>> {
    let mut found = Map::new();
    let mut missing = Vec::new();
    for setting in &SETTINGS {
        match (setting.name, outputs.value(setting.output)) {
            (Some(name), Ok(value)) => drop(found.insert(name.to_owned(), value.into())),
            (Some(_), Err(_)) => missing.push(setting.output),
            (None, _) => {}
        }
    }
    if !missing.is_empty() {
        let status = outputs.status().unwrap_or("of unknown status");
        return Err(anyhow!(
            "the stack ({status}) has no output {}; deploy it with the template of this release (statemachine/template.yaml), \
             and ask again when that is complete",
            missing.join(", ")
        ));
    }
    let mut all = Map::from_iter([("region".to_owned(), Value::from(outputs.region()?))]);
    all.extend(found);
    Ok(all)
}

/// Returns the block, with the purpose of each setting. Strings of JSON are strings of YAML.
fn yaml(outputs: &StackOutputs, settings: &Map<String, Value>) -> String {
    let name = outputs.name().replace(['\n', '\r'], " ");
    let mut text = format!("# From the outputs of {name}, by `stagehost env`.\n{BLOCK}:\n");
    for (name, value) in settings {
        let about = SETTINGS.iter().find(|setting| setting.name == Some(name)).map_or("", |setting| setting.about);
        let about = if about.is_empty() { String::new() } else { format!("  # {about}") };
        text.push_str(&format!("  {name}: {value}{about}\n"));
    }
    text.pop();
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;

    use super::*;

    const TEMPLATE: &str = include_str!("../../../../statemachine/template.yaml");

    /// Returns the names under `Outputs:`, which is the template's last section but for others that begin in the first
    /// column.
    fn declared() -> BTreeSet<&'static str> {
        let section = TEMPLATE.split("\nOutputs:\n").nth(1).unwrap();
        let lines = section.lines().take_while(|line| line.is_empty() || line.starts_with(' '));
        lines
            .filter_map(|line| line.strip_prefix("  ")?.strip_suffix(':'))
            .filter(|name| !name.starts_with(' '))
            .collect()
    }

    fn stack_with(outputs: impl IntoIterator<Item = &'static str>) -> StackOutputs {
        let output = |name: &str| {
            let value = match name {
                "StateMachineArn" => {
                    "arn:aws:states:eu-west-1:111122223333:stateMachine:listing-media-processing-sm-staging".into()
                }
                name => format!("value of {name}"),
            };
            json!({"OutputKey": name, "OutputValue": value, "Description": "…"})
        };
        let outputs: Vec<Value> = outputs.into_iter().map(output).collect();
        let stack = json!({"StackName": "listing-media-staging", "StackStatus": "CREATE_COMPLETE", "Outputs": outputs});
        StackOutputs::parse(&json!({ "Stacks": [stack] }).to_string()).unwrap()
    }

    #[test]
    fn every_output_of_the_template_is_known_and_every_known_one_is_declared() {
        let known: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.output).collect();
        assert_eq!(known, declared(), "SETTINGS beside the Outputs of the template");
    }

    #[test]
    fn what_the_template_declares_gives_the_whole_block() {
        let stack = stack_with(declared());
        let settings = settings(&stack).unwrap();
        assert_eq!(settings["region"], "eu-west-1");
        assert_eq!(settings["queueUrl"], "value of QueueUrl");
        assert_eq!(settings.len(), 1 + SETTINGS.iter().filter(|setting| setting.name.is_some()).count());
        let text = yaml(&stack, &settings);
        assert!(text.starts_with("# From the outputs of listing-media-staging, by `stagehost env`.\nmediaProcessing:\n  region: \"eu-west-1\"\n"), "{text}");
        assert!(text.contains("\n  queueUrl: \"value of QueueUrl\"  # one message"), "{text}");
    }

    #[test]
    fn each_output_that_the_backend_needs_is_missed_by_its_name() {
        for needed in SETTINGS.iter().filter(|setting| setting.name.is_some()).map(|setting| setting.output) {
            let stack = stack_with(declared().into_iter().filter(|name| *name != needed));
            let error = settings(&stack).unwrap_err().to_string();
            assert!(error.contains(&format!("has no output {needed};")), "{error}");
        }
    }
}
