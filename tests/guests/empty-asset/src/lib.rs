//! Does nothing with a file, so that only the host's own work is measured.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:empty;
        world empty-asset {
            export toq:media/asset-stage@1.0.0;
        }
    ",
    world: "test:empty/empty-asset",
    generate_all,
});

use exports::toq::media::asset_stage::{Asset, Context, Failure, Guest};

struct Empty;
export!(Empty);

impl Guest for Empty {
    fn process(_: Context, asset: Asset) -> Result<Asset, Failure> {
        Ok(asset)
    }
}
