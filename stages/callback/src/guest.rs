//! The component, and its imports as a [`Host`].

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

use stage_sdk::{Batch, BatchStage, Call, Failure, Outcome, Reply};

use crate::body::compose;
use crate::config::Config;
use crate::delivery::{Host, deliver};
use crate::verdict::judge;

/// The stage.
pub struct Callback;

impl BatchStage for Callback {
    fn process(call: Call, batch: Batch) -> Result<Outcome, Failure> {
        let config = Config::parse(call.config_text())?;
        let verdict = judge(&batch);
        let body = compose(call.context(), &batch, &verdict)?;
        let delivered = deliver(&Imports { began: Instant::now() }, &config, &body)?;
        let note = format!("delivered {} {delivered}", verdict.status.name());
        Ok(Outcome { note: Some(note), ..Outcome::default() })
    }
}

stage_sdk::export_batch_stage!(Callback);
stage_sdk::config_schema!("../config.schema.json");

/// The component's imports, and the clock and random numbers of WASI.
struct Imports {
    began: Instant,
}

impl Host for Imports {
    fn attempt(&self, body: &str) -> Result<Reply, Failure> {
        stage_sdk::deliver(body)
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
