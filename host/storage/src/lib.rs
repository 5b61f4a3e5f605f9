//! Stores of named documents, in a folder or under an S3 prefix, changed by compare-and-set.
//!
//! Registries, pins with their history, and records of calls are small trees of files that one party writes and another
//! reads, on one machine or in a bucket. They need four operations: read a document unless it is unchanged, create it
//! unless it exists, replace it only if it is still what the caller has read, and list names.

mod bucket;
mod document;
mod error;
mod folder;
mod growing;
mod location;
mod name;
mod sdk_reason;
mod storage;

pub use bucket::Bucket;
pub use document::{Found, MAX_BYTES, Tag};
pub use error::StorageError;
pub use folder::Folder;
pub use growing::GrowingNumber;
pub use location::{Location, LocationError};
pub use sdk_reason::{causes, sdk_reason};
pub use storage::Storage;
