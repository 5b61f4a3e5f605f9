//! Reading the items of a distributed Map state.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::definition::distributed::Source;
use crate::error::{StateError, names};
use crate::limits::{ITEM_BYTES, ITEM_OBJECT_BYTES};
use crate::memory::weight;
use crate::tasks::storage::ItemStorage;

/// Where the items are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    pub bucket: String,
    /// The key, or the prefix of a listing or of results.
    pub key: String,
}

/// Returns the failure of an ItemReader.
pub(super) fn failed(cause: impl Into<String>) -> StateError {
    StateError::reported(names::ITEM_READER_FAILED, Some(cause.into()))
}

/// Reads at most `most` items.
///
/// # Errors
/// `States.ItemReaderFailed`
pub(super) async fn read(
    storage: Arc<dyn ItemStorage>,
    source: &Source,
    place: &Place,
    most: usize,
) -> Result<Vec<Value>, StateError> {
    if *source == Source::Listing {
        let items = storage.list(&place.bucket, &place.key, most).await.map_err(|failure| failed(failure.0))?;
        return bounded(items);
    }
    let object = storage.get(&place.bucket, &place.key, ITEM_OBJECT_BYTES).await;
    let object = object.map_err(|failure| failed(failure.0))?;
    let source = source.clone();
    // Parsing takes its time, and the other branches of the execution share this thread.
    let parsed = tokio::task::spawn_blocking(move || parse(&source, &object, most)).await;
    parsed.map_err(|_| failed("The parser of the items panicked."))?
}

fn parse(source: &Source, object: &[u8], most: usize) -> Result<Vec<Value>, StateError> {
    match source {
        Source::Listing => Ok(Vec::new()),
        Source::Json { pointer } => {
            let mut document: Value = serde_json::from_slice(object)
                .map_err(|error| failed(format!("The object that holds the items is not JSON: {error}")))?;
            match document.pointer_mut(pointer).map(Value::take) {
                Some(Value::Array(mut items)) => {
                    items.truncate(most);
                    bounded(items)
                }
                _ => Err(failed("Attempting to map over non-iterable node.")),
            }
        }
        Source::JsonLines => {
            let lines = object.split(|byte| *byte == b'\n').enumerate();
            let lines = lines.filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace)).take(most);
            gather(lines.map(|(at, line)| {
                serde_json::from_slice(line)
                    .map_err(|error| failed(format!("Line {} of the items is not JSON: {error}", at + 1)))
            }))
        }
        Source::Csv { headers, delimiter } => csv(headers.as_deref(), *delimiter, object, most),
    }
}

fn csv(headers: Option<&[String]>, delimiter: u8, object: &[u8], most: usize) -> Result<Vec<Value>, StateError> {
    let unreadable = |error: csv::Error| failed(format!("The items are not readable as CSV: {error}"));
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(object);
    let mut records = reader.records();
    let headers: Vec<String> = match headers {
        Some(headers) => headers.to_vec(),
        None => match records.next() {
            Some(first) => unescaped(&first.map_err(unreadable)?, delimiter),
            None => Vec::new(),
        },
    };
    let mut seen = HashSet::new();
    if !headers.iter().all(|header| seen.insert(header)) {
        return Err(failed("CSV headers cannot contain duplicates."));
    }
    gather(records.take(most).map(|record| {
        let mut record = unescaped(&record.map_err(unreadable)?, delimiter).into_iter();
        // A missing field is empty, and a field without a header is dropped.
        let field = |header: &String| (header.clone(), record.next().unwrap_or_default().into());
        Ok(Value::Object(headers.iter().map(field).collect::<Map<_, _>>()))
    }))
}

/// Returns the fields of a record without the backslashes that escape. Before a backslash, a quotation mark or the delimiter a
/// backslash makes it an ordinary character; before any other it is dropped.
/// <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html>
fn unescaped(record: &csv::StringRecord, delimiter: u8) -> Vec<String> {
    let (mut fields, mut field) = (Vec::with_capacity(record.len()), String::new());
    let mut pieces = record.iter().peekable();
    while let Some(piece) = pieces.next() {
        let mut escaped = false;
        for character in piece.chars() {
            if character == '\\' && !escaped {
                escaped = true;
            } else {
                field.push(character);
                escaped = false;
            }
        }
        if escaped && pieces.peek().is_some() {
            // The reader has split the record at a delimiter that belongs to the field.
            field.push(char::from(delimiter));
        } else {
            fields.push(std::mem::take(&mut field));
        }
    }
    fields
}

/// Returns the items, as long as they fit into the memory for them.
fn gather(items: impl Iterator<Item = Result<Value, StateError>>) -> Result<Vec<Value>, StateError> {
    let (mut found, mut bytes) = (Vec::new(), 0_usize);
    for item in items {
        let item = item?;
        bytes = bytes.saturating_add(weight(&item));
        if bytes > ITEM_BYTES {
            return Err(failed(format!("The items need more than {ITEM_BYTES} bytes of memory; give MaxItems.")));
        }
        found.push(item);
    }
    Ok(found)
}

fn bounded(items: Vec<Value>) -> Result<Vec<Value>, StateError> {
    gather(items.into_iter().map(Ok))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn first_row() -> Source {
        Source::Csv { headers: None, delimiter: b',' }
    }

    #[test]
    fn a_record_has_a_field_for_every_header() {
        let object = b"a,b,c\n1,2,3\n,,,\ntrue,1,'x'\nNull,None\n   ,\n\"q,\"\"r\",\n";
        let items = parse(&first_row(), object, usize::MAX).unwrap();
        assert_eq!(
            json!(items),
            json!([
                {"a": "1", "b": "2", "c": "3"},
                {"a": "", "b": "", "c": ""},
                {"a": "true", "b": "1", "c": "'x'"},
                {"a": "Null", "b": "None", "c": ""},
                {"a": "   ", "b": "", "c": ""},
                {"a": "q,\"r", "b": "", "c": ""}
            ])
        );
        let backslashes = br"path,size
C:\\Program Files\\App.exe,65\34532
a\,b,\\\,
last\,
";
        assert_eq!(
            json!(parse(&first_row(), backslashes, usize::MAX).unwrap()),
            json!([
                {"path": r"C:\Program Files\App.exe", "size": "6534532"},
                {"path": "a,b", "size": r"\,"},
                {"path": "last,", "size": ""}
            ])
        );
        let given = Source::Csv { headers: Some(vec!["h".into()]), delimiter: b';' };
        assert_eq!(json!(parse(&given, b"1;2\n3", usize::MAX).unwrap()), json!([{"h": "1"}, {"h": "3"}]));
        assert_eq!(json!(parse(&first_row(), b"a\n1\n2\n3", 2).unwrap()), json!([{"a": "1"}, {"a": "2"}]));
        assert_eq!(parse(&first_row(), b"", 5).unwrap(), [] as [Value; 0]);
    }

    #[test]
    fn what_is_not_a_list_of_items_is_refused_in_the_service_s_words() {
        let json = |pointer: &str| Source::Json { pointer: pointer.into() };
        for (source, object, cause) in [
            (json(""), &br#"{"a": [1]}"#[..], "Attempting to map over non-iterable node."),
            (json("/b"), br#"{"a": [1]}"#, "Attempting to map over non-iterable node."),
            (json(""), b"[1", "is not JSON"),
            (Source::JsonLines, b"1\n\n{", "Line 3 of the items is not JSON"),
            (first_row(), b"a,b,a\n1,2,3", "CSV headers cannot contain duplicates."),
            (first_row(), b"a\n\xff", "not readable as CSV"),
        ] {
            let error = parse(&source, object, usize::MAX).unwrap_err();
            assert_eq!(error.error, "States.ItemReaderFailed");
            assert!(error.cause.as_ref().unwrap().contains(cause), "{error:?}");
        }
        assert_eq!(parse(&json("/a"), br#"{"a": [1, 2]}"#, 1).unwrap(), [json!(1)]);
        assert_eq!(parse(&Source::JsonLines, b"1\r\n\n{\"a\": 2}\n", 9).unwrap(), [json!(1), json!({"a": 2})]);
    }
}
