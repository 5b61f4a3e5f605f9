//! The runs of distributed Map states.

use aws_sdk_sfn::types::{ExecutionStatus, MapRunStatus};
use serde_json::json;

use crate::support::{INVOKE, Service, name};

#[tokio::test]
async fn a_map_run_is_listed_described_and_its_child_executions_are_executions() {
    let service = Service::start().await;
    let client = &service.client;
    let states = json!({"Map": {
        "Type": "Map", "End": true, "Label": "Items", "MaxConcurrency": 1,
        "ItemBatcher": {"MaxItemsPerBatch": 2},
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Work", "States": {"Work": {
                "Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": "f", "Payload.$": "$.Items"}, "End": true
            }}
        }
    }});
    let machine = service.create("m", states).await;
    let started = client.start_execution().state_machine_arn(&machine).input("[1, 2, 3]").send().await.unwrap();
    let parent = started.execution_arn;
    service.states.execution(&parent).unwrap().wait().await;

    let runs = client.list_map_runs().execution_arn(&parent).send().await.unwrap().map_runs;
    assert_eq!(runs.len(), 1);
    let run = &runs[0].map_run_arn;
    assert!(run.starts_with("arn:aws:states:eu-west-1:111122223333:mapRun:m/Items:"), "{run}");
    assert_eq!(runs[0].state_machine_arn, "arn:aws:states:eu-west-1:111122223333:stateMachine:m/Items");

    let seen = client.describe_map_run().map_run_arn(run).send().await.unwrap();
    assert_eq!((seen.status, seen.max_concurrency), (MapRunStatus::Succeeded, 1));
    let (items, executions) = (seen.item_counts.unwrap(), seen.execution_counts.unwrap());
    assert_eq!((items.total, items.succeeded, executions.total, executions.results_written), (3, 3, 2, 2));

    let children = client.list_executions().map_run_arn(run).send().await.unwrap().executions;
    assert_eq!(children.iter().map(|child| child.item_count).collect::<Vec<_>>(), [Some(1), Some(2)]);
    let child = &children[1].execution_arn;
    let seen = client.describe_execution().execution_arn(child).send().await.unwrap();
    assert_eq!((seen.status, seen.map_run_arn.as_ref()), (ExecutionStatus::Succeeded, Some(run)));
    assert_eq!(seen.input.unwrap(), r#"{"Items":[1,2]}"#);
    let history = client.get_execution_history().execution_arn(child).send().await.unwrap();
    assert_eq!(history.events.len(), 7);
    // An execution of a machine is not a child of a run.
    let own = client.list_executions().state_machine_arn(&machine).send().await.unwrap().executions;
    assert_eq!(own.len(), 1);

    client.update_map_run().map_run_arn(run).max_concurrency(5).send().await.unwrap();
    let unknown = client.describe_map_run().map_run_arn(format!("{run}x")).send().await;
    assert_eq!(name(unknown).0, "ResourceNotFound");
}
