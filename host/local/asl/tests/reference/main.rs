//! JSONata expressions beside the reference implementation (`jsonata` from npm, run by Node.js).

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use stagehost_asl::{
    Execution, Resource, Resources, StartRequest, StateMachine, TaskCall, TaskError, TokenBoard, Unsupported,
};

/// Expressions over `$states.input`, one a line. Lines that begin with `#` are comments.
const EXPRESSIONS: &str = include_str!("expressions.txt");
const INPUT: &str = include_str!("input.json");
const SCRIPT: &str = include_str!("evaluate.cjs");

struct NoTasks;

#[async_trait]
impl Resources for NoTasks {
    fn supports(&self, _: &Resource) -> Result<(), Unsupported> {
        Ok(())
    }

    async fn call(&self, call: TaskCall) -> Result<Value, TaskError> {
        Ok(call.parameters)
    }
}

/// Returns `{"value": …}`, `{"nothing": true}` or `{"error": code}`.
async fn ours(expression: &str, input: &Value) -> Value {
    let machine = json!({"QueryLanguage": "JSONata", "StartAt": "S", "States": {
        "S": {"Type": "Pass", "Output": format!("{{% {expression} %}}"), "End": true}
    }});
    let machine = match StateMachine::parse(&machine.to_string()) {
        Ok(machine) => machine,
        Err(error) => return json!({"refused": error.to_string()}),
    };
    let request = StartRequest { input: input.clone(), ..StartRequest::default() };
    let outcome = Execution::start(Arc::new(machine), request, Arc::new(NoTasks), TokenBoard::new()).wait().await;
    match (outcome.output, outcome.cause) {
        (Some(output), _) => json!({"value": output}),
        (None, Some(cause)) if cause.ends_with("returned nothing (undefined).") => json!({"nothing": true}),
        (None, Some(cause)) => {
            let code = cause.split("threw an error during evaluation. ").nth(1).and_then(|rest| rest.split(':').next());
            json!({"error": code.unwrap_or(&cause)})
        }
        (None, None) => json!({"error": null}),
    }
}

/// Returns the same of the reference implementation, for all expressions at once.
fn theirs(expressions: &[&str], input: &Value) -> Option<Vec<Value>> {
    let modules = stagehost_needs::jsonata()?;
    let mut node = Command::new("node")
        .args(["-e", SCRIPT])
        .env("JSONATA", modules)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let request = json!({"expressions": expressions, "input": input}).to_string();
    node.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let output = node.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[tokio::test]
async fn every_expression_yields_what_the_reference_implementation_yields() {
    let expressions: Vec<&str> =
        EXPRESSIONS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    assert!(expressions.len() > 150, "{}", expressions.len());
    let input: Value = serde_json::from_str(INPUT).unwrap();
    let Some(theirs) = theirs(&expressions, &input) else { return };
    let mut different = HashMap::new();
    for (expression, theirs) in expressions.iter().zip(theirs) {
        let ours = ours(expression, &input).await;
        if ours != theirs {
            different.insert(*expression, format!("ours {ours}, theirs {theirs}"));
        }
    }
    assert!(different.is_empty(), "{different:#?}");
}
