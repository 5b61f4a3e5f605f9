//! A callback stage that delivers more than the batch's result, as its configuration asks, `{"do": …}`.

wit_bindgen::generate!({ world: "callback", path: "../../../wit", generate_all });

use exports::toq::media::batch_stage::{Batch, Context, Failure, Guest, Outcome};
use toq::media::webhook::deliver;

struct Caller;
export!(Caller);

impl Guest for Caller {
    fn process(ctx: Context, _: Batch) -> Result<Outcome, Failure> {
        match ctx.config.split('"').nth(3).unwrap_or_default() {
            "deliveries" => loop {
                deliver("{}")?;
            },
            "body" => {
                deliver(&"b".repeat(60 << 20))?;
            }
            other => return Err(Failure::InvalidInput(format!("nothing is called {other:?}"))),
        }
        Ok(Outcome { assets: vec![], bundles: vec![], files: vec![], attributes: vec![], failures: vec![], note: None })
    }
}
