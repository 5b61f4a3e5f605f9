//! Breaking the whole on purpose, repeatable by a seed.
//!
//! ```text
//!   queue ──► pool of processes (bootstrap) ──► proxy ──► S3, Step Functions, receiver (host/local)
//!               ▲        ▲                        └─────► MediaConvert, SQS, Secrets Manager (stand-ins)
//!               │        └ events of jobs                    │
//!               └ invocations of Task states ◄── engine      └──► events
//! ```
//!
//! The function is the real `bootstrap`, in processes of its own that can be killed. Between it and everything that it calls
//! is a proxy, which disturbs requests by the seed's plan. The state machine is the shipped one with shorter waits.
//!
//! A seed runs its batches under faults, checks what must hold, and runs the same batches once more without faults:
//!
//! - one accepted callback per execution, or one letter in a dead-letter queue;
//! - what the callback and the document say is what the bucket has;
//! - every output is whole, and its bytes are those of an undisturbed run;
//! - no multipart upload is left, except one that nobody can abort: its process was killed, or the answer with its id was lost;
//! - each transcoding job is paid once;
//! - no state exceeds its grants, by the log of all requests;
//! - faults that retries can cure change nothing about how a batch ends;
//! - the second run converges, writes nothing that was finished, and pays for nothing again.

mod arrival;
mod bite;
mod canned;
mod checks;
mod context;
mod counts;
mod door;
mod environment;
mod fault;
mod listing;
mod log;
mod machine;
pub mod many;
mod plan;
mod pool;
mod proxy;
mod queue;
mod random;
mod reference;
mod request;
mod seed;
mod shared;
mod stand_ins;
mod work;
mod world;

pub use bite::Bite;
pub use fault::FaultKind;
pub use seed::{SeedReport, run};
