//! Records that are read from a store.

use std::path::Path;
use std::sync::Arc;

use stagehost_storage::{Folder, Storage};

use crate::error::RecordError;
use crate::record_format::{FORMAT, Record};

impl Record {
    /// Reads a record. `place` is named in errors.
    ///
    /// # Errors
    /// If the text is not a record, or of another format.
    pub fn parse(text: &[u8], place: &str) -> Result<Self, RecordError> {
        let invalid = |reason: String| RecordError::Invalid { place: place.to_owned(), reason };
        let value: serde_json::Value = serde_json::from_slice(text).map_err(|e| invalid(e.to_string()))?;
        match value.get("format").and_then(serde_json::Value::as_str) {
            Some(FORMAT) => {}
            Some(other) => return Err(invalid(format!("its format is {other:?}; this stagehost reads {FORMAT:?}"))),
            None => return Err(invalid(format!("it has no field \"format\"; records begin with {FORMAT:?}"))),
        }
        serde_json::from_value(value).map_err(|e| invalid(e.to_string()))
    }
}

/// A stored record, and the store of its blobs.
pub struct StoredRecord {
    /// The record.
    pub record: Record,
    /// The store that has its blobs.
    pub storage: Arc<dyn Storage>,
}

impl StoredRecord {
    /// Opens the record in a file. Its blobs are in the nearest `blobs/` in a folder above.
    ///
    /// # Errors
    /// If the file cannot be read or is not a record.
    pub fn open(file: &Path) -> Result<Self, RecordError> {
        let place = file.display().to_string();
        let invalid = |reason: String| RecordError::Invalid { place: place.clone(), reason };
        let text = std::fs::read(file).map_err(|e| invalid(e.to_string()))?;
        let record = Record::parse(&text, &place)?;
        let whole = file.canonicalize().map_err(|e| invalid(e.to_string()))?;
        let folder = whole.parent().unwrap_or(&whole);
        let root = folder.ancestors().find(|folder| folder.join("blobs/sha256").is_dir());
        Ok(Self { record, storage: Arc::new(Folder::new(root.unwrap_or(folder))) })
    }
}
