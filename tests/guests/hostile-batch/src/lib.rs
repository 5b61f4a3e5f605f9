//! A batch stage that misbehaves as its configuration asks, `{"do": …}`: it answers for files and archives that are not
//! its own, or claims too much.

wit_bindgen::generate!({ world: "custom-batch", path: "../../../wit", generate_all });

use exports::toq::media::batch_stage::{AssetFailure, Batch, Bundle, Context, Failure, Guest, Outcome};
use toq::media::keys;

struct HostileBatch;
export!(HostileBatch);

impl Guest for HostileBatch {
    fn process(ctx: Context, batch: Batch) -> Result<Outcome, Failure> {
        let mut outcome = Outcome {
            assets: vec![],
            bundles: vec![],
            files: vec![],
            attributes: vec![],
            failures: vec![],
            note: None,
        };
        let failed = |key: &str| AssetFailure { key: key.into(), failure: Failure::Corrupt("claimed".into()) };
        match ctx.config.split('"').nth(3).unwrap_or_default() {
            "strange" => outcome.failures.push(failed("51/raw/photo/vertical/nobody.jpg")),
            "stranger" => {
                let mut asset = batch.assets[0].clone();
                asset.key = "52/raw/photo/vertical/other.jpg".into();
                outcome.assets.push(asset);
            }
            "failures" => outcome.failures = (0..40_000).map(|n| failed(&format!("51/raw/{n}"))).collect(),
            "assets" => outcome.assets = vec![batch.assets[0].clone(); 100_000],
            "note" => outcome.note = Some("n".repeat(60 << 20)),
            "bundles" => outcome.bundles = (0..100_000).map(|n| bundle(&format!("51/zip/{n}.zip"))).collect(),
            "bundle" => outcome.bundles.push(bundle("52/zip/batch-5/complete.zip")),
            "name" => {
                keys::bundle(&"b".repeat(1 << 20))?;
            }
            other => return Err(Failure::InvalidInput(format!("nothing is called {other:?}"))),
        }
        Ok(outcome)
    }
}

fn bundle(key: &str) -> Bundle {
    Bundle { name: key.into(), key: key.into(), bytes: 1, entries: 1, unpacked_bytes: 1, reused: false }
}
