//! What batches become when nothing is disturbed.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use bytes::Bytes;
use stagehost_local::receiver::CallbackStatus;
use tokio::sync::OnceCell;

use super::arrival::{Arrival, Variant};
use super::plan::Plan;
use super::world::{Stored, World};

/// What one batch becomes.
pub(super) struct Outcome {
    pub(super) status: CallbackStatus,
    /// The bytes of every output, by its key without the listing and the batch.
    outputs: BTreeMap<String, Bytes>,
}

/// What the batches of all variants become.
pub(super) struct Reference(BTreeMap<Variant, Outcome>);

/// Returns the outcomes, which are made once per process by an undisturbed run.
///
/// # Errors
/// If the run fails.
pub(super) async fn reference() -> Result<&'static Reference> {
    static MADE: OnceCell<Reference> = OnceCell::const_new();
    MADE.get_or_try_init(make).await
}

async fn make() -> Result<Reference> {
    let world = World::start(Plan::undisturbed(), None).await?;
    if let Some(stuck) = world.run(0).await? {
        anyhow::bail!("the undisturbed run: {stuck}");
    }
    let objects = world.objects().await?;
    let mut outcomes = BTreeMap::new();
    for arrival in world.shared.plan.arrivals() {
        let executions = world.execution(*arrival, 0);
        let callbacks: Vec<_> = executions.iter().flat_map(|execution| world.callbacks(execution)).collect();
        ensure!(
            callbacks.len() == 1,
            "the undisturbed run of {:?} ended with {} callbacks: {:?}",
            arrival.variant,
            callbacks.len(),
            executions.iter().map(stagehost_asl::Execution::outcome).collect::<Vec<_>>()
        );
        let own = |(key, stored): (&String, &Stored)| Some((general(key, *arrival)?, stored.bytes.clone()));
        let outputs: BTreeMap<_, _> = objects.iter().filter_map(own).collect();
        let expected =
            if arrival.variant == Variant::Photos { CallbackStatus::PartialSuccess } else { CallbackStatus::Succeeded };
        ensure!(callbacks[0].body.status == expected, "{:?}: {}", arrival.variant, callbacks[0].raw);
        ensure!(outputs.len() >= 6, "{:?}: {:?}", arrival.variant, outputs.keys());
        outcomes.insert(arrival.variant, Outcome { status: expected, outputs });
    }
    world.end().await;
    Ok(Reference(outcomes))
}

impl Reference {
    /// Returns the outcome of a batch's variant.
    pub(super) fn of(&self, variant: Variant) -> Option<&Outcome> {
        self.0.get(&variant)
    }

    /// Returns the outputs of batches, by their keys.
    pub(super) fn outputs(&self, arrivals: &[Arrival]) -> BTreeMap<String, Bytes> {
        let of = |arrival: &Arrival| {
            let outputs = self.of(arrival.variant).into_iter().flat_map(|outcome| &outcome.outputs);
            outputs.map(|(key, bytes)| (specific(key, *arrival), bytes.clone())).collect::<Vec<_>>()
        };
        arrivals.iter().flat_map(of).collect()
    }
}

/// Returns an output's key without listing and batch; `None` for a key that is no output of this batch.
fn general(key: &str, arrival: Arrival) -> Option<String> {
    let rest = key.strip_prefix(&format!("{}/", arrival.listing))?;
    match rest.strip_prefix("zip/") {
        Some(archive) => {
            let name = archive.strip_prefix(&format!("batch-{}/", arrival.batch()))?;
            Some(format!("zip/batch/{name}"))
        }
        None => (!rest.starts_with("raw/")).then(|| rest.to_owned()),
    }
}

/// Returns the key of an output for this batch.
fn specific(key: &str, arrival: Arrival) -> String {
    match key.strip_prefix("zip/batch/") {
        Some(name) => format!("{}/zip/batch-{}/{name}", arrival.listing, arrival.batch()),
        None => format!("{}/{key}", arrival.listing),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn keys_are_compared_across_listings_and_batches() {
        let arrival = Arrival { variant: Variant::Photos, listing: 51, job: 4 };
        for key in ["51/zip/batch-104/complete.zip", "51/thumb/photo/vertical/2026-01-02/a_320x240.jpg"] {
            assert_eq!(specific(&general(key, arrival).unwrap(), arrival), key);
        }
        assert_eq!(general("51/raw/photo/vertical/2026-01-02/a.jpg", arrival), None);
        assert_eq!(general("51/zip/batch-105/complete.zip", arrival), None);
        assert_eq!(general("52/zip/batch-104/complete.zip", arrival), None);
    }
}
