//! Answers with its own version, as each file's title. The tests publish it in several versions: they replace the number in
//! `MARK` in the built component, so that each version is other code and only its own answer tells which one ran.

wit_bindgen::generate!({
    path: "../../../wit",
    inline: "
        package test:version;
        world version-asset {
            export toq:media/asset-stage@1.0.0;
        }
    ",
    world: "test:version/version-asset",
    generate_all,
});

use exports::toq::media::asset_stage::{Asset, Context, Failure, Guest};

/// Found by `stagehost_tests::versions`.
static MARK: [u8; 17] = *b"guest version 000";

struct Version;
export!(Version);

impl Guest for Version {
    fn process(_: Context, mut asset: Asset) -> Result<Asset, Failure> {
        // The compiler must not know what is there.
        let mark = std::hint::black_box(&MARK);
        asset.title = Some(String::from_utf8_lossy(mark).into_owned());
        Ok(asset)
    }
}
