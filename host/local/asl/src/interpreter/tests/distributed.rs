//! Distributed Map states. Histories and causes are those of recorded executions.

use super::*;
use crate::{ItemStorage, MapRuns, Status, StorageFailure};

/// Objects by `bucket/key`, and a resource that gives parameters back or fails for the item `"bad"`.
#[derive(Default)]
struct Bucket(Arc<Objects>);

#[derive(Default)]
struct Objects(Mutex<std::collections::BTreeMap<String, Vec<u8>>>);

#[async_trait]
impl ItemStorage for Objects {
    async fn get(&self, bucket: &str, key: &str, most: usize) -> Result<Vec<u8>, StorageFailure> {
        let found = self.0.lock().unwrap().get(&format!("{bucket}/{key}")).cloned();
        found.filter(|body| body.len() <= most).ok_or_else(|| StorageFailure(format!("there is no {bucket}/{key}")))
    }

    async fn list(&self, bucket: &str, prefix: &str, most: usize) -> Result<Vec<Value>, StorageFailure> {
        let start = format!("{bucket}/{prefix}");
        let objects = self.0.lock().unwrap();
        let found = objects.iter().filter(|(key, _)| key.starts_with(&start)).take(most);
        Ok(found.map(|(key, body)| json!({"Key": key[bucket.len() + 1..], "Size": body.len()})).collect())
    }

    async fn put(&self, bucket: &str, key: &str, body: Vec<u8>) -> Result<(), StorageFailure> {
        self.0.lock().unwrap().insert(format!("{bucket}/{key}"), body);
        Ok(())
    }
}

#[async_trait]
impl Resources for Bucket {
    fn supports(&self, _: &Resource) -> Result<(), Unsupported> {
        Ok(())
    }

    async fn call(&self, call: TaskCall) -> Result<Value, TaskError> {
        match call.parameters.to_string().contains("\"bad\"") {
            true => Err(TaskError::new("Bad", "because")),
            false => Ok(call.parameters),
        }
    }

    fn storage(&self) -> Option<Arc<dyn ItemStorage>> {
        Some(self.0.clone())
    }
}

impl Bucket {
    fn with(objects: &[(&str, &str)]) -> Self {
        let bucket = Self::default();
        for (key, body) in objects {
            bucket.0.0.lock().unwrap().insert((*key).to_owned(), body.as_bytes().to_vec());
        }
        bucket
    }
}

/// Returns a machine of one distributed Map state whose items go through a Task.
fn machine(fields: Value) -> Value {
    let mut map = json!({
        "Type": "Map", "End": true, "Label": "Items",
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Work", "States": {"Work": {"Type": "Task", "Resource": INVOKE, "End": true}}
        }
    });
    map.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    json!({"StartAt": "Map", "States": {"Map": map}})
}

fn begin(machine: &Value, input: Value, bucket: Bucket) -> (Execution, MapRuns) {
    let machine = StateMachine::load(&machine.to_string(), &bucket).unwrap_or_else(|error| panic!("{error}"));
    let request = StartRequest {
        arn: "arn:aws:states:eu-west-1:111122223333:execution:machine:run-1".into(),
        state_machine_name: "machine".into(),
        input,
        ..StartRequest::default()
    };
    let runs = request.map_runs.clone();
    (Execution::start(Arc::new(machine), request, Arc::new(bucket), TokenBoard::new()), runs)
}

async fn output_of(fields: Value, input: Value, bucket: Bucket) -> Value {
    let outcome = begin(&machine(fields), input, bucket).0.wait().await;
    outcome.output.clone().unwrap_or_else(|| panic!("{outcome:?}"))
}

async fn failure_of(fields: Value, input: Value, bucket: Bucket) -> (Vec<String>, String, String) {
    let execution = begin(&machine(fields), input, bucket).0;
    let outcome = execution.wait().await;
    assert_eq!(outcome.status, Status::Failed, "{outcome:?}");
    (chain(&execution.history()), outcome.error.unwrap_or_default(), outcome.cause.unwrap_or_default())
}

fn reader(config: Value) -> Value {
    json!({"ItemReader": {
        "Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": config,
        "Parameters": {"Bucket.$": "$.bucket", "Key.$": "$.key"}
    }})
}

#[tokio::test(start_paused = true)]
async fn a_run_has_its_own_events_and_a_child_execution_for_every_item() {
    let (execution, runs) = begin(&machine(json!({})), json!(["a", "b"]), Bucket::default());
    assert_eq!(execution.wait().await.output, Some(json!(["a", "b"])));
    assert_eq!(
        chain(&execution.history()),
        [
            "1 0 ExecutionStarted",
            "2 0 MapStateEntered",
            "3 2 MapStateStarted",
            "4 3 MapRunStarted",
            "5 4 MapRunSucceeded",
            "6 5 MapStateSucceeded",
            "7 5 MapStateExited",
            "8 7 ExecutionSucceeded",
        ]
    );
    let run = runs.of_execution(&execution.info().arn).pop().unwrap();
    assert!(run.arn.starts_with("arn:aws:states:eu-west-1:111122223333:mapRun:machine/Items:"), "{}", run.arn);
    assert_eq!(execution.history()[3].to_json(true)["mapRunStartedEventDetails"]["mapRunArn"], json!(run.arn));
    let state = run.state();
    assert_eq!((state.status, state.items.succeeded, state.executions.results_written), (Status::Succeeded, 2, 2));
    let children = runs.children(&run.arn);
    assert_eq!(children.len(), 2);
    let child = &children[1].0;
    assert!(child.info().arn.starts_with("arn:aws:states:eu-west-1:111122223333:execution:machine/Items:"));
    assert_eq!(child.info().input, json!("a"));
    assert_eq!(child.history().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn after_a_jsonata_state_the_history_goes_on_from_the_start_of_the_run() {
    let mut machine = machine(json!({"Items": "{% $states.input.list %}", "ToleratedFailureCount": "{% 1 %}"}));
    machine["QueryLanguage"] = json!("JSONata");
    let (execution, _) = begin(&machine, json!({"list": [1]}), Bucket::default());
    assert_eq!(execution.wait().await.output, Some(json!([1])));
    assert_eq!(
        chain(&execution.history())[4..7],
        ["5 4 MapRunSucceeded", "6 5 MapStateSucceeded", "7 4 MapStateExited"]
    );
}

#[tokio::test(start_paused = true)]
async fn with_variables_the_history_goes_on_from_the_start_of_the_run_too() {
    let mut machine = machine(json!({"ItemsPath": "$words"}));
    let first = machine["StartAt"].as_str().unwrap().to_owned();
    machine["States"]["Keep"] = json!({"Type": "Pass", "Assign": {"words": ["a"]}, "Next": first});
    machine["StartAt"] = json!("Keep");
    let (execution, _) = begin(&machine, json!({}), Bucket::default());
    assert_eq!(execution.wait().await.output, Some(json!(["a"])));
    assert_eq!(
        chain(&execution.history())[5..9],
        ["6 5 MapRunStarted", "7 6 MapRunSucceeded", "8 7 MapStateSucceeded", "9 6 MapStateExited"]
    );
}

#[tokio::test(start_paused = true)]
async fn items_are_read_from_a_bucket_and_the_state_starts_without_knowing_how_many() {
    let objects = [("b/file.csv", "x,y\n1,2\n3,4\n"), ("b/file.json", "[1, 2, 3]"), ("b/file.jsonl", "1\n{}\n")];
    let input = |key: &str| json!({"bucket": "b", "key": key, "most": 1});
    for (config, key, expected) in [
        (
            json!({"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"}),
            "file.csv",
            json!([{"x": "1", "y": "2"}, {"x": "3", "y": "4"}]),
        ),
        (
            json!({"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["h"], "MaxItemsPath": "$.most"}),
            "file.csv",
            json!([{"h": "x"}]),
        ),
        (json!({"InputType": "JSON", "MaxItems": 2}), "file.json", json!([1, 2])),
        (json!({"InputType": "JSONL"}), "file.jsonl", json!([1, {}])),
    ] {
        assert_eq!(output_of(reader(config), input(key), Bucket::with(&objects)).await, expected, "{key}");
    }
    let listing = json!({"ItemReader": {
        "Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "b", "Prefix": "file.j"}
    }, "ItemSelector": {"key.$": "$$.Map.Item.Value.Key", "at.$": "$$.Map.Item.Index", "from.$": "$.bucket"}});
    let expected = json!([{"key": "file.json", "at": 0, "from": "b"}, {"key": "file.jsonl", "at": 1, "from": "b"}]);
    assert_eq!(output_of(listing, input(""), Bucket::with(&objects)).await, expected);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_fails_fails_its_run_and_a_wrong_limit_fails_before_it() {
    let bucket = || Bucket::with(&[("b/file", "{}")]);
    let input = json!({"bucket": "b", "key": "file", "most": 1.5});
    let (events, error, cause) = failure_of(reader(json!({"InputType": "JSON"})), input.clone(), bucket()).await;
    assert_eq!(
        events[2..],
        ["3 2 MapStateStarted", "4 3 MapRunStarted", "5 4 MapRunFailed", "6 5 MapStateFailed", "7 6 ExecutionFailed"]
    );
    assert_eq!(
        (error.as_str(), cause.as_str()),
        ("States.ItemReaderFailed", "Attempting to map over non-iterable node.")
    );

    let config = json!({"InputType": "JSON", "MaxItemsPath": "$.most"});
    let (events, error, cause) = failure_of(reader(config), input, bucket()).await;
    assert_eq!(events[2..], ["3 2 MapStateStarted", "4 3 ExecutionFailed"]);
    assert_eq!(error, "States.Runtime");
    assert_eq!(
        cause,
        "An error occurred while executing the state 'Map' (entered at the event id #2). The MaxItemsPath field refers to \
         value \"1.5\" which is not a valid integer: $.most"
    );

    for (field, value, cause) in [
        (
            "Count",
            json!({}),
            "The ToleratedFailureCountPath field refers to value \"{}\" which is not a valid integer: $.t",
        ),
        ("Count", json!(-1), "ToleratedFailureCount cannot be negative."),
        (
            "Percentage",
            json!("No"),
            "The ToleratedFailurePercentagePath field refers to value \"No\" which is not a valid float: $.t",
        ),
        ("Percentage", json!(-1.1), "ToleratedFailurePercentage must be between 0 and 100."),
    ] {
        let fields = json!({"ItemsPath": "$.list", format!("ToleratedFailure{field}Path"): "$.t"});
        let (events, error, found) = failure_of(fields, json!({"list": [0], "t": value}), Bucket::default()).await;
        assert_eq!(events[2..], ["3 2 MapStateStarted", "4 3 ExecutionFailed"]);
        assert!(error == "States.Runtime" && found.ends_with(cause), "{found}");
    }
}

#[tokio::test(start_paused = true)]
async fn failures_are_tolerated_up_to_the_threshold() {
    let input = || json!(["bad", 1, 2, 3]);
    let (events, error, cause) = failure_of(json!({}), input(), Bucket::default()).await;
    assert_eq!(events[4..], ["5 4 MapRunFailed", "6 5 MapStateFailed", "7 6 ExecutionFailed"]);
    assert_eq!(error, "States.ExceedToleratedFailureThreshold");
    assert_eq!(cause, "The specified tolerated failure threshold was exceeded");
    for fields in [json!({"ToleratedFailureCount": 1}), json!({"ToleratedFailurePercentage": 25})] {
        let expected = json!([{"Error": "Bad", "Cause": "because"}, 1, 2, 3]);
        assert_eq!(output_of(fields, input(), Bucket::default()).await, expected);
    }
    for fields in [
        json!({"ToleratedFailurePercentage": 24.9}),
        json!({"ToleratedFailureCount": 1, "ToleratedFailurePercentage": 10}),
        // All items of a failed batch have failed.
        json!({"ToleratedFailureCount": 1, "ItemBatcher": {"MaxItemsPerBatch": 2}}),
    ] {
        assert_eq!(failure_of(fields, input(), Bucket::default()).await.1, "States.ExceedToleratedFailureThreshold");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_holds_as_many_items_as_fit_and_what_all_batches_share() {
    let fields = json!({"ItemsPath": "$.list", "ItemBatcher": {
        "MaxItemsPerBatchPath": "$.most", "MaxInputBytesPerBatch": 12, "BatchInput": {"from.$": "$.name"}
    }});
    let input = json!({"list": ["a", "b", "c", "0123456789abcdef", "d"], "most": 2, "name": "n"});
    let batch = |items: Value| json!({"BatchInput": {"from": "n"}, "Items": items});
    assert_eq!(
        output_of(fields, input, Bucket::default()).await,
        json!([batch(json!(["a", "b"])), batch(json!(["c"])), batch(json!(["0123456789abcdef"])), batch(json!(["d"]))])
    );
}

#[tokio::test(start_paused = true)]
async fn results_are_written_with_a_manifest() {
    let bucket = Bucket::default();
    let objects = bucket.0.clone();
    let writer = json!({"ToleratedFailureCount": 1, "MaxConcurrency": 1, "ResultWriter": {
        "Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "results", "Prefix": "jobs"}
    }});
    let output = output_of(writer, json!(["a", "bad"]), bucket).await;
    let run = output["MapRunArn"].as_str().unwrap();
    let folder = format!("jobs/{}", run.rsplit(':').next().unwrap());
    assert_eq!(output["ResultWriterDetails"], json!({"Bucket": "results", "Key": format!("{folder}/manifest.json")}));
    let read = |name: &str| -> Value {
        let objects = objects.0.lock().unwrap();
        serde_json::from_slice(&objects[&format!("results/{folder}/{name}")]).unwrap()
    };
    let manifest = read("manifest.json");
    assert_eq!(manifest["DestinationBucket"], "results");
    assert_eq!(manifest["ResultFiles"]["SUCCEEDED"][0]["Key"], format!("{folder}/SUCCEEDED_0.json"));
    assert_eq!(manifest["ResultFiles"]["PENDING"], json!([]));
    let (succeeded, failed) = (read("SUCCEEDED_0.json"), read("FAILED_0.json"));
    assert_eq!((&succeeded[0]["Output"], &succeeded[0]["Input"]), (&json!("\"a\""), &json!("\"a\"")));
    assert_eq!((&failed[0]["Status"], &failed[0]["Error"]), (&json!("FAILED"), &json!("Bad")));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_child_executions_and_the_run() {
    let mut machine = machine(json!({}));
    machine["States"]["Map"]["ItemProcessor"]["States"]["Work"] = json!({"Type": "Wait", "Seconds": 1000, "End": true});
    let (execution, runs) = begin(&machine, json!([1, 2]), Bucket::default());
    tokio::time::sleep(Duration::from_secs(1)).await;
    execution.stop(None, None);
    assert_eq!(execution.wait().await.status, Status::Aborted);
    let run = runs.of_execution(&execution.info().arn).pop().unwrap();
    for (child, ..) in runs.children(&run.arn) {
        assert_eq!(child.wait().await.status, Status::Aborted);
    }
    assert_eq!((run.state().status, run.state().items.aborted), (Status::Aborted, 2));
}

#[test]
fn a_machine_that_needs_a_storage_is_refused_without_one() {
    let error =
        StateMachine::load(&machine(reader(json!({"InputType": "JSON"}))).to_string(), &Script::new()).unwrap_err();
    assert!(error.to_string().contains("there is no object storage here"), "{error}");
    let inline = json!({"StartAt": "M", "States": {"M": {"Type": "Map", "End": true, "Label": "x",
        "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Succeed"}}}}}});
    let error = StateMachine::parse(&inline.to_string()).unwrap_err().to_string();
    assert!(error.contains("'Label' belongs to distributed Map states"), "{error}");
}
