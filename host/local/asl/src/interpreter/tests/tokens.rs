//! States that wait for a task token.

use super::*;
use crate::{Status, TokenError};

fn waiting(more: Value) -> Value {
    let mut state = json!({
        "Type": "Task", "Resource": CALLBACK, "End": true, "Parameters": {"token.$": "$$.Task.Token"}
    });
    state.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"W": state})
}

/// Starts a waiting state and waits for its call. Returns the execution and the token of the call.
async fn begin(more: Value, script: Script) -> (Execution, TokenBoard, String, Arc<Script>) {
    let (script, tokens) = (Arc::new(script), TokenBoard::new());
    let execution = start(waiting(more), json!({"jobId": 4}), &script, &tokens);
    while script.tokens.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let token = script.tokens.lock().unwrap()[0].clone();
    assert_eq!(script.calls.lock().unwrap()[0].1, json!({"token": token}));
    (execution, tokens, token, script)
}

#[tokio::test(start_paused = true)]
async fn the_state_ends_with_the_answer_for_its_token() {
    let (execution, tokens, token, _) = begin(json!({"ResultPath": "$.r"}), Script::new()).await;
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    assert_eq!(execution.status(), Status::Running);
    tokens.send_success(&token, json!({"done": true})).unwrap();
    assert_eq!(execution.wait().await.output.unwrap(), json!({"jobId": 4, "r": {"done": true}}));
    assert_eq!(tokens.send_success(&token, json!(1)), Err(TokenError::TaskTimedOut));
}

#[tokio::test(start_paused = true)]
async fn a_failure_for_the_token_is_the_failure_of_the_state() {
    let (execution, tokens, token, _) = begin(json!({}), Script::new()).await;
    tokens.send_failure(&token, Some("Stage.Transcode".into()), Some("no".into())).unwrap();
    let outcome = execution.wait().await;
    assert_eq!((outcome.error.as_deref(), outcome.cause.as_deref()), (Some("Stage.Transcode"), Some("no")));
}

#[tokio::test(start_paused = true)]
async fn a_failure_without_error_or_cause_has_none() {
    let (execution, tokens, token, _) = begin(json!({}), Script::new()).await;
    tokens.send_failure(&token, None, None).unwrap();
    let outcome = execution.wait().await;
    assert_eq!((outcome.status, outcome.error, outcome.cause), (Status::Failed, None, None));
    let events = execution.history();
    assert_eq!(events.last().unwrap().to_json(true)["executionFailedEventDetails"], json!({}));
    let failed = &events[events.len() - 2].to_json(true)["taskFailedEventDetails"];
    assert_eq!(*failed, json!({"resourceType": "lambda", "resource": "invoke.waitForTaskToken"}));

    let (script, tokens) = (Arc::new(Script::new()), TokenBoard::new());
    let mut states = waiting(json!({"Catch": [{"ErrorEquals": ["States.TaskFailed"], "Next": "C"}]}));
    states["C"] = json!({"Type": "Pass", "End": true});
    let execution = start(states, json!({}), &script, &tokens);
    while script.tokens.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let token = script.tokens.lock().unwrap()[0].clone();
    tokens.send_failure(&token, None, None).unwrap();
    assert_eq!(execution.wait().await.output.unwrap(), json!({"Error": null, "Cause": null}));
}

#[tokio::test(start_paused = true)]
async fn an_answer_before_the_call_returns_waits_for_the_call() {
    let (execution, tokens, token, _) = begin(json!({}), Script::new().reply("W", 5, Ok(json!("ack")))).await;
    tokens.send_success(&token, json!("answer")).unwrap();
    assert_eq!(execution.wait().await.output.unwrap(), "answer");
    let kinds: Vec<_> = execution.history().iter().map(|event| event.event_type()).collect();
    assert_eq!(kinds[3..6], ["TaskStarted", "TaskSubmitted", "TaskSucceeded"]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_before_the_call_fails_still_counts() {
    let script = Script::new().reply("W", 5, Err(TaskError::new("Lambda.Unknown", "killed")));
    let (execution, tokens, token, _) = begin(json!({}), script).await;
    tokens.send_success(&token, json!("answer")).unwrap();
    assert_eq!(execution.wait().await.output.unwrap(), "answer");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_ends_the_state_and_its_token() {
    let script = Script::new().reply("W", 5, Err(TaskError::new("Lambda.Unknown", "killed")));
    let (execution, tokens, token, _) = begin(json!({}), script).await;
    assert_eq!(execution.wait().await.error.as_deref(), Some("Lambda.Unknown"));
    assert_eq!(tokens.send_success(&token, json!(1)), Err(TokenError::TaskTimedOut));
}

#[tokio::test(start_paused = true)]
async fn the_timeout_bounds_the_wait_and_ends_the_token() {
    let before = Instant::now();
    let (execution, tokens, token, _) = begin(json!({"TimeoutSeconds": 30}), Script::new()).await;
    let outcome = execution.wait().await;
    assert_eq!(outcome.error.as_deref(), Some("States.Timeout"));
    assert_eq!(before.elapsed().as_secs(), 30);
    assert_eq!(tokens.send_heartbeat(&token), Err(TokenError::TaskTimedOut));
}

#[tokio::test(start_paused = true)]
async fn heartbeats_keep_the_state_running_and_a_missing_one_ends_it() {
    let before = Instant::now();
    let (execution, tokens, token, _) =
        begin(json!({"TimeoutSeconds": 600, "HeartbeatSeconds": 10}), Script::new()).await;
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(9)).await;
        tokens.send_heartbeat(&token).unwrap();
    }
    let outcome = execution.wait().await;
    assert_eq!(before.elapsed().as_secs(), 55);
    // As the service reports it; the more specific name is for Retry and Catch.
    assert_eq!(outcome.error.as_deref(), Some("States.Timeout"));
    assert_eq!(chain(&execution.history())[5..], ["6 5 TaskTimedOut", "7 6 ExecutionFailed"]);
}

#[tokio::test(start_paused = true)]
async fn a_catch_can_distinguish_a_missed_heartbeat_from_a_timeout() {
    let script = Arc::new(Script::new());
    let mut states = waiting(json!({
        "TimeoutSeconds": 600, "HeartbeatSecondsPath": "$.beat",
        "Catch": [{"ErrorEquals": ["States.HeartbeatTimeout"], "Next": "C"}]
    }));
    states["C"] = json!({"Type": "Pass", "End": true});
    let outcome = run(states, json!({"beat": 10}), &script).await;
    assert_eq!(outcome.output.unwrap(), json!({"Error": "States.HeartbeatTimeout", "Cause": ""}));
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_own_token() {
    let script = Arc::new(Script::new().fails("W", "A").reply("W", 0, Ok(json!("ack"))));
    let tokens = TokenBoard::new();
    let states = waiting(json!({"Retry": [{"ErrorEquals": ["A"]}]}));
    let execution = start(states, json!({}), &script, &tokens);
    while script.tokens.lock().unwrap().len() < 2 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let seen = script.tokens.lock().unwrap().clone();
    assert_eq!(tokens.send_success(&seen[0], json!(1)), Err(TokenError::TaskTimedOut));
    tokens.send_success(&seen[1], json!(2)).unwrap();
    assert_eq!(execution.wait().await.output.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_stopped_execution_ends_its_token() {
    let (execution, tokens, token, _) = begin(json!({}), Script::new()).await;
    execution.stop(None, None);
    assert_eq!(execution.wait().await.status, Status::Aborted);
    assert_eq!(tokens.send_success(&token, json!(1)), Err(TokenError::TaskTimedOut));
}
