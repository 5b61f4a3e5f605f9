//! Every batch has one execution, and the backend hears of it once, or a letter in a dead-letter queue says why not.

use anyhow::Result;
use stagehost_batch::Id;

use super::Findings;
use crate::campaign::reference::Reference;
use crate::campaign::world::World;

/// Checks all batches with this `retry`. With `as_undisturbed`, each must end as without faults.
pub(super) async fn check(
    world: &World,
    reference: &Reference,
    retry: u32,
    as_undisturbed: bool,
    findings: &mut Findings,
) -> Result<()> {
    let dead = world.queue.dead();
    for arrival in world.shared.plan.arrivals() {
        let what = format!("job {} (retry {retry})", arrival.job);
        let executions = world.execution(*arrival, retry);
        let unread = dead.iter().filter(|message| is_of(message, arrival.job, retry)).count();
        match (executions.len(), unread) {
            (1, 0) | (0, 1) => {}
            (executions, unread) => {
                findings
                    .wrong(format!("{what}: {executions} executions and {unread} messages in the dead-letter queue"));
            }
        }
        for execution in &executions {
            let callbacks = world.callbacks(execution);
            let letters = world.letters(execution).await?;
            if callbacks.len() + letters.len() != 1 {
                findings.wrong(format!(
                    "{what}: {} accepted callbacks and {} letters in the dead-letter queue; the execution is {}",
                    callbacks.len(),
                    letters.len(),
                    execution.status().as_str()
                ));
            }
            for letter in &letters {
                let body: serde_json::Value =
                    letter["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).unwrap_or_default();
                // Sent to the job queue, the host must be able to read it.
                let batch = stagehost_batch::parse(&body);
                let of_this_job = batch.is_ok_and(|batch| batch.job_id == Some(Id::Number(arrival.job.into())));
                if body["undelivered"].is_null() || !of_this_job {
                    findings.wrong(format!("{what}: its letter is no result that could be sent again: {letter}"));
                }
            }
        }
        if !as_undisturbed {
            continue;
        }
        let expected = reference.of(arrival.variant).map(|outcome| outcome.status);
        let callbacks: Vec<_> = executions.iter().flat_map(|execution| world.callbacks(execution)).collect();
        let found = callbacks.first().map(|callback| callback.body.status);
        if found != expected {
            let told = callbacks.first().map_or("no callback", |callback| callback.raw.as_str());
            findings.wrong(format!("{what}: ended as {found:?} where an undisturbed run ends as {expected:?}: {told}"));
        }
    }
    Ok(())
}

fn is_of(message: &str, job: u32, retry: u32) -> bool {
    let message: serde_json::Value = serde_json::from_str(message).unwrap_or_default();
    message["jobId"] == job && message["retry"] == retry
}
