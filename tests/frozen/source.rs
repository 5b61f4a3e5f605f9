//! The source of the components beside it. Nothing builds it in this repository; README.md says how they were built.

wit_bindgen::generate!({ world: "custom", path: "wit" });

use exports::toq::media::asset_stage::{Asset, Context, Failure, Guest};
use toq::media::{call, log, metrics, objects, progress};

const VERSION: &str = env!("BUILT_FOR");

struct Frozen;
export!(Frozen);

impl Guest for Frozen {
    fn process(_: Context, mut asset: Asset) -> Result<Asset, Failure> {
        progress::report(1, 1);
        metrics::count("calls", 1);
        log::write(log::Level::Info, &format!("built for {VERSION}"), &[]);
        match objects::stat(&asset.key) {
            Ok(info) => asset.bytes = Some(info.bytes),
            // The test grants nothing.
            Err(Failure::Denied(_)) => {}
            Err(failure) => return Err(failure),
        }
        #[cfg(feature = "new")]
        asset.attributes.push(("region".to_owned(), call::region()));
        asset.title = Some(format!("built for {VERSION}, called by {}", call::state()));
        Ok(asset)
    }
}
