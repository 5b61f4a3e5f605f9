//! The same as `version-asset`, as a batch stage: answers with its own version as every file's title.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:version;
        world version-batch {
            export toq:media/batch-stage@1.0.0;
        }
    ",
    world: "test:version/version-batch",
    generate_all,
});

use exports::toq::media::batch_stage::{Batch, Context, Failure, Guest, Outcome};

/// Found by `stagehost_tests::versions`.
static MARK: [u8; 17] = *b"guest version 000";

struct Version;
export!(Version);

impl Guest for Version {
    fn process(_: Context, batch: Batch) -> Result<Outcome, Failure> {
        // The compiler must not know what is there.
        let mark = String::from_utf8_lossy(std::hint::black_box(&MARK)).into_owned();
        let mut assets = batch.assets;
        for asset in &mut assets {
            asset.title = Some(mark.clone());
        }
        Ok(Outcome {
            assets,
            bundles: Vec::new(),
            files: Vec::new(),
            attributes: Vec::new(),
            failures: Vec::new(),
            note: None,
        })
    }
}
