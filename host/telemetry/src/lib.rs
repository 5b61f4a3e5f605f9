//! What operators see of the host: JSON log lines, CloudWatch metrics and X-Ray segments.
//!
//! A function has to start in a blink and is frozen when it has answered, so nothing here runs in the background,
//! loads an SDK or waits for anybody. Logs and metrics are lines on standard output, which Lambda takes to CloudWatch;
//! segments are datagrams to the daemon beside the function. What the three mean, with samples, is in `README.md`
//! beside `src/`.
//!
//! | module | what it is |
//! |---|---|
//! | `logging`, `scrub` | log lines, and what must never be in one |
//! | `telemetry`, `calls` | watches calls, and gathers them until an invocation ends |
//! | `emf` | metrics, in CloudWatch's Embedded Metric Format |
//! | `trace`, `segment`, `xray` | which trace a call belongs to; X-Ray's documents; the daemon |

mod calls;
mod emf;
mod logging;
mod scrub;
mod segment;
mod telemetry;
mod trace;
mod xray;

pub use emf::{HOST_ERRORS, METRICS, Metric, NAMESPACE};
pub use logging::{LogLevel, LoggingError, init_logging, subscriber};
pub use telemetry::{Telemetry, stdout};
pub use xray::{DaemonError, XRay};

#[cfg(test)]
mod samples;
