//! The Step Functions API over the interpreter, for one machine.
//!
//! Whoever talks to Step Functions in production (the queue's consumer, the host that reports task results, a backend,
//! the AWS CLI) talks to this in the same way, through the AWS SDK: the protocol, the errors and the idempotency are the
//! service's. Everything is in memory; a restart forgets it.
//!
//! [`States::handle`] serves one HTTP request and leaves it to its caller to listen and to tell services apart;
//! [`States::router`] is the same as an axum router. The methods of [`States`] do what the operations do, for code in
//! the same process that starts executions and watches them.
//!
//! Not here, and refused by name: express workflows, versions and aliases, activities, map runs, redrives.

mod arn;
mod error;
mod executions;
mod http;
mod machines;
mod operations;
mod paging;
mod substitution;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stagehost_asl::{Resources, TokenBoard};

pub use error::ApiError;
pub use executions::NewExecution;
pub use machines::{Machine, NewMachine};

/// How the service is set up.
#[derive(Clone)]
pub struct StatesOptions {
    /// The region in every ARN, `eu-west-1`.
    pub region: String,
    /// The account in every ARN, twelve digits.
    pub account: String,
    /// What Task states call.
    pub resources: Arc<dyn Resources>,
    /// Values for the `${Name}` placeholders of definitions, put in when a machine is created, updated or validated.
    pub substitutions: BTreeMap<String, String>,
    /// The tokens that Task states wait for. Give a board that is shared where tokens are answered without the API.
    pub tokens: TokenBoard,
    /// How many ended executions are kept; the oldest are forgotten first.
    pub keep_ended: usize,
    /// How many bytes of inputs and outputs the histories of ended executions may keep together.
    pub keep_bytes: usize,
}

impl StatesOptions {
    /// Usual settings: no substitutions, a token board of its own, a thousand ended executions or 256 MiB
    /// of them.
    pub fn new(region: impl Into<String>, account: impl Into<String>, resources: Arc<dyn Resources>) -> Self {
        Self {
            region: region.into(),
            account: account.into(),
            resources,
            substitutions: BTreeMap::new(),
            tokens: TokenBoard::new(),
            keep_ended: 1_000,
            keep_bytes: 256 * 1024 * 1024,
        }
    }
}

/// The service. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct States {
    options: Arc<StatesOptions>,
    store: Arc<Mutex<Store>>,
}

#[derive(Default)]
struct Store {
    /// By name.
    machines: BTreeMap<String, Machine>,
    executions: executions::Executions,
}

impl States {
    /// A service without any state machine.
    pub fn new(options: StatesOptions) -> Self {
        Self { options: Arc::new(options), store: Arc::default() }
    }

    /// The tokens that Task states wait for.
    pub fn tokens(&self) -> &TokenBoard {
        &self.options.tokens
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        // Nothing panics between two changes that belong together.
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
