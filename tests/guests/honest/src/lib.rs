//! A guest that does its work: it reads a photo, writes its bytes in reverse order as a thumbnail, and returns the sum of
//! the bytes as the title. Everything that it returns can be computed without it.

wit_bindgen::generate!({ world: "thumbnails", path: "../../../wit" });

use exports::toq::media::asset_stage::{Asset, Context, Failure, Guest};
use toq::media::keys;
use toq::media::object_writer::Writer;
use toq::media::objects::Object;
use toq::media::types::Rendition;

struct Honest;
export!(Honest);

impl Guest for Honest {
    fn process(_: Context, mut asset: Asset) -> Result<Asset, Failure> {
        let object = Object::open(&asset.key, None)?;
        let info = object.info();
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < info.bytes {
            let read = object.read(bytes.len() as u64, 16 << 10)?;
            if read.is_empty() {
                return Err(Failure::Corrupt(format!("{} ends at {} bytes", asset.key, bytes.len())));
            }
            bytes.extend(read);
        }
        asset.title = Some(format!("sum {}", bytes.iter().copied().map(u64::from).sum::<u64>()));
        bytes.reverse();
        let key = keys::derive(&asset.key, keys::Area::Thumb, "reversed", "jpg")?;
        let writer = Writer::create(&key, "image/jpeg", Some(&info.etag))?;
        for piece in bytes.chunks(16 << 10) {
            writer.append(piece)?;
        }
        let made = Writer::finish(writer)?;
        asset.renditions.push(Rendition {
            name: "reversed".into(),
            key,
            content_type: "image/jpeg".into(),
            pixels: None,
            bytes: made.bytes,
            etag: made.etag,
            crc32: made.crc32,
            reused: false,
        });
        Ok(asset)
    }
}
