//! What all operations share.

use std::sync::Arc;

use crate::storage::store::ObjectStore;

/// The S3 API on an [`ObjectStore`]. Its methods are in the files of the operations.
#[derive(Clone, Debug)]
pub struct Api {
    pub store: Arc<ObjectStore>,
    pub region: String,
}
