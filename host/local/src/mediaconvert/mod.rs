//! What MediaConvert needs: files from S3, and delivery of its events.

pub(crate) mod event_bus;
pub(crate) mod s3_files;
