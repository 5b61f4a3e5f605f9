//! A small listing under fixed keys, and everything that a bucket holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use serde_json::{Value, json};
use stagehost_tests::file;

/// The photos of the listing, made of those of the sample listing.
pub const PHOTOS: [&str; 3] = ["front.jpg", "kitchen.jpg", "staircase.jpg"];

/// Long enough that S3 copies it into archives as a part of its own, in bytes.
const DOCUMENT: usize = 6 << 20;

/// Returns the batch, for the listing 51.
pub fn batch(job: u64) -> Value {
    let photos = PHOTOS.map(|name| format!("51/raw/photo/horizontal/2026-01-02/{name}"));
    let assets: Vec<String> = photos.into_iter().chain(["51/raw/project/doc/2026-01-02/plan.pdf".to_owned()]).collect();
    json!({"jobId": job, "batchId": 7, "listingId": 51, "assets": assets, "retry": 0})
}

/// Writes the listing's files into a folder, by name.
pub fn write_media(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    for name in PHOTOS {
        std::fs::write(folder.join(name), photo(name, 720)).unwrap();
    }
    let mut document = b"%PDF-1.4\n".to_vec();
    let mut random = Random::new(3);
    document.resize_with(DOCUMENT, || random.next() as u8);
    document.extend_from_slice(b"\n%%EOF\n");
    std::fs::write(folder.join("plan.pdf"), document).unwrap();
}

/// Returns a sample photo that is at most `width` pixels wide.
pub fn photo(sample: &str, width: u32) -> Vec<u8> {
    let bytes = std::fs::read(file("samples/listing").join(sample)).unwrap();
    let small = image::load_from_memory(&bytes).unwrap().thumbnail(width, width);
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, 90).encode_image(&small).unwrap();
    jpeg
}

/// Returns everything below a folder, by path.
pub fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    files(folder)
        .into_iter()
        .map(|path| (path.strip_prefix(folder).unwrap().display().to_string(), std::fs::read(&path).unwrap()))
        .collect()
}

/// Returns all files below a folder; nothing if it is missing.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Returns the difference between two folders in words; empty if there is none.
pub fn difference(expected: &BTreeMap<String, Vec<u8>>, found: &BTreeMap<String, Vec<u8>>) -> String {
    let mut lines = Vec::new();
    for (path, bytes) in expected {
        match found.get(path) {
            None => lines.push(format!("{path} is missing")),
            Some(other) if other != bytes => lines.push(format!("{path} has other bytes")),
            Some(_) => {}
        }
    }
    lines.extend(found.keys().filter(|path| !expected.contains_key(*path)).map(|path| format!("{path} is left over")));
    lines.join("\n")
}

/// Numbers that follow from a seed (xorshift64*).
pub struct Random(u64);

impl Random {
    /// Returns the numbers of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Returns the next number.
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16
    }

    /// Returns a number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }
}
