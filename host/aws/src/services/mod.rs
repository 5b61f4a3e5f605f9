//! AWS services of which one operation is needed.

pub(crate) mod arn;
pub(crate) mod queue;
pub(crate) mod signed_json;
