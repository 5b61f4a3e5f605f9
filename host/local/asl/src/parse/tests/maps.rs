//! Which Map states are refused, and the names and labels of a machine.

use super::*;

#[test]
fn the_fields_of_distributed_maps_are_refused_in_inline_ones_and_checked_in_their_own() {
    let processor = json!({"StartAt": "I", "States": {"I": {"Type": "Succeed"}}});
    for field in
        ["ItemReader", "ItemBatcher", "ResultWriter", "ToleratedFailureCount", "ToleratedFailurePercentagePath"]
    {
        let mut state = json!({"Type": "Map", "ItemProcessor": processor});
        state[field] = json!({});
        one(state, Code::Schema, &format!("/{field}"), field);
    }
    let mut distributed = processor;
    distributed["ProcessorConfig"] = json!({"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"});
    let get = "arn:aws:states:::s3:getObject";
    for (field, value, code, place, part) in [
        ("Label", json!("a b"), Code::InvalidLabel, "", "Invalid Label name"),
        ("Label", json!("l".repeat(41)), Code::InvalidLabel, "", "exceeds the 40-character limit"),
        ("ToleratedFailureCount", json!(-1), Code::Schema, "", "of at least 0"),
        ("ToleratedFailurePercentage", json!(101), Code::Schema, "", "from 0 to 100"),
        ("ItemBatcher", json!({}), Code::Schema, "", "MaxItemsPerBatch"),
        ("ItemBatcher", json!({"MaxItemsPerBatch": 0}), Code::Schema, "/MaxItemsPerBatch", "of at least 1"),
        (
            "ItemReader",
            json!({"Resource": "arn:aws:states:::sqs:x"}),
            Code::Schema,
            "/Resource",
            "The field 'Resource' does not match any of the allowed values",
        ),
        (
            "ItemReader",
            json!({"Resource": get, "ReaderConfig": {"InputType": "CSV"}}),
            Code::Schema,
            "/ReaderConfig",
            "The field 'CSVHeaderLocation' is required",
        ),
        (
            "ItemReader",
            json!({"Resource": get, "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "GIVEN"}}),
            Code::Schema,
            "/ReaderConfig",
            "These fields are required: [CSVHeaders]",
        ),
        (
            "ItemReader",
            json!({"Resource": get, "ReaderConfig": {"InputType": "JSON", "CSVHeaderLocation": "FIRST_ROW"}}),
            Code::Schema,
            "/ReaderConfig/CSVHeaderLocation",
            "Field 'CSVHeaderLocation' is not supported",
        ),
        (
            "ItemReader",
            json!({"Resource": get, "ReaderConfig": {"InputType": "PARQUET"}}),
            Code::Unsupported,
            "/ReaderConfig/InputType",
            "PARQUET",
        ),
        ("ResultWriter", json!({"Resource": "arn:aws:states:::s3:putObject"}), Code::Schema, "", "together"),
    ] {
        let mut state = json!({"Type": "Map", "ItemProcessor": distributed});
        state[field] = value;
        one(state, code, &format!("/{field}{place}"), part);
    }
}

#[test]
fn names_and_labels_are_bounded_and_labels_are_unique() {
    let long = "S".repeat(81);
    let found = findings(&json!({"StartAt": long, "States": {&long: {"Type": "Succeed"}}}));
    assert_eq!(found[0].code, Code::InvalidStateName);
    assert!(found[0].message.ends_with("exceeds the 80-character limit allowed by the service"), "{found:?}");
    let map = |inner: &str| {
        json!({"Type": "Map", "Label": "same", "End": true, "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": inner, "States": {inner: {"Type": "Succeed"}}
        }})
    };
    let branch = |name: &str, inner: &str| json!({"StartAt": name, "States": {name: map(inner)}});
    let found = of_state(json!({"Type": "Parallel", "Branches": [branch("A", "X"), branch("B", "Y")]}));
    assert_eq!((found.len(), found[0].code), (1, Code::DuplicateLabel), "{found:?}");
    assert_eq!(found[0].message, "Duplicate Label name: same");
}

#[test]
fn the_configuration_of_a_processor_has_the_type_of_execution_if_it_is_distributed() {
    let map = |config: Value| {
        json!({"Type": "Map", "ItemProcessor": {
            "ProcessorConfig": config, "StartAt": "I", "States": {"I": {"Type": "Succeed"}}
        }})
    };
    let place = "/ItemProcessor/ProcessorConfig";
    one(map(json!({"Mode": "DISTRIBUTED"})), Code::Schema, place, "These fields are required: [ExecutionType]");
    for (config, field, message) in [
        (
            json!({"Mode": "INLINE", "ExecutionType": "STANDARD"}),
            "ExecutionType",
            "Field 'ExecutionType' is not supported",
        ),
        (
            json!({"Mode": "DISTRIBUTED", "ExecutionType": "FAST"}),
            "ExecutionType",
            "Value should be one of the following: [STANDARD, EXPRESS]",
        ),
        (json!({"Mode": "OTHER"}), "Mode", "Value should be one of the following: [INLINE, DISTRIBUTED]"),
    ] {
        one(map(config), Code::Schema, &format!("{place}/{field}"), message);
    }
}
