//! The JSON Schema of the `--config` file.

use anyhow::Result;
use serde_json::{Map, Value, json};
use stagehost_pins::BatchLimits;
use stagehost_runtime::{Limits, Quotas};

use crate::settings::stage_override::StageOverride;
use crate::settings::stage_schema::{StageSettings, StageSource, of_state};
use crate::settings::state_defaults;

const DRAFT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A prefix of keys, as [`stagehost_runtime::Grants::check`] wants it.
const PREFIX: &str = r"^(?!pipeline/)(?:[^{}]|\{listingId\})*/$";

/// Returns the schema of the file for a state machine with these states, whose stages may be replaced.
///
/// # Errors
/// If a component that replaces a stage cannot be read.
pub fn schema(states: &[String], overrides: &[StageOverride]) -> Result<Value> {
    let mut by_state = Map::new();
    let mut stages = Map::new();
    for state in states {
        let settings = of_state(state, overrides)?;
        let name = definition_name(&settings.source, overrides);
        let config = config(&settings, &name);
        if let Some(schema) = settings.schema {
            stages.insert(name.clone(), embeddable(schema, &name));
        }
        by_state.insert(state.clone(), of_one(state, &settings.source, config));
    }
    Ok(json!({
        "$schema": DRAFT,
        "title": "Configuration of stagehost",
        "description": "The file that `stagehost run`, `serve` and `package` take by --config. What is left out keeps its \
                        default.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "$schema": {
                "title": "Schema",
                "description": "Where an editor finds this schema. stagehost does not read it.",
                "type": "string"
            },
            "batch": batch(),
            "functions": functions(),
            "states": {
                "title": "States",
                "description": "Settings by the name of the state in the state machine. Each of `config`, `limits` and \
                                `grants` replaces the default of its state as a whole.",
                "type": "object",
                "additionalProperties": false,
                "properties": by_state,
                "default": {}
            }
        },
        "$defs": stages
    }))
}

fn batch() -> Value {
    let defaults = BatchLimits::default();
    json!({
        "title": "Limits of a batch",
        "description": "What a batch may hold in all. A batch beyond a limit is refused as a whole.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "maxFiles": {
                "title": "Most files",
                "description": "The most files in a batch.",
                "type": "integer", "minimum": 1, "default": defaults.max_files
            },
            "maxBytes": {
                "title": "Most bytes",
                "description": "The most bytes of all files together.",
                "type": "integer", "minimum": 1, "default": defaults.max_bytes
            }
        },
        "default": defaults
    })
}

fn functions() -> Value {
    json!({
        "title": "Functions of other state machines",
        "description": "Lambda functions that are not the host's, by name, for other people's state machines. `run` and \
                        `serve` send their calls to a URL or to a command; `package` does not read this.",
        "type": "object",
        "additionalProperties": {
            "type": "object",
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
            "properties": {
                "url": {
                    "title": "URL",
                    "description": "The payload is posted there, as to Lambda's Invoke or its Runtime Interface Emulator. The \
                                    body of the response is the result.",
                    "type": "string", "pattern": "^https?://"
                },
                "command": {
                    "title": "Command",
                    "description": "A program and its arguments. It reads the payload from its standard input and writes the \
                                    result to its standard output.",
                    "type": "array", "items": {"type": "string"}, "minItems": 1
                }
            }
        },
        "default": {}
    })
}

fn of_one(state: &str, source: &StageSource, config: Value) -> Value {
    let runs = match source {
        StageSource::Release(stage) => format!("Settings of the state {state}, which runs the stage {stage}."),
        StageSource::File(file) => format!("Settings of the state {state}, which runs {}.", file.display()),
        StageSource::Missing => format!("Settings of the state {state}, for which a stage has to be named by --stage."),
    };
    json!({
        "title": state,
        "description": runs,
        "type": "object",
        "additionalProperties": false,
        "properties": {"config": config, "limits": limits(state), "grants": grants(state)},
        "default": {}
    })
}

/// Returns the name of a stage's schema among the definitions. It is part of a URI, which a state's name need not fit.
fn definition_name(source: &StageSource, overrides: &[StageOverride]) -> String {
    match source {
        StageSource::Release(stage) => (*stage).to_owned(),
        StageSource::File(file) => {
            let index = overrides.iter().position(|named| named.file == *file).unwrap_or_default();
            format!("component-{}", index + 1)
        }
        StageSource::Missing => "missing".to_owned(),
    }
}

fn config(settings: &StageSettings, name: &str) -> Value {
    match &settings.schema {
        Some(schema) => json!({"$ref": reference(schema, name), "default": {}}),
        None => json!({
            "title": "The stage's configuration",
            "description": "This stage has no schema of its settings: they are passed on unchecked.",
            "type": "object",
            "default": {}
        }),
    }
}

/// Returns a stage's schema as a part of another one. One that refers to parts of itself keeps or gets an identifier,
/// so that its references hold.
fn embeddable(mut schema: Value, name: &str) -> Value {
    if let Some(fields) = schema.as_object_mut() {
        if fields.get("$schema").and_then(Value::as_str) == Some(DRAFT) {
            fields.remove("$schema");
        }
        if refers(&Value::Object(fields.clone())) {
            fields.entry("$id").or_insert_with(|| json!(identifier(name)));
        }
    }
    schema
}

fn reference(schema: &Value, name: &str) -> String {
    match schema.get("$id").and_then(Value::as_str) {
        Some(id) => id.to_owned(),
        None if refers(schema) => identifier(name),
        None => format!("#/$defs/{name}"),
    }
}

fn identifier(name: &str) -> String {
    format!("urn:stagehost:config:{name}")
}

fn refers(schema: &Value) -> bool {
    match schema {
        Value::Object(fields) => fields.contains_key("$ref") || fields.values().any(refers),
        Value::Array(items) => items.iter().any(refers),
        _ => false,
    }
}

fn limits(state: &str) -> Value {
    let left_out = Limits::default();
    json!({
        "title": "Limits of a call",
        "description": "Memory, time and quotas of one call. Given in part, it replaces all limits of the state.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "memoryMib": {
                "title": "Memory",
                "description": "The most memory of one call, in MiB; a function has at most 10240.",
                "type": "integer", "minimum": 1, "maximum": 10_240, "default": left_out.memory_mib
            },
            "deadlineMs": {
                "title": "Deadline",
                "description": "The longest that one call may take, in milliseconds, waits included.",
                "type": "integer", "minimum": 1, "default": left_out.deadline_ms
            },
            "quotas": quotas()
        },
        "default": state_defaults::limits(state)
    })
}

fn quotas() -> Value {
    let left_out = Quotas::default();
    let quota = |title: &str, description: &str, default: u64| json!({"title": title, "description": description, "type": "integer", "minimum": 0, "default": default});
    json!({
        "title": "Quotas",
        "description": "The most effects of one call. What is left out keeps its default.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "objectsWritten": quota("Objects", "The most objects that one call begins to write or deletes.", left_out.objects_written),
            "bytesWritten": quota("Bytes", "The most bytes that one call writes or copies.", left_out.bytes_written),
            "storageRequests": quota("Requests to the store", "The most requests to the store.", left_out.storage_requests),
            "httpRequests": quota("Requests over HTTP", "The most requests to other services.", left_out.http_requests),
            "httpBytes": quota("Bytes over HTTP", "The most bytes of bodies that one call sends to other services and reads from them.", left_out.http_bytes),
            "jobs": quota("Jobs", "The most transcoding jobs that one call submits.", left_out.jobs),
            "deliveries": quota("Deliveries", "The most attempts to deliver the callback.", left_out.deliveries)
        },
        "default": {}
    })
}

fn grants(state: &str) -> Value {
    let prefixes = |title: &str, description: &str| {
        json!({
            "title": title,
            "description": description,
            "type": "array",
            "items": {
                "description": "a prefix ends with `/`, is not below pipeline/ and has no placeholder but {listingId}",
                "type": "string",
                "pattern": PREFIX
            },
            "default": []
        })
    };
    json!({
        "title": "Grants",
        "description": "What the stage may use. Given in part, it replaces all grants of the state.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "read": prefixes(
                "Keys to read",
                "Prefixes of keys that may be read, such as `{listingId}/raw/`; {listingId} is the batch's listing."
            ),
            "write": prefixes(
                "Keys to write",
                "Prefixes of keys that may be written; they may be read as well."
            ),
            "http": {
                "title": "Hosts to call",
                "description": "Host names that may be called by HTTP, with the port if it is not the usual one.",
                "type": "array",
                "items": {"type": "string"},
                "default": []
            },
            "tags": {
                "title": "Tags to set",
                "description": "Names of tags that may be set, on objects that may be read.",
                "type": "array",
                "items": {"type": "string", "pattern": "^[!-~]{1,128}$"},
                "default": []
            },
            "secrets": {
                "title": "Secrets for requests",
                "description": "Secrets that the host puts into requests over HTTP. Their values are settings of the host: STAGE_SECRETS.",
                "type": "array",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["name", "host", "header"],
                    "properties": {
                        "name": {
                            "description": "The secret's name in the host's settings.",
                            "type": "string",
                            "pattern": "^[a-z0-9-]{1,64}$"
                        },
                        "host": {
                            "description": "The only host that it is sent to, one of the hosts in http.",
                            "type": "string"
                        },
                        "header": {"description": "The header that it goes into.", "type": "string"},
                        "prefix": {"description": "What stands before it, such as Bearer and a space.", "type": "string"}
                    }
                },
                "default": []
            }
        },
        "default": state_defaults::grants(state)
    })
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
