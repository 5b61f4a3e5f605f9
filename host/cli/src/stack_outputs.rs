//! The outputs of a deployed stack.

use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::exit::{read_named_text, usage};

/// The answer of `aws cloudformation describe-stacks` for one stack.
#[derive(Debug)]
pub struct StackOutputs(Value);

impl StackOutputs {
    /// Reads them from a file; `-` is standard input.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn read(place: &Path) -> Result<Self> {
        let text = if place == Path::new("-") {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(|e| usage!("cannot read standard input: {e}"))?;
            text
        } else {
            read_named_text("--stack-outputs", place)?
        };
        Self::parse(&text).map_err(|error| usage!("--stack-outputs {}: {error:#}", place.display()))
    }

    /// Asks the AWS CLI, which finds credentials and region as it always does.
    ///
    /// # Errors
    /// If there is no AWS CLI, or no such stack.
    pub async fn of_stack(name: &str) -> Result<Self> {
        let asked = ["cloudformation", "describe-stacks", "--output", "json", "--stack-name", name];
        let answer = tokio::process::Command::new("aws")
            .args(asked)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .context("cannot run the AWS CLI (aws), which reads the stack; --stack-outputs takes its answer instead")?;
        if !answer.status.success() {
            bail!("aws {}: {}", asked.join(" "), String::from_utf8_lossy(&answer.stderr).trim());
        }
        Self::parse(&String::from_utf8_lossy(&answer.stdout)).with_context(|| format!("the stack {name}"))
    }

    /// Reads the answer of DescribeStacks, which must be about one stack, or that stack's part of the answer.
    ///
    /// # Errors
    /// If it is something else.
    pub fn parse(text: &str) -> Result<Self> {
        let document: Value = serde_json::from_str(text).context("not JSON")?;
        match document.get("Stacks").and_then(Value::as_array).map(Vec::as_slice) {
            Some([stack]) => Ok(Self(stack.clone())),
            Some([]) => bail!("it holds no stack"),
            Some(several) => bail!("it holds {} stacks; name one with --stack-name", several.len()),
            None if document.get("Outputs").is_some() => Ok(Self(document)),
            None => bail!(
                "expected the answer of `aws cloudformation describe-stacks`: {{\"Stacks\": [{{\"Outputs\": […]}}]}}"
            ),
        }
    }

    /// Returns the stack's name.
    pub fn name(&self) -> String {
        self.0["StackName"].as_str().unwrap_or("stack").to_owned()
    }

    /// Returns the stack's status, such as `CREATE_COMPLETE`; `None` if the document does not say it.
    pub fn status(&self) -> Option<&str> {
        self.0["StackStatus"].as_str()
    }

    /// Returns the region that the stack's state machine is in.
    ///
    /// # Errors
    /// If the stack has no state machine, or its output is not an ARN.
    pub fn region(&self) -> Result<String> {
        region_of(&self.value("StateMachineArn")?).context("the output StateMachineArn")
    }

    /// Returns an output.
    ///
    /// # Errors
    /// If the stack does not have it, or it is empty.
    pub fn value(&self, name: &str) -> Result<String> {
        let outputs = self.0["Outputs"].as_array().into_iter().flatten();
        let found =
            outputs.filter(|output| output["OutputKey"] == name).find_map(|output| output["OutputValue"].as_str());
        found
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
            .with_context(|| format!("the stack has no output {name}"))
    }

    /// Returns the ARN of the queue whose URL is an output: it is in the state machine's region and account.
    ///
    /// # Errors
    /// If the stack does not have it.
    pub fn queue_arn(&self, name: &str) -> Result<String> {
        let (machine, url) = (self.value("StateMachineArn")?, self.value(name)?);
        let fields: Vec<&str> = machine.split(':').collect();
        let (Some(partition), Some(region), Some(account)) = (fields.get(1), fields.get(3), fields.get(4)) else {
            bail!("the output StateMachineArn is not an ARN: {machine}");
        };
        let queue = url.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        Ok(format!("arn:{partition}:sqs:{region}:{account}:{queue}"))
    }
}

/// Returns the region in the ARN of a state machine.
///
/// # Errors
/// If the text is not an ARN.
pub fn region_of(machine: &str) -> Result<String> {
    let region = machine.split(':').nth(3).filter(|region| !region.is_empty());
    region.map(str::to_owned).with_context(|| format!("{machine} is not the ARN of a state machine"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_output_is_found_and_a_missing_one_is_named() {
        let text = r#"{"Stacks": [{"StackName": "s", "Outputs": [{"OutputKey": "A", "OutputValue": "1"}]}]}"#;
        let outputs = StackOutputs::parse(text).unwrap();
        assert_eq!((outputs.name().as_str(), outputs.value("A").unwrap().as_str()), ("s", "1"));
        assert!(outputs.value("B").unwrap_err().to_string().contains('B'));
    }

    #[test]
    fn what_is_not_the_answer_about_one_stack_is_refused() {
        for (document, part) in [
            ("{}", "expected the answer"),
            (r#"{"Stacks": []}"#, "no stack"),
            (r#"{"Stacks": [{}, {}]}"#, "2 stacks"),
            ("no", "not JSON"),
        ] {
            let error = StackOutputs::parse(document).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn the_region_is_that_of_the_state_machine() {
        assert_eq!(region_of("arn:aws:states:eu-west-1:111122223333:stateMachine:m").unwrap(), "eu-west-1");
        assert!(region_of("m").unwrap_err().to_string().contains("m is not the ARN"));
    }
}
