//! Merging a job's settings with those of its template.

use serde_json::Value;

/// Merges a job's settings into those of its template, field by field. Lists of objects (inputs, output groups,
/// outputs, …) are merged by position: fields and elements that the job leaves out are the template's. AWS does not
/// document this; its Video on Demand solution (`source/encode/index.js` of aws-solutions/video-on-demand-on-aws)
/// relies on it when it sends an empty list of outputs.
pub(crate) fn overlay(template: Value, job: Value) -> Value {
    match (template, job) {
        (base, Value::Null) => base,
        (Value::Object(mut base), Value::Object(own)) => {
            for (name, value) in own {
                let old = base.shift_remove(&name).unwrap_or(Value::Null);
                base.insert(name, overlay(old, value));
            }
            Value::Object(base)
        }
        (Value::Array(base), Value::Array(own)) if own.iter().all(Value::is_object) => {
            let mut base = base.into_iter();
            let mut merged: Vec<_> =
                own.into_iter().map(|value| overlay(base.next().unwrap_or(Value::Null), value)).collect();
            merged.extend(base);
            Value::Array(merged)
        }
        (_, own) => own,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_adds_to_the_settings_of_its_template() {
        let merged = overlay(
            json!({"inputs": [{"videoSelector": {"rotate": "AUTO"}}], "outputGroups": [{"outputs": [{"extension": "mp4"}]}]}),
            json!({"inputs": [{"fileInput": "s3://b/k"}], "outputGroups": [{"outputGroupSettings": {"type": "X"}}]}),
        );
        assert_eq!(merged["inputs"][0], json!({"videoSelector": {"rotate": "AUTO"}, "fileInput": "s3://b/k"}));
        assert_eq!(merged["outputGroups"][0]["outputs"], json!([{"extension": "mp4"}]));
        assert_eq!(merged["outputGroups"][0]["outputGroupSettings"], json!({"type": "X"}));
    }

    #[test]
    fn outputs_are_merged_by_position_and_an_empty_list_leaves_the_templates() {
        let template = json!({"outputGroups": [{"outputs": [{"nameModifier": "_1080p", "extension": "mp4"}, {"nameModifier": "_720p"}]}]});
        let merged = overlay(template.clone(), json!({"outputGroups": [{"outputs": [{"nameModifier": "_big"}]}]}));
        let outputs = &merged["outputGroups"][0]["outputs"];
        assert_eq!(*outputs, json!([{"extension": "mp4", "nameModifier": "_big"}, {"nameModifier": "_720p"}]));
        assert_eq!(overlay(template.clone(), json!({"outputGroups": [{"outputs": []}]})), template);
    }

    #[test]
    fn a_list_of_plain_values_is_replaced() {
        assert_eq!(overlay(json!({"tracks": [1, 2]}), json!({"tracks": [3]})), json!({"tracks": [3]}));
    }
}
