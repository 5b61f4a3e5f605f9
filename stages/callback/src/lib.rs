//! The callback stage: tells the backend how a batch ended.
//!
//! It composes one JSON document and delivers it through the host, which knows the address and signs on the way out.
//!
//! Code map: [`verdict`] how the batch ended · [`body`] the document · [`delivery`] attempts, waits and when to stop ·
//! [`config`] the bounds of that · this file, the component's imports and export.

pub mod body;
pub mod config;
#[cfg(test)]
#[path = "../../../tests/fixtures/config_schema.rs"]
mod config_schema;
pub mod delivery;
#[cfg(test)]
#[path = "../../../tests/fixtures/contract.rs"]
mod fixtures;
pub mod verdict;

/// What `wit/` makes of itself in Rust.
#[allow(missing_docs, clippy::unwrap_used)]
pub mod bindings {
    wit_bindgen::generate!({
        world: "callback",
        path: "../../wit",
        additional_derives: [PartialEq],
    });
    // The names of a component's exports are none that a native linker takes; natively only the tests are built.
    #[cfg(target_arch = "wasm32")]
    export!(Component with_types_in self);
    #[cfg(target_arch = "wasm32")]
    use super::Component;
}

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use bindings::exports::toq::media::batch_stage::{Guest, Outcome};
use bindings::toq::media::types::{Batch, Context, Failure};
use bindings::toq::media::webhook::{self, Reply};

/// Where `stagehost` finds which settings this stage has: a custom section of the component.
#[cfg(target_arch = "wasm32")]
#[used]
#[unsafe(link_section = "stagehost:config-schema")]
static CONFIG_SCHEMA: [u8; include_bytes!("../config.schema.json").len()] = *include_bytes!("../config.schema.json");

/// The component.
#[doc(hidden)]
pub struct Component;

impl Guest for Component {
    fn process(ctx: Context, batch: Batch) -> Result<Outcome, Failure> {
        let config = config::Config::parse(&ctx.config)?;
        let verdict = verdict::judge(&batch);
        let body = body::compose(&ctx, &batch, &verdict)?;
        let host = Host { began: Instant::now() };
        let delivered = delivery::deliver(&host, &config, &body)?;
        let note = format!("delivered {} {delivered}", verdict.status.name());
        Ok(Outcome { assets: Vec::new(), bundles: Vec::new(), failures: Vec::new(), note: Some(note) })
    }
}

/// The host's side of [`delivery::World`]: the webhook, and the clock and random numbers of WASI.
struct Host {
    began: Instant,
}

impl delivery::World for Host {
    fn attempt(&self, body: &str) -> Result<Reply, Failure> {
        webhook::deliver(body)
    }
    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
    fn random(&self) -> u64 {
        // The standard library seeds each of these from the system's random numbers: enough to spread retries.
        RandomState::new().hash_one(self.began.elapsed())
    }
}
