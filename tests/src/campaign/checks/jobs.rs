//! Each transcoding job is paid once.

use std::collections::BTreeMap;

use super::Findings;
use crate::campaign::world::World;

/// No state has submitted a video twice, however often it was tried.
pub(super) fn paid_once(world: &World, findings: &mut Findings) {
    let mut paid: BTreeMap<(String, String), usize> = BTreeMap::new();
    for job in world.jobs() {
        *paid.entry((job.ticket, job.source)).or_default() += 1;
    }
    for ((_, source), count) in paid.into_iter().filter(|(_, count)| *count > 1) {
        let text = format!("{source} was submitted {count} times by one state");
        if !findings.violations.contains(&text) {
            findings.wrong(text);
        }
    }
}

/// The second run submits no video whose renditions the backend has already heard of.
pub(super) fn submitted_again(world: &World, findings: &mut Findings) {
    let told: Vec<String> = world
        .shared
        .plan
        .arrivals()
        .iter()
        .flat_map(|arrival| world.execution(*arrival, 0))
        .flat_map(|execution| world.callbacks(&execution))
        .flat_map(|callback| callback.body.outputs)
        .filter(|output| output.processed_key.is_some())
        .map(|output| output.raw_key)
        .collect();
    let states = world.shared.plan.arrivals().iter().flat_map(|arrival| world.execution(*arrival, 1));
    let tickets: Vec<_> =
        states.map(|execution| stagehost_aws::ticket_id(&execution.info().arn, "ProcessVideos")).collect();
    for job in world.jobs() {
        if tickets.contains(&job.ticket) && told.contains(&job.source) {
            findings.wrong(format!("the second run paid for {} again", job.source));
        }
    }
}
