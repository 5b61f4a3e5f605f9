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
/// The most bytes of inputs and outputs in one history. The service has no such limit; here the history is in memory.
pub const HISTORY_BYTES: usize = 512 * 1024 * 1024;
/// The most iterations of an inline Map state that run at once, even if `MaxConcurrency` is larger.
pub const MAP_CONCURRENCY: usize = 40;
/// The longest time that a field can give, in seconds; also the default timeout of a task.
pub const SECONDS: u64 = 99_999_999;
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

/// Returns whether a value is small enough to pass between states.
pub(crate) fn fits(value: &Value) -> bool {
    json_bytes(value) <= PAYLOAD_BYTES
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
        assert!(fits(&json!("a".repeat(PAYLOAD_BYTES - 2))));
        assert!(!fits(&json!("a".repeat(PAYLOAD_BYTES - 1))));
    }
}
