//! The service's quotas that change what a machine does.

use std::io;

use serde_json::Value;

/// The most that a state's input, a result or an output may have, in bytes of UTF-8 JSON.
pub const PAYLOAD_BYTES: usize = 262_144;
/// The most events that an execution's history may have.
pub const HISTORY_EVENTS: usize = 25_000;
/// The most bytes of inputs and outputs that one history keeps. The service has no such limit, but it has disks.
pub const HISTORY_BYTES: usize = 512 * 1024 * 1024;
/// The most iterations of an inline Map state that run at once, whatever `MaxConcurrency` says.
pub const MAP_CONCURRENCY: usize = 40;
/// The longest time that a field can give, in seconds; also a task's timeout where none is given.
pub const SECONDS: u64 = 99_999_999;
/// The most bytes of a definition.
pub const DEFINITION_BYTES: usize = 1_048_576;

/// The size of a value as JSON, without writing it.
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

/// Whether a value may pass between states.
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
