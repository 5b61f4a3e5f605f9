//! The component: its export, and its imports as a [`Host`].

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use crate::bindings::exports::toq::media::batch_stage::{Guest, Outcome};
use crate::bindings::toq::media::types::{Batch, Context, Failure};
use crate::bindings::toq::media::webhook::{self, Reply};
use crate::body::compose;
use crate::config::Config;
use crate::delivery::{Host, deliver};
use crate::verdict::judge;

/// The component.
pub struct Component;

impl Guest for Component {
    fn process(ctx: Context, batch: Batch) -> Result<Outcome, Failure> {
        let config = Config::parse(&ctx.config)?;
        let verdict = judge(&batch);
        let body = compose(&ctx, &batch, &verdict)?;
        let delivered = deliver(&Imports { began: Instant::now() }, &config, &body)?;
        let note = format!("delivered {} {delivered}", verdict.status.name());
        Ok(Outcome { assets: Vec::new(), bundles: Vec::new(), failures: Vec::new(), note: Some(note) })
    }
}

// Native linkers reject the names of a component's exports; natively only the tests are built.
#[cfg(target_family = "wasm")]
crate::bindings::export!(Component with_types_in crate::bindings);

/// The JSON Schema of this stage's settings, a custom section of the component that `stagehost` reads.
#[cfg(target_family = "wasm")]
#[used]
#[unsafe(link_section = "stagehost:config-schema")]
static CONFIG_SCHEMA: [u8; include_bytes!("../config.schema.json").len()] = *include_bytes!("../config.schema.json");

/// The component's imports, and the clock and random numbers of WASI.
struct Imports {
    began: Instant,
}

impl Host for Imports {
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
        // The standard library seeds each of these from the system's random numbers, which is enough to spread retries.
        RandomState::new().hash_one(self.began.elapsed())
    }
}
