//! The table of operations in the documentation.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::Service;

/// The operations of the service, of version 2016-11-23 of its API.
const OPERATIONS: [&str; 37] = [
    "CreateActivity",
    "CreateStateMachine",
    "CreateStateMachineAlias",
    "DeleteActivity",
    "DeleteStateMachine",
    "DeleteStateMachineAlias",
    "DeleteStateMachineVersion",
    "DescribeActivity",
    "DescribeExecution",
    "DescribeMapRun",
    "DescribeStateMachine",
    "DescribeStateMachineAlias",
    "DescribeStateMachineForExecution",
    "GetActivityTask",
    "GetExecutionHistory",
    "ListActivities",
    "ListExecutions",
    "ListMapRuns",
    "ListStateMachineAliases",
    "ListStateMachineVersions",
    "ListStateMachines",
    "ListTagsForResource",
    "PublishStateMachineVersion",
    "RedriveExecution",
    "SendTaskFailure",
    "SendTaskHeartbeat",
    "SendTaskSuccess",
    "StartExecution",
    "StartSyncExecution",
    "StopExecution",
    "TagResource",
    "TestState",
    "UntagResource",
    "UpdateMapRun",
    "UpdateStateMachine",
    "UpdateStateMachineAlias",
    "ValidateStateMachineDefinition",
];

#[tokio::test]
async fn the_documented_table_has_every_operation_and_is_true() {
    let service = Service::start().await;
    let page = include_str!("../../../../../docs/step-functions-api.md");
    let rows: BTreeMap<&str, &str> = page
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|');
            let operation = cells.next()?.trim().trim_end_matches('`');
            Some((operation, cells.next()?.trim()))
        })
        .filter(|(_, served)| ["served", "refused"].contains(served))
        .collect();
    assert_eq!(rows.keys().copied().collect::<Vec<_>>(), OPERATIONS);
    for (operation, served) in rows {
        let answer = service.call(operation, json!({})).await;
        let unknown = answer.is_err_and(|(code, _)| code == "UnknownOperationException");
        assert_eq!(unknown, served == "refused", "{operation} is documented as {served}");
    }
}
