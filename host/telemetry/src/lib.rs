//! What operators see of the host: JSON log lines, CloudWatch metrics and X-Ray segments.
//!
//! A function must start fast and is frozen after it has answered. So nothing here runs in the background, loads an SDK
//! or waits for an answer. Logs and metrics are lines on standard output, which Lambda writes to CloudWatch; segments
//! are datagrams to the daemon beside the function. `README.md` beside `src/` explains all three with samples.
//!
//! | module | content |
//! |---|---|
//! | `logging`, `scrub` | Log lines, with secrets removed |
//! | `telemetry`, `calls` | Observes calls and collects them until an invocation ends |
//! | `emf` | Metrics in CloudWatch's Embedded Metric Format |
//! | `stage_log`, `measures` | Lines that stages log, and numbers that they measure |
//! | `trace`, `segment`, `xray` | The trace of a call; X-Ray's documents; the daemon |

mod calls;
mod emf;
mod logging;
mod measures;
mod scrub;
mod segment;
mod stage_log;
mod telemetry;
mod trace;
mod xray;

pub use emf::{FAILURES, HOST_ERRORS, Metric, NAMESPACE};
pub use logging::{LogLevel, LoggingError, init_logging, subscriber};
pub use telemetry::{InvocationTelemetry, Telemetry, stdout};
pub use xray::{DaemonError, XRay};

#[cfg(test)]
mod samples;
