//! The fields of a Map state that runs its items as child executions.

use serde_json::Value;

use super::fields::Fields;
use crate::definition::distributed::{Amount, Batcher, Computed, Distributed, Reader, Source, Transformation, Writer};
use crate::definition::language::QueryLanguage;
use crate::definition::resource::Resource;
use crate::expressions::jsonata::template::QueryTemplate;
use crate::findings::{Code, Collector};

/// The longest label, in characters.
const MOST_LABEL: usize = 40;
/// The most bytes of a batch that a definition may ask for.
const MOST_BATCH_BYTES: f64 = 262_144.0;

/// Reads the fields. The processor's configuration says that the state is distributed.
pub(super) fn read(fields: &mut Fields<'_>, language: QueryLanguage, notes: &mut Collector) -> Distributed {
    let label = fields.text("Label", notes).map(str::to_owned);
    if let Some(label) = &label {
        let allowed = |c: char| !c.is_whitespace() && !c.is_control() && !"?*<>{}[]:;,\\|^~$#%&`\"/".contains(c);
        if label.chars().count() > MOST_LABEL {
            let message =
                format!("Invalid Label name: {label} exceeds the {MOST_LABEL}-character limit allowed by the service");
            notes.at("Label", |notes| notes.error(Code::InvalidLabel, message));
        } else if label.is_empty() || !label.chars().all(allowed) {
            let message = "Invalid Label name: it has at least one character, and no white space or special characters";
            notes.at("Label", |notes| notes.error(Code::InvalidLabel, message));
        } else if !notes.labels.insert(label.clone()) {
            notes.at("Label", |notes| notes.error(Code::DuplicateLabel, format!("Duplicate Label name: {label}")));
        }
    }
    let (tolerated_count, tolerated_percentage) = match language {
        QueryLanguage::Jsonata => (None, None),
        QueryLanguage::JsonPath => {
            let count = amount(["ToleratedFailureCount", "ToleratedFailureCountPath"], language, fields, notes);
            let percentage =
                amount(["ToleratedFailurePercentage", "ToleratedFailurePercentagePath"], language, fields, notes);
            within(&count, "ToleratedFailureCount", 0.0, f64::MAX, notes);
            within(&percentage, "ToleratedFailurePercentage", 0.0, 100.0, notes);
            (count, percentage)
        }
    };
    let reader = fields.object("ItemReader", notes).and_then(|object| {
        notes.at("ItemReader", |notes| {
            let mut fields = Fields::new(object);
            let reader = reader(&mut fields, language, notes);
            fields.finish(notes);
            reader
        })
    });
    let batcher = fields.object("ItemBatcher", notes).map(|object| {
        notes.at("ItemBatcher", |notes| {
            let mut fields = Fields::new(object);
            let batcher = batcher(&mut fields, language, notes);
            fields.finish(notes);
            batcher
        })
    });
    let writer = fields.object("ResultWriter", notes).and_then(|object| {
        notes.at("ResultWriter", |notes| {
            let mut fields = Fields::new(object);
            let writer = writer(&mut fields, language, notes);
            fields.finish(notes);
            writer
        })
    });
    let label = label.unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
    Distributed { label, reader, batcher, writer, tolerated_count, tolerated_percentage }
}

/// Returns the action of a resource on S3.
fn action(fields: &mut Fields<'_>, known: &[&'static str], notes: &mut Collector) -> Option<&'static str> {
    let text = fields.text("Resource", notes)?;
    let found = match Resource::parse(text) {
        Ok(Resource::Service { service, action, .. }) if service == "s3" || service == "aws-sdk:s3" => {
            known.iter().find(|known| **known == action).copied()
        }
        _ => None,
    };
    if found.is_none() {
        let message = "The field 'Resource' does not match any of the allowed values";
        notes.at("Resource", |notes| notes.error(Code::Schema, message));
    }
    found
}

fn reader(fields: &mut Fields<'_>, language: QueryLanguage, notes: &mut Collector) -> Option<Reader> {
    fields.required(&["Resource"], notes);
    let action = action(fields, &["getObject", "listObjectsV2"], notes);
    let parameters = parameters(fields, language, notes);
    let config = fields.object("ReaderConfig", notes);
    let (source, most) = match config {
        None => (None, None),
        Some(config) => notes.at("ReaderConfig", |notes| {
            let mut fields = Fields::new(config);
            let source = source(&mut fields, notes);
            let most = amount(["MaxItems", "MaxItemsPath"], language, &mut fields, notes);
            within(&most, "MaxItems", 1.0, f64::MAX, notes);
            fields.finish(notes);
            (source, most)
        }),
    };
    let source = match (action?, source) {
        ("listObjectsV2", _) => Source::Listing,
        (_, Some(source)) => source,
        (_, None) => Source::Json { pointer: String::new() },
    };
    Some(Reader { source, parameters, most })
}

/// Reads the form of the items; `None` if it is not given.
fn source(fields: &mut Fields<'_>, notes: &mut Collector) -> Option<Source> {
    let kind = fields.text("InputType", notes);
    if kind == Some("CSV") {
        if !fields.has("CSVHeaderLocation") {
            notes.error(Code::Schema, "The field 'CSVHeaderLocation' is required");
        }
    } else {
        for name in ["CSVHeaderLocation", "CSVHeaders", "CSVDelimiter"] {
            if fields.raw(name).is_some() {
                Fields::unsupported(name, notes);
            }
        }
    }
    let pointer = fields.text("ItemsPointer", notes).unwrap_or_default().to_owned();
    if let Some(transformation) = fields.text("Transformation", notes)
        && transformation != "NONE"
    {
        let message = format!("the transformation '{transformation}' of a reader is not supported here, only NONE is");
        notes.at("Transformation", |notes| notes.error(Code::Unsupported, message));
    }
    if !pointer.is_empty() && !pointer.starts_with('/') {
        notes.at("ItemsPointer", |notes| notes.error(Code::Schema, "'ItemsPointer' must be a JSON pointer: /a/b"));
    }
    match kind? {
        "JSON" => Some(Source::Json { pointer }),
        "JSONL" => Some(Source::JsonLines),
        "CSV" => {
            let delimiters = ["COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"];
            let delimiter = match fields.choice("CSVDelimiter", &delimiters, notes) {
                Some("PIPE") => b'|',
                Some("SEMICOLON") => b';',
                Some("SPACE") => b' ',
                Some("TAB") => b'\t',
                _ => b',',
            };
            let given = fields.choice("CSVHeaderLocation", &["FIRST_ROW", "GIVEN"], notes) == Some("GIVEN");
            let headers = given.then(|| {
                fields.required(&["CSVHeaders"], notes);
                let names = fields.list("CSVHeaders", notes).unwrap_or_default();
                let texts: Option<Vec<String>> = names.iter().map(|name| name.as_str().map(str::to_owned)).collect();
                if texts.is_none() {
                    notes.at("CSVHeaders", |notes| notes.error(Code::Schema, "'CSVHeaders' must be strings"));
                }
                texts.unwrap_or_default()
            });
            Some(Source::Csv { headers, delimiter })
        }
        other => {
            let message = format!("the input type '{other}' is not supported here: there are JSON, JSONL and CSV");
            notes.at("InputType", |notes| notes.error(Code::Unsupported, message));
            None
        }
    }
}

fn batcher(fields: &mut Fields<'_>, language: QueryLanguage, notes: &mut Collector) -> Batcher {
    let items = amount(["MaxItemsPerBatch", "MaxItemsPerBatchPath"], language, fields, notes);
    let bytes = amount(["MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath"], language, fields, notes);
    within(&items, "MaxItemsPerBatch", 1.0, f64::MAX, notes);
    within(&bytes, "MaxInputBytesPerBatch", 1.0, MOST_BATCH_BYTES, notes);
    if items.is_none() && bytes.is_none() {
        notes.error(Code::Schema, "one of MaxItemsPerBatch, MaxInputBytesPerBatch is missing");
    }
    Batcher { items, bytes, input: computed("BatchInput", language, fields, notes) }
}

fn writer(fields: &mut Fields<'_>, language: QueryLanguage, notes: &mut Collector) -> Option<Writer> {
    let resource = fields.has("Resource");
    if resource {
        action(fields, &["putObject"], notes)?;
    }
    let parameters = parameters(fields, language, notes);
    if resource != parameters.is_some() {
        notes.error(Code::Schema, "'Resource' and the bucket to write to must be given together");
    }
    let (mut transformation, mut lines) = (Transformation::None, false);
    if let Some(config) = fields.object("WriterConfig", notes) {
        notes.at("WriterConfig", |notes| {
            let mut fields = Fields::new(config);
            transformation = match fields.choice("Transformation", &["NONE", "COMPACT", "FLATTEN"], notes) {
                Some("COMPACT") => Transformation::Compact,
                Some("FLATTEN") => Transformation::Flatten,
                _ => Transformation::None,
            };
            lines = fields.choice("OutputType", &["JSON", "JSONL"], notes) == Some("JSONL");
            fields.finish(notes);
        });
    }
    Some(Writer { parameters, transformation, lines })
}

/// Reads `Parameters` or, in JSONata, `Arguments`.
fn parameters(fields: &mut Fields<'_>, language: QueryLanguage, notes: &mut Collector) -> Option<Computed> {
    let (own, other) = match language {
        QueryLanguage::JsonPath => ("Parameters", "Arguments"),
        QueryLanguage::Jsonata => ("Arguments", "Parameters"),
    };
    fields.foreign(&[other], language, notes);
    computed(own, language, fields, notes)
}

fn computed(
    name: &'static str,
    language: QueryLanguage,
    fields: &mut Fields<'_>,
    notes: &mut Collector,
) -> Option<Computed> {
    match language {
        QueryLanguage::JsonPath => fields.template(name, notes).map(Computed::JsonPath),
        QueryLanguage::Jsonata => fields.query(name, false, notes).map(Computed::Jsonata),
    }
}

/// Reads a number or, by its second name, a path to one. In JSONata an expression stands in its place.
fn amount(
    [name, path]: [&'static str; 2],
    language: QueryLanguage,
    fields: &mut Fields<'_>,
    notes: &mut Collector,
) -> Option<Amount> {
    match language {
        QueryLanguage::JsonPath => {
            fields.exclusive(&[name, path], notes);
            let value = fields.number(name, notes).map(Amount::Value);
            value.or(fields.definite(path, notes).map(Amount::Path))
        }
        QueryLanguage::Jsonata => {
            fields.foreign(&[path], language, notes);
            match fields.query(name, false, notes)? {
                QueryTemplate::Literal(Value::Number(number)) => number.as_f64().map(Amount::Value),
                query @ QueryTemplate::Query(_) => Some(Amount::Query(query)),
                _ => {
                    let message = format!("'{name}' must be a number or an expression");
                    notes.at(name, |notes| notes.error(Code::Schema, message));
                    None
                }
            }
        }
    }
}

/// Notes an error if a number of the definition is outside of these bounds.
fn within(amount: &Option<Amount>, name: &str, least: f64, most: f64, notes: &mut Collector) {
    if let Some(Amount::Value(value)) = amount
        && !(least..=most).contains(value)
    {
        let bound = if most < f64::MAX { format!("from {least} to {most}") } else { format!("of at least {least}") };
        notes.at(name, |notes| notes.error(Code::Schema, format!("'{name}' must be a number {bound}")));
    }
}
