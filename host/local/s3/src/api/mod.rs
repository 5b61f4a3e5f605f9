//! The operations of S3.
//!
//! Unsupported features are refused by name (`NotImplemented`): whole operations by the defaults of `s3s`, and headers
//! that would change what is stored (customer-provided keys, appends, versions) by this code.

mod buckets;
mod complete_upload;
mod context;
mod copies;
mod declared;
mod listing;
mod objects;
mod operations;
mod paging;
mod read;
mod request;
mod response;
mod tags;
mod uploads;

pub use context::Api;
pub use operations::Operations;
