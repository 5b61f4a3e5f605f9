//! Names of documents.

use crate::error::StorageError;

/// Checks that `name` is a plain relative path, so that no name can lead out of the store.
pub(crate) fn check(name: &str) -> Result<(), StorageError> {
    let plain = |c: u8| c.is_ascii_alphanumeric() || b"._-=+@".contains(&c);
    let segment = |s: &str| !s.is_empty() && !s.starts_with('.') && s.bytes().all(plain);
    if name.len() <= 900 && name.split('/').all(segment) { Ok(()) } else { Err(StorageError::Name(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_the_store() {
        for name in ["manifest.json", "stages/zip/1.0.0+build/manifest.json", "a=b/c@d"] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["", "/etc/passwd", "../up", "a/../b", "a//b", "a/", ".hidden", "a\\b", "a b", "a\0b", "ä"] {
            assert!(check(name).is_err(), "{name}");
        }
        assert!(check(&"a/".repeat(1000)).is_err());
    }
}
