//! The service: its settings and what it holds.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use stagehost_asl::{Activities, MapRuns, Resources, TokenBoard};

use crate::store::Store;

/// The settings of the service.
#[derive(Clone)]
pub struct StatesOptions {
    /// The region in every ARN, `eu-west-1`.
    pub region: String,
    /// The account in every ARN, twelve digits.
    pub account: String,
    /// What Task states call.
    pub resources: Arc<dyn Resources>,
    /// Values for the `${Name}` placeholders of definitions. They are filled when a machine is created, updated or
    /// validated.
    pub substitutions: BTreeMap<String, String>,
    /// The tokens that Task states wait for. Share a board with code that answers tokens without the API.
    pub tokens: TokenBoard,
    /// The runs of distributed Map states and their child executions.
    pub map_runs: MapRuns,
    /// The activities that Task states use.
    pub activities: Activities,
    /// The number of ended executions to keep. The oldest are removed first.
    pub keep_ended: usize,
    /// The memory that the histories of all ended executions may hold, in bytes.
    pub keep_bytes: usize,
}

impl StatesOptions {
    /// Returns default settings: no substitutions, a new token board, and at most 1,000 ended executions or 64 MiB of
    /// them.
    pub fn new(region: impl Into<String>, account: impl Into<String>, resources: Arc<dyn Resources>) -> Self {
        Self {
            region: region.into(),
            account: account.into(),
            resources,
            substitutions: BTreeMap::new(),
            tokens: TokenBoard::new(),
            map_runs: MapRuns::default(),
            activities: Activities::default(),
            keep_ended: 1_000,
            keep_bytes: 64 * 1024 * 1024,
        }
    }
}

/// The service. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct States {
    pub(crate) options: Arc<StatesOptions>,
    store: Arc<Mutex<Store>>,
}

impl States {
    /// Returns a service without state machines.
    pub fn new(options: StatesOptions) -> Self {
        Self { options: Arc::new(options), store: Arc::default() }
    }

    /// Returns the tokens that Task states wait for.
    pub fn tokens(&self) -> &TokenBoard {
        &self.options.tokens
    }

    /// Returns the ARN of the state machine of this name.
    pub(crate) fn machine_arn(&self, name: &str) -> String {
        format!("arn:aws:states:{}:{}:stateMachine:{name}", self.options.region, self.options.account)
    }

    /// Returns whether the ARN of a state machine, a version or an alias is of this region and account.
    pub(crate) fn is_own(&self, arn: &str) -> bool {
        arn.starts_with(&self.machine_arn(""))
    }

    /// Returns the ARN of an execution.
    pub(crate) fn execution_arn(&self, machine: &str, name: &str) -> String {
        format!("arn:aws:states:{}:{}:execution:{machine}:{name}", self.options.region, self.options.account)
    }

    /// Returns the ARN of an execution of an express workflow.
    pub(crate) fn express_arn(&self, machine: &str, name: &str) -> String {
        let (region, account) = (&self.options.region, &self.options.account);
        format!("arn:aws:states:{region}:{account}:express:{machine}:{name}:{}", uuid::Uuid::new_v4())
    }

    /// Locks the state machines and executions.
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock()
    }
}
