//! The stage of the conformance suite in Rust. `tests/conformance/` has the same stage in Python and JavaScript and says what
//! each exercise is.

wit_bindgen::generate!({ world: "custom", path: "../../../wit" });

mod exercises;

use exports::toq::media::asset_stage::{Asset, Context, Failure, Guest};
use serde_json::Value;

struct Conformant;
export!(Conformant);

impl Guest for Conformant {
    fn process(ctx: Context, asset: Asset) -> Result<Asset, Failure> {
        let config: Value =
            serde_json::from_str(&ctx.config).map_err(|error| Failure::InvalidInput(format!("the config: {error}")))?;
        exercises::run(&ctx, &config, asset)
    }
}
