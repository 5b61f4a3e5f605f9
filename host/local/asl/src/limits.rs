//! The service's quotas that affect executions.

use std::io;

use serde_json::Value;

/// The largest input, result or output, in bytes of UTF-8 JSON.
pub const PAYLOAD_BYTES: usize = 262_144;
/// The most bytes of variables that one state assigns.
pub const ASSIGN_BYTES: usize = 262_144;
/// The most bytes of all variables of an execution; here, of those that one branch sees.
pub const VARIABLE_BYTES: usize = 10 * 1024 * 1024;
/// The largest number of events in a history.
pub const HISTORY_EVENTS: usize = 25_000;
/// The most memory that one history may hold, in bytes. The service has no such limit; here the history is in memory.
pub const HISTORY_BYTES: usize = 64 * 1024 * 1024;
/// The deepest nesting of a document: what can be read again from its text.
pub const DOCUMENT_DEPTH: usize = 127;
/// The most values that the paths of one state may visit. The service has no such limit; here a path holds its thread.
pub const PATH_WORK: u64 = 1_000_000;
/// The most values within the result of one path: a payload cannot hold more.
pub const PATH_RESULTS: u64 = 131_072;
/// The most iterations of an inline Map state that run at once, even if `MaxConcurrency` is larger.
pub const MAP_CONCURRENCY: usize = 40;
/// The most child executions of a distributed Map state that run at once, even if `MaxConcurrency` is larger.
pub const CHILD_CONCURRENCY: usize = 1_000;
/// The most bytes of input that the child executions of one run hold at once.
pub const CHILD_INPUT_BYTES: usize = 32 * 1024 * 1024;
/// The most memory that the histories of ended child executions hold together, in bytes. The oldest are forgotten first.
pub const CHILD_HISTORY_BYTES: usize = 32 * 1024 * 1024;
/// The most runs of distributed Map states that are kept.
pub const MAP_RUNS: usize = 1_000;
/// The largest object that an ItemReader reads, in bytes. The service reads larger ones; here the items are in memory.
pub const ITEM_OBJECT_BYTES: usize = 8 * 1024 * 1024;
/// The most memory of the items of one run, in bytes.
pub const ITEM_BYTES: usize = 96 * 1024 * 1024;
/// The largest file that a ResultWriter writes, in bytes.
pub const RESULT_FILE_BYTES: usize = 8 * 1024 * 1024;
/// The longest time that a field can give, in seconds; also the default timeout of a task.
pub const SECONDS: u64 = 99_999_999;
/// The longest execution of an express workflow, in seconds.
pub const EXPRESS_SECONDS: u64 = 300;
/// The largest definition, in bytes.
pub const DEFINITION_BYTES: usize = 1_048_576;

/// Returns the size of a value as JSON without allocating the text.
pub(crate) fn json_bytes(value: &Value) -> usize {
    struct Count(usize);
    impl io::Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    match serde_json::to_writer(&mut count, value) {
        Ok(()) => count.0,
        Err(_) => usize::MAX,
    }
}

/// Why a value cannot pass between states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    Bytes,
    Depth,
}

/// Returns the text of a value that is small enough to pass between states.
///
/// # Errors
/// [`Excess`]
pub(crate) fn text(value: &Value) -> Result<String, Excess> {
    struct Text(Vec<u8>);
    impl io::Write for Text {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0.len() + bytes.len() > PAYLOAD_BYTES {
                return Err(io::ErrorKind::FileTooLarge.into());
            }
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    if is_deeper(value, DOCUMENT_DEPTH) {
        return Err(Excess::Depth);
    }
    let mut text = Text(Vec::new());
    serde_json::to_writer(&mut text, value).map_err(|_| Excess::Bytes)?;
    String::from_utf8(text.0).map_err(|_| Excess::Bytes)
}

/// Returns whether a value has more than `most` levels of arrays and objects. Looks no deeper than that.
fn is_deeper(value: &Value, most: usize) -> bool {
    let inner = |item: &Value| match most.checked_sub(1) {
        Some(most) => is_deeper(item, most),
        None => true,
    };
    match value {
        Value::Array(items) => most == 0 || items.iter().any(inner),
        Value::Object(fields) => most == 0 || fields.values().any(inner),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_size_is_that_of_the_text() {
        for value in [json!(null), json!({"ä": [1, 2.5, "x\n"]}), json!("é".repeat(100))] {
            assert_eq!(json_bytes(&value), value.to_string().len());
        }
    }

    #[test]
    fn a_payload_of_exactly_the_limit_fits() {
        let of = |length| text(&json!("a".repeat(length))).map(|text| text.len());
        assert_eq!(of(PAYLOAD_BYTES - 2), Ok(PAYLOAD_BYTES));
        assert_eq!(of(PAYLOAD_BYTES - 1), Err(Excess::Bytes));
    }

    #[test]
    fn a_document_of_the_deepest_nesting_can_be_read_from_its_text() {
        let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
        let deepest = text(&nested(DOCUMENT_DEPTH)).unwrap_or_default();
        assert!(serde_json::from_str::<Value>(&deepest).is_ok());
        assert_eq!(text(&nested(DOCUMENT_DEPTH + 1)), Err(Excess::Depth));
    }
}
