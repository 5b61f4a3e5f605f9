//! Distributed Map states: their items run as child executions, each with a history of its own.

use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use serde_json::Value;

use super::batches::{Batch, Batches, Batching, STATE_DATA};
use super::items::{self, Place};
use super::results::Results;
use super::run::{Run, Visit};
use super::{data, query};
use crate::clock::Clock;
use crate::definition::distributed::{Amount, Computed, Distributed, Source};
use crate::definition::model::Map;
use crate::error::{StateError, names};
use crate::execution::{Execution, Status};
use crate::expressions::context::Context;
use crate::expressions::jsonata::engine::Bindings;
use crate::expressions::path::Scope;
use crate::history::event::Detail;
use crate::limits::{CHILD_CONCURRENCY, CHILD_INPUT_BYTES};
use crate::map_run::{MapRun, MapRunLimits};
use crate::tasks::execution_info::ExecutionInfo;

/// What the fields of a state read.
struct Fields<'a> {
    scope: Scope<'a>,
    /// Of a JSONata state.
    bindings: Option<Bindings>,
}

/// The fields of a state, computed.
struct Plan {
    reader: Option<(Source, Place)>,
    most: usize,
    batching: Option<Batching>,
    writer: Option<Place>,
}

/// Stops a child execution that nobody waits for any more.
struct Child(Execution);

impl Drop for Child {
    fn drop(&mut self) {
        self.0.stop(None, None);
    }
}

/// Ends a run whose execution was stopped.
struct Ending<'a>(&'a MapRun, Clock);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.finish(Status::Aborted, self.1.now());
    }
}

impl Run {
    /// Runs the items of a state that has started as child executions and returns their outputs in order.
    #[allow(clippy::too_many_arguments)]
    pub(super) async fn distributed(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        distributed: &Distributed,
        limits: MapRunLimits,
        input: &Value,
        given: &[Value],
        context: &Context<'_>,
    ) -> Result<Value, StateError> {
        let fields = Fields {
            scope: visit.around(context).scope(input),
            bindings: visit.state.query.as_ref().map(|_| self.bindings(visit, context.value().clone())),
        };
        let limits = tolerated(distributed, limits, &fields).await?;
        let plan = plan(distributed, &fields).await?;
        let run = Arc::new(self.map_run(&distributed.label, limits));
        self.map_runs.add(run.clone());
        let cursor = &visit.branch.cursor;
        let begun = self.history.record(cursor, Detail::MapRunStarted { arn: run.arn.clone() });
        let ending = Ending(&run, self.clock);
        let result = self.run_items(visit, map, distributed, &run, plan, input, given).await;
        match result {
            Ok(value) => {
                run.finish(Status::Succeeded, self.clock.now());
                drop(ending);
                self.history.record(cursor, Detail::MapRunSucceeded);
                self.history.note(cursor, Detail::MapStateSucceeded);
                if visit.state.query.is_some() || !visit.variables.is_empty() {
                    // In recorded executions with JSONata or variables, the service goes on from the start of the run.
                    cursor.set(begun);
                }
                Ok(value)
            }
            Err(error) => {
                run.finish(Status::Failed, self.clock.now());
                let error = error.in_state(&visit.state.name, visit.entered);
                let (name, cause) = (error.error.clone(), error.cause.clone());
                self.history.record(cursor, Detail::MapRunFailed { error: name, cause });
                Err(error)
            }
        }
    }

    /// Returns the limits of a distributed Map state with what it tolerates.
    pub(super) async fn tolerated(
        &self,
        visit: &Visit<'_>,
        distributed: &Distributed,
        limits: MapRunLimits,
        input: &Value,
        context: &Context<'_>,
    ) -> Result<MapRunLimits, StateError> {
        let bindings = visit.state.query.as_ref().map(|_| self.bindings(visit, context.value().clone()));
        tolerated(distributed, limits, &Fields { scope: visit.around(context).scope(input), bindings }).await
    }

    /// Returns a new run of this execution.
    fn map_run(&self, label: &str, limits: MapRunLimits) -> MapRun {
        let name = self.child_machine(label);
        let arn = format!("{}:mapRun:{name}:{}", self.arn_base(), uuid::Uuid::new_v4());
        let machine = format!("{}:stateMachine:{name}", self.arn_base());
        MapRun::new(arn, self.info.arn.clone(), machine, self.clock.now(), limits)
    }

    /// Returns the beginning of every ARN of this account and region.
    fn arn_base(&self) -> String {
        self.info.arn.splitn(6, ':').take(5).collect::<Vec<_>>().join(":")
    }

    /// Returns the name of the state machine of child executions: `MACHINE/LABEL`.
    fn child_machine(&self, label: &str) -> String {
        let machine = self.info.state_machine_name.split('/').next().unwrap_or_default();
        format!("{machine}/{label}")
    }

    #[allow(clippy::too_many_arguments)]
    async fn run_items(
        &self,
        visit: &Visit<'_>,
        map: &Map,
        distributed: &Distributed,
        run: &Arc<MapRun>,
        plan: Plan,
        input: &Value,
        given: &[Value],
    ) -> Result<Value, StateError> {
        let storage = self.resources.storage();
        let unstored = || StateError::runtime("There is no object storage here.");
        let read;
        let (found, source) = match &plan.reader {
            None => (given, STATE_DATA.to_owned()),
            Some((source, place)) => {
                read = items::read(storage.clone().ok_or_else(unstored)?, source, place, plan.most).await?;
                let source = match source {
                    Source::Listing => format!("S3://{}", place.bucket),
                    _ => format!("S3://{}/{}", place.bucket, place.key),
                };
                (read.as_slice(), source)
            }
        };
        run.found(found.len());
        let place = match plan.writer {
            Some(place) => Some((storage.ok_or_else(unstored)?, place)),
            None => None,
        };
        let mut results = Results::new(distributed.writer.as_ref(), place, &run.arn);
        let mut batches = Batches::new(found, plan.batching, source);
        let mut running = FuturesUnordered::new();
        let (mut waiting, mut held, mut started) = (true, 0_usize, 0_usize);
        loop {
            while waiting && running.len() < concurrency(run) && held < CHILD_INPUT_BYTES {
                let Some(batch) = batches.next(self, visit, map, input).await? else {
                    waiting = false;
                    break;
                };
                held += batch.bytes;
                let (bytes, count, index) = (batch.bytes, batch.items, started);
                started += 1;
                let child = self.child(map, &distributed.label, run, batch);
                running.push(async move {
                    let outcome = child.0.wait().await;
                    (index, count, bytes, child, outcome)
                });
            }
            let (index, count, bytes, child, outcome) = tokio::select! {
                biased;
                ended = running.next() => match ended {
                    Some(ended) => ended,
                    None => break,
                },
                () = run.changed() => continue,
            };
            held = held.saturating_sub(bytes);
            results.add(index, &child.0, &outcome).await?;
            if run.end(outcome.status, count) {
                drop(running);
                // What has ended is written, as on the service; the failure of the run is the more important one.
                let _ = results.finish(&visit.state.name).await;
                let cause = "The specified tolerated failure threshold was exceeded";
                return Err(StateError::reported(names::EXCEED_TOLERATED_FAILURE_THRESHOLD, Some(cause.to_owned())));
            }
        }
        let result = results.finish(&visit.state.name).await?;
        run.written();
        Ok(result)
    }

    /// Starts a child execution.
    fn child(&self, map: &Map, label: &str, run: &MapRun, batch: Batch) -> Child {
        let (machine, name) = (self.child_machine(label), uuid::Uuid::new_v4().to_string());
        let info = ExecutionInfo {
            arn: format!("{}:execution:{machine}:{name}", self.arn_base()),
            name,
            state_machine_arn: run.state_machine_arn.clone(),
            state_machine_name: machine,
            role_arn: self.info.role_arn.clone(),
            input: batch.input,
            trace_header: self.info.trace_header.clone(),
            started_at: self.clock.now(),
            map_run: Some(run.arn.clone()),
            express: false,
        };
        run.begin(batch.items);
        let execution = (self.start_child)(self, map.processor.clone(), info);
        self.map_runs.add_child(execution.clone(), batch.items);
        Child(execution)
    }
}

/// Returns how many child executions of a run may run at once.
fn concurrency(run: &MapRun) -> usize {
    match run.state().limits.concurrency {
        0 => CHILD_CONCURRENCY,
        most => usize::try_from(most).unwrap_or(CHILD_CONCURRENCY).min(CHILD_CONCURRENCY),
    }
}

/// Adds the tolerated failures of a JSONPath state to its limits. Error texts are the service's.
async fn tolerated(
    distributed: &Distributed,
    limits: MapRunLimits,
    fields: &Fields<'_>,
) -> Result<MapRunLimits, StateError> {
    let mut limits = limits;
    if let Some(count) = amount(distributed.tolerated_count.as_ref(), "ToleratedFailureCount", true, fields).await? {
        if count < 0.0 {
            return Err(StateError::runtime("ToleratedFailureCount cannot be negative."));
        }
        limits.tolerated_count = Some(whole(count) as u64);
    }
    let percentage = distributed.tolerated_percentage.as_ref();
    if let Some(percentage) = amount(percentage, "ToleratedFailurePercentage", false, fields).await? {
        if !(0.0..=100.0).contains(&percentage) {
            return Err(StateError::runtime("ToleratedFailurePercentage must be between 0 and 100."));
        }
        limits.tolerated_percentage = Some(percentage);
    }
    Ok(limits)
}

/// Computes the fields of a state before its run starts.
async fn plan(distributed: &Distributed, fields: &Fields<'_>) -> Result<Plan, StateError> {
    let mut plan = Plan { reader: None, most: usize::MAX, batching: None, writer: None };
    if let Some(reader) = &distributed.reader {
        if let Some(most) = amount(reader.most.as_ref(), "MaxItems", true, fields).await? {
            if most < 1.0 {
                return Err(items::failed("field MaxItems must be positive"));
            }
            plan.most = whole(most);
        }
        plan.reader = Some((reader.source.clone(), place(reader.parameters.as_ref(), "ItemReader", fields).await?));
    }
    if let Some(batcher) = &distributed.batcher {
        let mut batching = Batching::default();
        for (field, name, place) in [
            (&batcher.items, "MaxItemsPerBatch", &mut batching.items),
            (&batcher.bytes, "MaxInputBytesPerBatch", &mut batching.bytes),
        ] {
            if let Some(most) = amount(field.as_ref(), name, true, fields).await? {
                if most < 1.0 {
                    return Err(StateError::runtime(format!("{name} must be positive.")));
                }
                *place = Some(whole(most));
            }
        }
        if let Some(input) = &batcher.input {
            batching.input = Some(computed(input, "ItemBatcher/BatchInput", fields).await?);
        }
        plan.batching = Some(batching);
    }
    if let Some(writer) = &distributed.writer
        && writer.parameters.is_some()
    {
        plan.writer = Some(place(writer.parameters.as_ref(), "ResultWriter", fields).await?);
    }
    Ok(plan)
}

/// Returns the bucket, and the key or prefix, that `field` names.
async fn place(parameters: Option<&Computed>, field: &str, fields: &Fields<'_>) -> Result<Place, StateError> {
    let parameters = match parameters {
        Some(parameters) => computed(parameters, field, fields).await?,
        None => Value::Null,
    };
    let text = |name: &str| parameters.get(name).and_then(Value::as_str).map(str::to_owned);
    let bucket = text("Bucket").filter(|bucket| !bucket.is_empty());
    let bucket = bucket.ok_or_else(|| StateError::runtime(format!("The field '{field}' must name a 'Bucket'.")))?;
    Ok(Place { bucket, key: text("Key").or_else(|| text("Prefix")).unwrap_or_default() })
}

async fn computed(computed: &Computed, place: &str, fields: &Fields<'_>) -> Result<Value, StateError> {
    match (computed, &fields.bindings) {
        (Computed::JsonPath(template), _) => template.evaluate(fields.scope),
        (Computed::Jsonata(template), Some(bindings)) => query::field(template, place, bindings).await,
        (Computed::Jsonata(_), None) => Err(StateError::runtime(format!("The field '{place}' is JSONata."))),
    }
}

async fn amount(
    amount: Option<&Amount>,
    name: &str,
    whole: bool,
    fields: &Fields<'_>,
) -> Result<Option<f64>, StateError> {
    match (amount, &fields.bindings) {
        (None, _) => Ok(None),
        (Some(Amount::Value(value)), _) => Ok(Some(*value)),
        (Some(Amount::Path(path)), _) => data::number(path, &format!("{name}Path"), whole, fields.scope).map(Some),
        (Some(Amount::Query(template)), Some(bindings)) => query::number(template, name, bindings).await.map(Some),
        (Some(Amount::Query(_)), None) => Err(StateError::runtime(format!("The field '{name}' is JSONata."))),
    }
}

/// Returns a number that is not negative without its fraction.
fn whole(number: f64) -> usize {
    // A conversion from a number that is too large gives the largest one.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = number as usize;
    whole
}
