//! The host's state of a running call: what the store of a guest holds.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use stagehost_batch::Failure;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use crate::bindings::toq::media::types;
use crate::budget::HostBudget;
use crate::call::CallRequest;
use crate::capability::{CallScope, Capabilities, ObjectWriter};
use crate::cores::Core;
use crate::grants::ListingGrants;
use crate::host::known_objects::KnownObjects;
use crate::host::poll::Waits;
use crate::host::seen_versions::SeenKeys;
use crate::host::wasi::Clocks;
use crate::limits::Meter;
use crate::observer::Observer;
use crate::quotas::Effects;
use crate::stage_reports::{Logged, Measures};

/// The most resources of the host that a guest may hold: open objects, writers, streams, timers.
const MAX_RESOURCES: usize = 1024;

/// Facts of a call that are not in its [`CallScope`].
pub(crate) struct CallFacts {
    /// The key of the asset; `None` for a batch stage.
    pub(crate) key: Option<String>,
    /// When the execution began, RFC 3339.
    pub(crate) started_at: String,
    /// The stage's configuration, a JSON object.
    pub(crate) config: String,
    /// When the host ends the call.
    pub(crate) deadline: Instant,
    /// What stands in for the machine's clocks.
    pub(crate) clocks: Option<Arc<dyn Clocks>>,
}

/// Bytes of objects that a call has moved.
#[derive(Default)]
pub(crate) struct Traffic {
    pub(crate) read: u64,
    pub(crate) written: u64,
}

/// The host's state of a running call.
pub(crate) struct CallState {
    wasi: WasiCtx,
    pub(crate) table: ResourceTable,
    pub(crate) meter: Meter,
    pub(crate) budget: HostBudget,
    pub(crate) effects: Effects,
    pub(crate) capabilities: Capabilities,
    pub(crate) grants: ListingGrants,
    core: Core,
    pub(crate) scope: Arc<CallScope>,
    pub(crate) facts: CallFacts,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) logged: Logged,
    pub(crate) measures: Measures,
    pub(crate) traffic: Traffic,
    /// How many objects are open for reading.
    pub(crate) open_objects: usize,
    /// How many exchanges with HTTP services are open.
    pub(crate) open_exchanges: usize,
    /// Open writers by number. They are not in the table, so that the ones a failed call leaves open can be discarded.
    pub(crate) writers: HashMap<u32, Box<dyn ObjectWriter>>,
    pub(crate) next_writer: u32,
    pub(crate) seen: SeenKeys,
    pub(crate) known: KnownObjects,
}

impl CallState {
    /// Returns the state of a call that has not begun.
    pub(crate) fn new(
        request: &CallRequest,
        wasi: WasiCtx,
        core: Core,
        budget: HostBudget,
        facts: CallFacts,
        observer: Arc<dyn Observer>,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(MAX_RESOURCES);
        Self {
            wasi,
            table,
            meter: Meter::new(&request.limits),
            budget,
            effects: Effects::new(request.limits.quotas),
            capabilities: request.capabilities.clone(),
            grants: request.grants.for_listing(&request.scope.batch.listing.id.to_string()),
            core,
            scope: Arc::new(request.scope.clone()),
            facts,
            observer,
            logged: Logged::default(),
            measures: Measures::default(),
            traffic: Traffic::default(),
            open_objects: 0,
            open_exchanges: 0,
            writers: HashMap::new(),
            next_writer: 0,
            seen: SeenKeys::default(),
            known: KnownObjects::default(),
        }
    }

    /// Begins a host call of the contract; returns the core to give up while it waits.
    pub(crate) fn enter(&mut self) -> Core {
        self.meter.goes_on();
        self.core.clone()
    }

    /// Returns what WASI waits with.
    pub(crate) fn waits(&mut self) -> Waits<'_> {
        Waits { core: self.core.clone(), table: &mut self.table }
    }
}

impl WasiView for CallState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Runs the body of an import. While it waits, the call's core is free; its failure is returned as the guest's type.
pub(crate) async fn host_call<T>(
    core: &Core,
    body: impl Future<Output = Result<T, Failure>>,
) -> Result<T, types::Failure> {
    core.free_while(body).await.map_err(Into::into)
}
