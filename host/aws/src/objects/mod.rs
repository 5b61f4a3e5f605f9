//! Stored objects on S3.

pub(crate) mod body;
pub(crate) mod bucket;
pub(crate) mod metadata;
pub(crate) mod parts;
pub(crate) mod reader;
pub(crate) mod recent;
pub(crate) mod s3_objects;
pub(crate) mod upload;
pub(crate) mod writer;
