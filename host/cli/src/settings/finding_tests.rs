#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;

fn found(schema: &Value, document: &Value) -> Vec<String> {
    let text = document.to_string();
    findings(&text, document, schema).unwrap().iter().map(ToString::to_string).collect()
}

#[test]
fn the_nearest_name_is_what_was_meant_and_a_strange_one_has_none() {
    let known = ["boxes", "widths", "format", "quality", "maxPixels"];
    for (written, meant) in
        [("width", "widths"), ("wdiths", "widths"), ("maxpixels", "maxPixels"), ("qualty", "quality"), ("box", "boxes")]
    {
        assert_eq!(nearest(written, &known), Some(meant));
    }
    assert_eq!(nearest("colour", &known), None);
    assert_eq!(nearest("x", &[]), None);
}

#[test]
fn a_number_with_a_needless_fraction_is_refused_where_an_integer_belongs_and_only_there() {
    let schema = json!({"properties": {"n": {"type": ["integer", "null"]}, "x": {"type": "number"}}});
    assert_eq!(found(&schema, &json!({"n": 4, "x": 4.0})), Vec::<String>::new());
    let too_large: Value = serde_json::from_str(r#"{"n": 18446744073709551616}"#).unwrap();
    for document in [json!({"n": 4.0}), too_large] {
        let found = found(&schema, &document);
        assert!(found.len() == 1 && found[0].contains("(/n)"), "{found:?}");
    }
}

#[test]
fn findings_are_in_the_order_of_the_text() {
    let schema = json!({"properties": {"a": {"type": "string"}, "b": {"minimum": 1}}, "additionalProperties": false});
    let found = found(&schema, &json!({"c": 1, "b": 0, "a": 1}));
    let places: Vec<_> = found.iter().map(|text| text.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["1:2", "1:8", "1:14"], "{found:?}");
}

#[test]
fn a_schema_that_cannot_be_used_is_an_error_that_says_so() {
    let error = findings("{}", &json!({}), &json!({"properties": {"x": {"type": "nonsense"}}})).unwrap_err();
    assert!(error.to_string().contains("schema"), "{error}");
}
