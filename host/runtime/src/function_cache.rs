//! The code of functions that were compiled before, in memory.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Mutex;

use wasmtime::CacheStore;

use crate::lock;

/// The most bytes that are kept. What is compiled beyond that is compiled again the next time.
const MOST_BYTES: usize = 512 << 20;

/// Keeps the compiled code of each function, by a digest of all that it depends on. A component that differs little
/// from an earlier one, as a stage with an interpreter does after a change of its script, is then compiled in a
/// fraction of the time.
#[derive(Debug, Default)]
pub(crate) struct FunctionCache(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    functions: HashMap<Vec<u8>, Vec<u8>>,
    bytes: usize,
}

impl CacheStore for FunctionCache {
    fn get(&self, key: &[u8]) -> Option<Cow<'_, [u8]>> {
        lock(&self.0).functions.get(key).cloned().map(Cow::Owned)
    }

    fn insert(&self, key: &[u8], value: Vec<u8>) -> bool {
        let mut kept = lock(&self.0);
        let bytes = kept.bytes.saturating_add(key.len() + value.len());
        if bytes > MOST_BYTES {
            return false;
        }
        // Two threads may have compiled equal functions; the bytes are counted for each, which only fills it sooner.
        kept.bytes = bytes;
        kept.functions.insert(key.to_vec(), value);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_inserted_is_found_until_the_room_is_used_up() {
        let cache = FunctionCache::default();
        assert_eq!(cache.get(b"key"), None);
        assert!(cache.insert(b"key", vec![1, 2]));
        assert_eq!(cache.get(b"key").as_deref(), Some([1, 2].as_slice()));
        lock(&cache.0).bytes = MOST_BYTES - 5;
        assert!(!cache.insert(b"other", vec![3]));
        assert_eq!(cache.get(b"other"), None);
    }
}
