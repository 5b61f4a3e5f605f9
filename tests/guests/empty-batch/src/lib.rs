//! Does nothing with a batch, so that only the host's own work is measured.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:empty;
        world empty-batch {
            export toq:media/batch-stage@1.0.0;
        }
    ",
    world: "test:empty/empty-batch",
    generate_all,
});

use exports::toq::media::batch_stage::{Batch, Context, Failure, Guest, Outcome};

struct Empty;
export!(Empty);

impl Guest for Empty {
    fn process(_: Context, _: Batch) -> Result<Outcome, Failure> {
        Ok(Outcome {
            assets: Vec::new(),
            bundles: Vec::new(),
            files: Vec::new(),
            attributes: Vec::new(),
            failures: Vec::new(),
            note: None,
        })
    }
}
