//! Lines that stages write for the log, in the format of the host's own lines.

use serde_json::{Map, Value, json};
use stagehost_runtime::capability::CallScope;
use stagehost_runtime::{LogLine, StageLogLevel};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::level_filters::LevelFilter;

use crate::scrub::scrub;

/// What a stage's line has as `target`, as the host's own lines have a module.
const TARGET: &str = "stage";

/// Returns whether lines of a level are written.
pub(crate) fn is_written(level: StageLogLevel, lowest: LevelFilter) -> bool {
    let level = match level {
        StageLogLevel::Error => LevelFilter::ERROR,
        StageLogLevel::Warn => LevelFilter::WARN,
        StageLogLevel::Info => LevelFilter::INFO,
        StageLogLevel::Debug => LevelFilter::DEBUG,
        StageLogLevel::Trace => LevelFilter::TRACE,
    };
    level <= lowest
}

/// Returns a stage's line as JSON. The stage's own fields are in `fields`, so that none can replace a field of the host.
pub(crate) fn line(scope: &CallScope, key: Option<&str>, line: LogLine<'_>, now: OffsetDateTime) -> String {
    let batch = &scope.batch;
    let mut object = Map::new();
    for (name, value) in [
        ("timestamp", json!(now.format(&Rfc3339).unwrap_or_default())),
        ("level", json!(line.level.name())),
        ("listing", json!(batch.listing.id.to_string())),
        ("batch", json!(batch.batch_id.as_ref().map(ToString::to_string))),
        ("job", json!(batch.job_id.as_ref().map(ToString::to_string))),
        ("execution", json!(scope.execution)),
        ("state", json!(scope.state)),
        ("stage", json!(scope.provenance.stage)),
        ("version", json!(scope.provenance.version)),
        ("digest", json!(scope.provenance.digest)),
        ("asset", json!(key)),
        ("message", json!(line.message)),
    ] {
        if !value.is_null() {
            object.insert(name.into(), value);
        }
    }
    if !line.fields.is_empty() {
        let fields: Map<_, _> = line.fields.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        object.insert("fields".into(), Value::Object(fields));
    }
    object.insert("target".into(), json!(TARGET));
    scrub(&Value::Object(object).to_string()).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::samples::scope;

    fn written(message: &str, fields: &[(&str, &str)]) -> Value {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let logged = LogLine { level: StageLogLevel::Warn, message, fields: &fields };
        let text = line(&scope(), Some("51/raw/a.jpg"), logged, OffsetDateTime::UNIX_EPOCH);
        assert!(!text.contains('\n'), "{text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_line_says_which_stage_wrote_it_about_which_file() {
        let line = written("no\nprofile", &[("model", "X100")]);
        assert_eq!((&line["level"], &line["message"]), (&json!("WARN"), &json!("no\nprofile")));
        assert_eq!((&line["listing"], &line["state"]), (&json!("51"), &json!("GenerateThumbnails")));
        assert_eq!((&line["stage"], &line["asset"]), (&json!("thumbnails"), &json!("51/raw/a.jpg")));
        assert_eq!(line["fields"], json!({"model": "X100"}));
        assert_eq!(line["timestamp"], "1970-01-01T00:00:00Z");
    }

    #[test]
    fn a_stage_cannot_pose_as_the_host_or_show_a_signature() {
        let line = written("GET https://b/k?X-Amz-Signature=fe5f80f7", &[("level", "FATAL"), ("_aws", "x")]);
        assert_eq!(line["level"], "WARN");
        assert!(line.get("_aws").is_none());
        assert!(!line.to_string().contains("fe5f80f7"), "{line}");
    }

    #[test]
    fn levels_below_the_chosen_one_are_not_written() {
        let written = |lowest| {
            use StageLogLevel as L;
            [L::Error, L::Warn, L::Info, L::Debug, L::Trace].map(|level| is_written(level, lowest))
        };
        assert_eq!(written(LevelFilter::INFO), [true, true, true, false, false]);
        assert_eq!(written(LevelFilter::OFF), [false; 5]);
        assert_eq!(written(LevelFilter::TRACE), [true; 5]);
    }
}
