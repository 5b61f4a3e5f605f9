//! What must hold after every seed, by reading the bucket, the engine's histories, the receiver and the request log.

mod documents;
mod grants;
mod jobs;
mod outcomes;
mod outputs;

use std::collections::BTreeMap;

use anyhow::Result;

use super::reference::Reference;
use super::world::{Stored, World};

/// What was found.
#[derive(Default)]
pub(super) struct Findings {
    /// What does not hold.
    pub(super) violations: Vec<String>,
    /// Unfinished uploads that nobody could abort; the bucket's lifecycle rule removes them.
    pub(super) left_to_the_rule: usize,
}

impl Findings {
    fn wrong(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }
}

/// Checks the run of the seed's batches under faults. Returns what the bucket has.
///
/// # Errors
/// If the services cannot be read.
pub(super) async fn disturbed(
    world: &World,
    reference: &Reference,
    findings: &mut Findings,
) -> Result<BTreeMap<String, Stored>> {
    let objects = world.objects().await?;
    let mild = world.shared.plan.is_mild();
    outcomes::check(world, reference, 0, mild, findings).await?;
    documents::check(world, &objects, 0, findings);
    outputs::whole(&objects, findings);
    outputs::same(world, reference, &objects, mild, findings);
    outputs::uploads(world, findings).await?;
    jobs::paid_once(world, findings);
    Ok(objects)
}

/// Checks the undisturbed second run of the same batches; `before` is what the bucket had.
///
/// # Errors
/// If the services cannot be read.
pub(super) async fn again(
    world: &World,
    reference: &Reference,
    before: &BTreeMap<String, Stored>,
    findings: &mut Findings,
) -> Result<()> {
    let objects = world.objects().await?;
    outcomes::check(world, reference, 1, true, findings).await?;
    documents::check(world, &objects, 1, findings);
    outputs::same(world, reference, &objects, true, findings);
    outputs::made_twice(world, reference, before, findings);
    jobs::paid_once(world, findings);
    jobs::submitted_again(world, findings);
    grants::check(world, findings);
    Ok(())
}
