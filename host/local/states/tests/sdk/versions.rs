//! Published versions and aliases.

use std::collections::BTreeSet;

use aws_sdk_sfn::types::RoutingConfigurationListItem;
use serde_json::json;

use crate::support::{ROLE, Service, name, wait_forever};

fn to(machine: &str, version: u64, weight: i32) -> RoutingConfigurationListItem {
    let arn = format!("{machine}:{version}");
    RoutingConfigurationListItem::builder().state_machine_version_arn(arn).weight(weight).build().unwrap()
}

fn giving(value: u64) -> String {
    json!({"StartAt": "S", "States": {"S": {"Type": "Pass", "Result": value, "End": true}}}).to_string()
}

#[tokio::test]
async fn a_version_is_the_machine_as_it_was_and_is_published_once_for_a_revision() {
    let service = Service::start().await;
    let client = &service.client;
    let create = client.create_state_machine().name("m").role_arn(ROLE).definition(giving(1));
    let described = create.clone().version_description("x").send().await;
    assert_eq!(
        name(described),
        ("ValidationException".into(), "Version description can only be set when publish is true".into())
    );
    let created = create.publish(true).send().await.unwrap();
    let machine = created.state_machine_arn;
    assert_eq!(created.state_machine_version_arn.as_ref(), Some(&format!("{machine}:1")));

    let again = client.publish_state_machine_version().state_machine_arn(&machine).send().await.unwrap();
    assert_eq!(again.state_machine_version_arn, format!("{machine}:1"));
    let update = client.update_state_machine().state_machine_arn(&machine).definition(giving(2));
    let updated = update.publish(true).version_description("second").send().await.unwrap();
    assert_eq!(updated.state_machine_version_arn.unwrap(), format!("{machine}:2"));
    let other = client.publish_state_machine_version().state_machine_arn(&machine).revision_id("r").send().await;
    let (code, message) = name(other);
    assert_eq!(code, "ConflictException");
    assert!(message.starts_with("Failed to publish the State Machine version for revision r."), "{message}");

    let seen = client.describe_state_machine().state_machine_arn(format!("{machine}:2")).send().await.unwrap();
    assert_eq!((seen.definition, seen.description.as_deref()), (giving(2), Some("second")));
    for (version, output) in [(1, json!(1)), (2, json!(2))] {
        assert_eq!(service.run(&format!("{machine}:{version}"), json!({})).await.1, output);
    }
    let listed = client.list_executions().state_machine_arn(format!("{machine}:1")).send().await.unwrap().executions;
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].state_machine_arn, machine);
    assert_eq!(listed[0].state_machine_version_arn.as_deref(), Some(format!("{machine}:1").as_str()));

    for _ in 0..2 {
        let delete = client.delete_state_machine_version().state_machine_version_arn(format!("{machine}:2"));
        delete.send().await.unwrap();
    }
    let left = client.list_state_machine_versions().state_machine_arn(&machine).send().await.unwrap();
    assert_eq!(left.state_machine_versions.len(), 1);
    let third = client.publish_state_machine_version().state_machine_arn(&machine).send().await.unwrap();
    assert_eq!(third.state_machine_version_arn, format!("{machine}:3"), "a number is never used again");
    let gone = client.start_execution().state_machine_arn(format!("{machine}:2")).send().await;
    assert_eq!(name(gone).0, "StateMachineDoesNotExist");
}

#[tokio::test]
async fn an_alias_shares_executions_between_two_versions() {
    let service = Service::start().await;
    let client = &service.client;
    let create = client.create_state_machine().name("m").role_arn(ROLE).definition(giving(1)).publish(true);
    let machine = create.send().await.unwrap().state_machine_arn;
    client.update_state_machine().state_machine_arn(&machine).definition(giving(2)).publish(true).send().await.unwrap();

    let create = || client.create_state_machine_alias().name("live");
    let both = || create().routing_configuration(to(&machine, 1, 50)).routing_configuration(to(&machine, 2, 50));
    let alias = both().send().await.unwrap().state_machine_alias_arn;
    assert_eq!(alias, format!("{machine}:live"));
    assert_eq!(both().send().await.unwrap().state_machine_alias_arn, alias);
    let mut outputs = BTreeSet::new();
    for _ in 0..100 {
        outputs.insert(service.run(&alias, json!({})).await.1.to_string());
        if outputs.len() == 2 {
            break;
        }
    }
    assert_eq!(outputs.len(), 2, "each version gets half of the executions");
    let listed = client.list_executions().state_machine_arn(&alias).send().await.unwrap().executions;
    assert!(!listed.is_empty() && listed.iter().all(|listed| listed.state_machine_alias_arn.as_ref() == Some(&alias)));

    let delete = client.delete_state_machine_version().state_machine_version_arn(format!("{machine}:1"));
    let (code, message) = name(delete.send().await);
    assert_eq!(code, "ConflictException");
    assert!(message.ends_with("Current list of aliases referencing this version: [live]"), "{message}");
    let update = client.update_state_machine_alias().state_machine_alias_arn(&alias).description("all new");
    update.routing_configuration(to(&machine, 2, 100)).send().await.unwrap();
    let seen = client.describe_state_machine_alias().state_machine_alias_arn(&alias).send().await.unwrap();
    assert_eq!((seen.name.as_deref(), seen.description.as_deref()), (Some("live"), Some("all new")));
    assert_eq!(seen.routing_configuration.unwrap(), [to(&machine, 2, 100)]);
    for _ in 0..5 {
        assert_eq!(service.run(&alias, json!({})).await.1, json!(2));
    }
    let listed = client.list_state_machine_aliases().state_machine_arn(&machine).send().await.unwrap();
    assert_eq!(listed.state_machine_aliases.len(), 1);
    client.delete_state_machine_alias().state_machine_alias_arn(&alias).send().await.unwrap();
    let gone = client.describe_state_machine_alias().state_machine_alias_arn(&alias).send().await;
    assert_eq!(name(gone).0, "ResourceNotFound");
}

#[tokio::test]
async fn versions_and_aliases_of_another_region_or_account_do_not_exist() {
    let service = Service::start().await;
    let client = &service.client;
    let create = client.create_state_machine().name("m").role_arn(ROLE).definition(giving(1)).publish(true);
    let machine = create.send().await.unwrap().state_machine_arn;
    let create = client.create_state_machine_alias().name("live").routing_configuration(to(&machine, 1, 100));
    let alias = create.send().await.unwrap().state_machine_alias_arn;
    let mut parts: Vec<&str> = machine.split(':').collect();
    (parts[3], parts[4]) = ("ap-south-1", "999999999999");
    let elsewhere = parts.join(":");
    let missing = "Request references a resource that does not exist.";
    let routes = json!([{"stateMachineVersionArn": format!("{elsewhere}:1"), "weight": 100}]);
    for (operation, request) in [
        ("DescribeStateMachineAlias", json!({"stateMachineAliasArn": format!("{elsewhere}:live")})),
        ("UpdateStateMachineAlias", json!({"stateMachineAliasArn": format!("{elsewhere}:live"), "description": "x"})),
        ("CreateStateMachineAlias", json!({"name": "other", "routingConfiguration": routes})),
    ] {
        assert_eq!(service.call(operation, request).await.unwrap_err().1, missing, "{operation}");
    }
    client.delete_state_machine_alias().state_machine_alias_arn(format!("{elsewhere}:live")).send().await.unwrap();
    assert!(client.describe_state_machine_alias().state_machine_alias_arn(&alias).send().await.is_ok());
    client.delete_state_machine_alias().state_machine_alias_arn(&alias).send().await.unwrap();
    client.delete_state_machine_version().state_machine_version_arn(format!("{elsewhere}:1")).send().await.unwrap();
    let listed = |arn: &str| client.list_state_machine_versions().state_machine_arn(arn).send();
    assert_eq!(listed(&machine).await.unwrap().state_machine_versions.len(), 1);
    assert_eq!(listed(&elsewhere).await.unwrap().state_machine_versions.len(), 0);
}

#[tokio::test]
async fn routes_are_checked_in_the_service_s_words() {
    let service = Service::start().await;
    let client = &service.client;
    let create = client.create_state_machine().name("m").role_arn(ROLE).definition(giving(1)).publish(true);
    let machine = create.send().await.unwrap().state_machine_arn;
    service.create("other", wait_forever()).await;
    for (routes, wanted) in [
        (json!([[machine, 100]]), format!("Routing configuration must contain state machine version ARNs. Received: [{machine}]")),
        (
            json!([[format!("{machine}:1"), 50], [format!("{machine}:1"), 50]]),
            format!(
                "Routing configuration must contain distinct state machine version ARNs. Received: [{machine}:1, {machine}:1]"
            ),
        ),
        (
            json!([[format!("{machine}:1"), 99]]),
            "Sum of routing configuration weights must equal 100. Received: [99]".to_owned(),
        ),
        (
            json!([[format!("{machine}:1"), 101]]),
            "1 validation error detected: Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: \
             Member must have value less than or equal to 100"
                .to_owned(),
        ),
        (json!([[format!("{machine}:9"), 100]]), "Request references a resource that does not exist.".to_owned()),
    ] {
        let routes: Vec<_> = routes
            .as_array()
            .unwrap()
            .iter()
            .map(|route| json!({"stateMachineVersionArn": route[0], "weight": route[1]}))
            .collect();
        let request = json!({"name": "live", "routingConfiguration": routes});
        assert_eq!(service.call("CreateStateMachineAlias", request).await.unwrap_err().1, wanted);
    }
    for bad in ["123", "a b", "a!"] {
        let request = json!({"name": bad, "routingConfiguration": [{"stateMachineVersionArn": format!("{machine}:1"), "weight": 100}]});
        let (code, message) = service.call("CreateStateMachineAlias", request).await.unwrap_err();
        assert_eq!(code, "ValidationException");
        assert!(message.contains(&format!("Value '{bad}' at 'name'")), "{message}");
    }
}
