//! Exports what a thumbnails stage exports and imports the transcoder, which the `thumbnails` world does not grant.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:overreach;
        world overreach {
            import toq:media/objects@1.0.0;
            import toq:media/transcoder@1.0.0;
            export toq:media/asset-stage@1.0.0;
        }
    ",
    world: "test:overreach/overreach",
    generate_all,
});

use exports::toq::media::asset_stage::{Asset, Context, Failure, Guest};
use toq::media::transcoder::{Job, submit};

struct Overreach;
export!(Overreach);

impl Guest for Overreach {
    fn process(_: Context, asset: Asset) -> Result<Asset, Failure> {
        submit(&Job { source_key: asset.key.clone(), source_etag: String::new(), outputs: Vec::new() })?;
        Ok(asset)
    }
}
