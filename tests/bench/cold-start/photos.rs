//! Ten photos as large as a phone's, made from the sample listing: enlarged, and with noise for a realistic file size.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_sdk_s3::Client;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use serde_json::{Value, json};
use stagehost_tests::file;

pub const WIDTH: u32 = 4032;
pub const HEIGHT: u32 = 3024;
const SAMPLES: [&str; 5] = ["front.jpg", "kitchen.jpg", "living-room.jpg", "evening-view.jpg", "staircase.jpg"];
const COUNT: usize = 10;

/// Returns the photos by file name. The bytes are the same every time.
pub fn make() -> Result<BTreeMap<String, Vec<u8>>> {
    let mut photos = BTreeMap::new();
    let mut noise = 0x5eed_u64;
    for (index, sample) in SAMPLES.iter().cycle().take(COUNT).enumerate() {
        let bytes = std::fs::read(file("samples/listing").join(sample)).with_context(|| (*sample).to_owned())?;
        let picture = image::load_from_memory(&bytes)?.resize_exact(WIDTH, HEIGHT, FilterType::Triangle);
        let mut picture = picture.into_rgb8();
        for value in picture.iter_mut() {
            noise ^= noise << 13;
            noise ^= noise >> 7;
            noise ^= noise << 17;
            *value = value.saturating_add((noise % 16) as u8);
        }
        let mut encoded = Vec::new();
        // No two have the same size.
        JpegEncoder::new_with_quality(&mut encoded, 90 + (index % 3) as u8).encode_image(&picture)?;
        let orientation = [1, 6, 1, 3, 8][index % 5];
        photos.insert(format!("photo-{index:02}.jpg"), with_orientation(&encoded, orientation));
    }
    Ok(photos)
}

/// Uploads photos, and returns them as a batch's assets.
pub async fn upload(client: &Client, bucket: &str, photos: &BTreeMap<String, Vec<u8>>) -> Result<Vec<Value>> {
    let mut assets = Vec::new();
    for (name, bytes) in photos {
        let key = format!("51/raw/photo/horizontal/2026-01-02/{name}");
        let put = client.put_object().bucket(bucket).key(&key).content_type("image/jpeg").body(bytes.clone().into());
        put.send().await.with_context(|| format!("uploading {key}"))?;
        assets.push(json!({"key": key, "contentType": "image/jpeg"}));
    }
    Ok(assets)
}

/// Puts the smallest possible EXIF segment behind the start of the image.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    #[rustfmt::skip]
    let segment = [
        0xff, 0xe1, 0x00, 0x22, b'E', b'x', b'i', b'f', 0, 0,
        // Big-endian TIFF with one directory of one entry: Orientation (0x0112), one short.
        b'M', b'M', 0, 42, 0, 0, 0, 8, 0, 1,
        0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0,
        0, 0, 0, 0,
    ];
    [&jpeg[..2], &segment, &jpeg[2..]].concat()
}
