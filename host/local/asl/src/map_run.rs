//! The runs of distributed Map states and their child executions.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use time::OffsetDateTime;
use tokio::sync::Notify;

use crate::execution::{Execution, Status};
use crate::limits::{CHILD_HISTORY_BYTES, MAP_RUNS};

/// How many items or child executions of a run are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ItemCounts {
    pub pending: u64,
    pub running: u64,
    pub succeeded: u64,
    pub failed: u64,
    pub timed_out: u64,
    pub aborted: u64,
    pub total: u64,
    pub results_written: u64,
}

impl ItemCounts {
    fn end(&mut self, status: Status, count: u64) {
        self.running = self.running.saturating_sub(count);
        let ended = match status {
            Status::Succeeded | Status::Running => &mut self.succeeded,
            Status::Failed => &mut self.failed,
            Status::TimedOut => &mut self.timed_out,
            Status::Aborted => &mut self.aborted,
        };
        *ended += count;
    }

    fn stop(&mut self) {
        self.aborted += self.running + self.pending;
        (self.running, self.pending) = (0, 0);
    }
}

/// What `UpdateMapRun` changes while a run is in progress.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MapRunLimits {
    /// How many child executions run at once; 0 for as many as there may be.
    pub concurrency: u64,
    /// The number of items that may fail.
    pub tolerated_count: Option<u64>,
    /// The share of the items that may fail, in percent.
    pub tolerated_percentage: Option<f64>,
}

impl MapRunLimits {
    /// Returns whether more items failed than may.
    fn exceeded(&self, items: &ItemCounts) -> bool {
        let failed = items.failed + items.timed_out + items.aborted;
        // Exact for every number of items that fits into memory.
        #[allow(clippy::cast_precision_loss)]
        let percentage = failed as f64 * 100.0 / items.total.max(1) as f64;
        match (self.tolerated_count, self.tolerated_percentage) {
            (None, None) => failed > 0,
            (count, most) => count.is_some_and(|most| failed > most) || most.is_some_and(|most| percentage > most),
        }
    }
}

/// The state of a run.
#[derive(Clone, Copy, Debug)]
pub struct MapRunState {
    /// Running, or how the run ended.
    pub status: Status,
    /// When it ended.
    pub stopped_at: Option<OffsetDateTime>,
    /// The limits as they are now.
    pub limits: MapRunLimits,
    /// Counts of items.
    pub items: ItemCounts,
    /// Counts of child executions.
    pub executions: ItemCounts,
}

/// One run of a distributed Map state.
#[derive(Debug)]
pub struct MapRun {
    /// `arn:aws:states:REGION:ACCOUNT:mapRun:MACHINE/LABEL:ID`
    pub arn: String,
    /// The execution whose state it is.
    pub execution_arn: String,
    /// `arn:aws:states:REGION:ACCOUNT:stateMachine:MACHINE/LABEL`
    pub state_machine_arn: String,
    /// When it began.
    pub started_at: OffsetDateTime,
    state: Mutex<MapRunState>,
    changed: Notify,
}

impl MapRun {
    /// Returns a run that has begun and has no items yet.
    pub(crate) fn new(
        arn: String,
        execution_arn: String,
        state_machine_arn: String,
        started_at: OffsetDateTime,
        limits: MapRunLimits,
    ) -> Self {
        let state = MapRunState {
            status: Status::Running,
            stopped_at: None,
            limits,
            items: ItemCounts::default(),
            executions: ItemCounts::default(),
        };
        let (state, changed) = (Mutex::new(state), Notify::new());
        Self { arn, execution_arn, state_machine_arn, started_at, state, changed }
    }

    /// Returns the state.
    pub fn state(&self) -> MapRunState {
        *self.state.lock()
    }

    /// Changes the limits. Returns whether the run was still running.
    pub fn update(&self, change: impl FnOnce(&mut MapRunLimits)) -> bool {
        let mut state = self.state.lock();
        let running = state.status == Status::Running;
        if running {
            change(&mut state.limits);
        }
        drop(state);
        self.changed.notify_one();
        running
    }

    /// Waits until the limits are changed.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Notes the number of items.
    pub(crate) fn found(&self, items: usize) {
        let mut state = self.state.lock();
        (state.items.total, state.items.pending) = (items as u64, items as u64);
    }

    /// Notes that a child execution of this many items begins.
    pub(crate) fn begin(&self, items: u64) {
        let mut state = self.state.lock();
        state.items.pending = state.items.pending.saturating_sub(items);
        state.items.running += items;
        state.executions.total += 1;
        state.executions.running += 1;
    }

    /// Notes that it ended. Returns whether the run fails, because more items failed than may.
    pub(crate) fn end(&self, status: Status, items: u64) -> bool {
        let mut state = self.state.lock();
        state.items.end(status, items);
        state.executions.end(status, 1);
        state.limits.exceeded(&state.items)
    }

    /// Notes that the results of all ended child executions are written.
    pub(crate) fn written(&self) {
        let mut state = self.state.lock();
        state.items.results_written = state.items.succeeded + state.items.failed + state.items.timed_out;
        state.executions.results_written =
            state.executions.succeeded + state.executions.failed + state.executions.timed_out;
    }

    /// Notes the end of the run, unless it has ended. What still runs or waits is aborted.
    pub(crate) fn finish(&self, status: Status, now: OffsetDateTime) {
        let mut state = self.state.lock();
        if state.status == Status::Running {
            (state.status, state.stopped_at) = (status, Some(now));
            state.items.stop();
            state.executions.stop();
        }
    }
}

/// A child execution and its place.
#[derive(Clone, Debug)]
struct Child {
    number: u64,
    items: u64,
    execution: Execution,
}

#[derive(Debug, Default)]
struct Kept {
    runs: Vec<Arc<MapRun>>,
    /// The children by ARN, and the ARNs in the order of their starts.
    children: HashMap<String, Child>,
    order: BTreeMap<u64, String>,
    started: u64,
}

/// The runs of distributed Map states and their child executions, in memory. Cheap to clone; clones share everything.
/// The oldest that have ended are forgotten when their histories hold too much memory.
#[derive(Clone, Debug, Default)]
pub struct MapRuns(Arc<Mutex<Kept>>);

impl MapRuns {
    /// Returns a run by its ARN.
    pub fn get(&self, arn: &str) -> Option<Arc<MapRun>> {
        self.0.lock().runs.iter().find(|run| run.arn == arn).cloned()
    }

    /// Returns the runs of an execution, the newest first.
    pub fn of_execution(&self, arn: &str) -> Vec<Arc<MapRun>> {
        self.0.lock().runs.iter().rev().filter(|run| run.execution_arn == arn).cloned().collect()
    }

    /// Returns a child execution by its ARN, with the number of its items.
    pub fn child(&self, arn: &str) -> Option<(Execution, u64)> {
        self.0.lock().children.get(arn).map(|child| (child.execution.clone(), child.items))
    }

    /// Returns the child executions of a run, the newest first, with their numbers and the numbers of their items.
    pub fn children(&self, map_run: &str) -> Vec<(Execution, u64, u64)> {
        let kept = self.0.lock();
        let newest = kept.order.values().rev().filter_map(|arn| kept.children.get(arn));
        let own = newest.filter(|child| child.execution.info().map_run.as_deref() == Some(map_run));
        own.map(|child| (child.execution.clone(), child.number, child.items)).collect()
    }

    /// Adds a run.
    pub(crate) fn add(&self, run: Arc<MapRun>) {
        let mut kept = self.0.lock();
        if kept.runs.len() >= MAP_RUNS {
            let ended = kept.runs.iter().position(|run| run.state().status != Status::Running);
            if let Some(ended) = ended {
                kept.runs.remove(ended);
            }
        }
        kept.runs.push(run);
    }

    /// Adds a child execution of this many items.
    pub(crate) fn add_child(&self, execution: Execution, items: u64) {
        let mut kept = self.0.lock();
        kept.started += 1;
        let number = kept.started;
        let arn = execution.info().arn.clone();
        kept.order.insert(number, arn.clone());
        kept.children.insert(arn, Child { number, items, execution });
        // Looking at every child costs time, so it is done now and then.
        if number.is_multiple_of(TRIM_EVERY) {
            kept.trim();
        }
    }
}

/// How many children are added between two looks at their memory.
const TRIM_EVERY: u64 = 64;

impl Kept {
    /// Forgets the oldest ended children whose histories are beyond the limit.
    fn trim(&mut self) {
        let mut bytes = 0_usize;
        let mut forgotten = Vec::new();
        for (number, arn) in self.order.iter().rev() {
            let Some(child) = self.children.get(arn).filter(|child| child.execution.status() != Status::Running) else {
                continue;
            };
            bytes = bytes.saturating_add(child.execution.history_bytes());
            if bytes > CHILD_HISTORY_BYTES {
                forgotten.push((*number, arn.clone()));
            }
        }
        for (number, arn) in forgotten {
            self.order.remove(&number);
            self.children.remove(&arn);
        }
    }
}
