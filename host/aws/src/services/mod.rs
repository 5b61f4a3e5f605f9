//! AWS services of which one operation is needed: a signed request in place of an SDK crate.
//!
//! | module | content |
//! |---|---|
//! | `signed_json` | One signed JSON request |
//! | `arn`, `endpoints` | Names of resources; the addresses of services |
//! | `logs` | CloudWatch Logs: the lines about one execution |
//! | `parameter` | SSM: a number that only grows |
//! | `queue` | SQS: when a message is delivered again |
//! | `watch` | CloudWatch: alarms, metrics, log lines |

pub(crate) mod arn;
pub(crate) mod endpoints;
pub(crate) mod logs;
pub(crate) mod parameter;
pub(crate) mod queue;
pub(crate) mod signed_json;
pub(crate) mod watch;
