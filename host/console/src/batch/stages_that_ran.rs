//! Which stage, in which version and with which bytes, ran for which state.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use stagehost_pins::{Role, short_digest};

use super::loaded::Loaded;
use super::signature::{Signature, signed_by};
use crate::app::App;
use crate::html::format::{bytes, duration};
use crate::html::parts::{empty, no_calls};
use crate::source::journal::{KnownCalls, LoggedCall};
use crate::source::pins::SignedPins;

/// How many stages are shown.
const MOST_ROWS: usize = 200;

/// Calls of one stage for one state.
#[derive(Default)]
struct Calls {
    count: u64,
    failed: u64,
    millis: f64,
    longest: f64,
    memory: u64,
}

/// Shows the stages that ran, as their calls say or else as the pins of the batch's revision have them.
pub(super) async fn stages_that_ran(app: &App, loaded: &Loaded) -> Markup {
    let revision = loaded.batch.as_ref().and_then(|batch| batch.revision);
    let (signature, known) = futures::join!(Signature::of_revision(app, revision), app.calls(&loaded.facts.listed.arn));
    let KnownCalls { calls, gaps } = match known {
        Ok(known) => known,
        // The rest of the page does not need them, as when a person may not read the log.
        Err(error) => return html! { (no_calls(&error)) (by_pins(loaded, &signature)) },
    };
    if calls.is_empty() {
        return by_pins(loaded, &signature);
    }
    let name = &loaded.facts.listed.name;
    let mut stages: BTreeMap<(&str, &str, &str, &str), Calls> = BTreeMap::new();
    for call in &calls {
        let LoggedCall { state, stage, version, digest, .. } = call;
        let sums = stages.entry((state.as_str(), stage.as_str(), version.as_str(), digest.as_str())).or_default();
        sums.count += 1;
        sums.failed += u64::from(call.failure.is_some());
        sums.millis += call.millis;
        sums.longest = sums.longest.max(call.millis);
        sums.memory = sums.memory.max(call.memory);
    }
    html! {
        h3 { "Stages that ran" }
        @for gap in &gaps { p.note { (gap) } }
        (signature.sentence())
        table.list {
            thead { tr {
                th scope="col" { "State" } th scope="col" { "Stage" } th scope="col" { "Digest" } th scope="col" { "Signed by" }
                th.number scope="col" { "Calls" } th.number scope="col" { "Failed" } th.number scope="col" { "Time" }
                th.number scope="col" { "Longest" } th.number scope="col" { "Memory" }
            } }
            tbody {
                @for ((state, stage, version, digest), sums) in stages.iter().take(MOST_ROWS) {
                    tr {
                        td.name { (state) }
                        td data-label="Stage" { (stage) " " (version) }
                        td data-label="Digest" { code title=(digest) { (short_digest(digest)) } }
                        td data-label="Signed by" { (signed_by(&signature, state, name, digest)) }
                        td.number data-label="Calls" { (sums.count) }
                        td.number data-label="Failed" { (sums.failed) }
                        td.number data-label="Time" { (duration(sums.millis)) }
                        td.number data-label="Longest" { (duration(sums.longest)) }
                        td.number data-label="Memory" { (bytes(sums.memory)) }
                    }
                }
            }
        }
        @if stages.len() > MOST_ROWS { p.note { "The first " (MOST_ROWS) " of " (stages.len()) " stages are shown." } }
    }
}

fn by_pins(loaded: &Loaded, signature: &Signature) -> Markup {
    let Some(SignedPins { pins, .. }) = &signature.pins else {
        return html! { (signature.sentence()) (empty("No call of this batch is known.")) };
    };
    let name = &loaded.facts.listed.name;
    let mut seen = BTreeSet::new();
    let states: Vec<&str> =
        loaded.visits.all.iter().map(|visit| visit.state.as_str()).filter(|state| seen.insert(*state)).collect();
    html! {
        h3 { "Stages of revision " (pins.revision) }
        (signature.sentence())
        table.list {
            thead { tr { th scope="col" { "State" } th scope="col" { "Stage" } th scope="col" { "Digest" } th scope="col" { "Signed by" } } }
            tbody {
                @for (state, choice) in states.iter().filter_map(|state| Some((state, pins.choose(state, name)?))) {
                    tr {
                        td.name { (state) }
                        td data-label="Stage" {
                            (choice.pin.stage) " " (choice.pin.version)
                            @if choice.role == Role::Canary { " " span.badge.run { "canary" } }
                        }
                        td data-label="Digest" { code title=(choice.pin.digest) { (short_digest(&choice.pin.digest)) } }
                        td data-label="Signed by" { (signed_by(signature, state, name, &choice.pin.digest)) }
                    }
                }
            }
        }
    }
}
