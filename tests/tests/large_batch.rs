//! The largest batch that is accepted goes through a host of bounded memory, and its archive is right to the last byte. An
//! earlier system built archives in one buffer and died on real batches.
//!
//! With `STAGEHOST_REQUIRE=large` (or `all`, as in CI) the sixty files have the full GiB. Otherwise they have a quarter of it.
//! A host that keeps the batch in memory exceeds the bound in both cases.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stagehost_needs::LARGE;
use stagehost_tests::measured::measured;
use stagehost_tests::{file, run_command};

const FILES: usize = 60;
const PHOTOS: [&str; 5] = ["front.jpg", "kitchen.jpg", "living-room.jpg", "evening-view.jpg", "staircase.jpg"];
/// Bytes of all files, and what the host may have resident meanwhile, in MiB.
const FULL: (usize, u64) = (1 << 30, 400);
/// See [`FULL`].
const SMALL: (usize, u64) = (256 << 20, 384);
/// The most that a JPEG segment holds: its length counts itself in, in 16 bits.
const SEGMENT: usize = 65_533;

/// Bytes that do not compress and are the same every time.
struct Noise {
    pool: Vec<u8>,
    at: usize,
}

impl Noise {
    /// About a MiB by xorshift64. No power of two, so that no two files are cut from it at the same place.
    fn new() -> Self {
        let (mut state, mut pool) = (0x5eed_u64, Vec::new());
        while pool.len() < 1_000_003 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            pool.extend_from_slice(&state.to_le_bytes());
        }
        Self { pool, at: 0 }
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count);
        while bytes.len() < count {
            let end = self.pool.len().min(self.at + count - bytes.len());
            bytes.extend_from_slice(&self.pool[self.at..end]);
            self.at = end % self.pool.len();
        }
        bytes
    }
}

/// A valid JPEG made large by comments in its header.
fn commented(photo: &[u8], size: usize, noise: &mut Noise) -> Vec<u8> {
    let mut padding = size.saturating_sub(photo.len());
    let mut bytes = photo[..2].to_vec();
    while padding > 4 {
        let content = noise.bytes((padding - 4).min(SEGMENT));
        bytes.extend_from_slice(&[0xff, 0xfe]);
        bytes.extend_from_slice(&u16::try_from(content.len() + 2).unwrap().to_be_bytes());
        bytes.extend_from_slice(&content);
        padding -= content.len() + 4;
    }
    bytes.extend_from_slice(&photo[2..]);
    bytes
}

/// A valid JPEG with data behind its end, where cameras put previews and moving pictures.
fn trailed(photo: &[u8], size: usize, noise: &mut Noise) -> Vec<u8> {
    let mut bytes = photo.to_vec();
    bytes.extend(noise.bytes(size.saturating_sub(photo.len())));
    bytes
}

/// A PDF with a very long comment before its last line.
fn long_document(document: &[u8], size: usize, noise: &mut Noise) -> Vec<u8> {
    const END: &[u8] = b"\n%%EOF\n";
    let mut bytes = document.to_vec();
    bytes.extend_from_slice(b"\n%");
    let comment = noise.bytes(size.saturating_sub(bytes.len() + END.len()));
    bytes.extend(comment.into_iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
    bytes.extend_from_slice(END);
    bytes
}

/// Sixty files of `total` bytes at most, by name.
fn make_listing(folder: &Path, total: usize) -> Result<BTreeMap<String, PathBuf>> {
    let sample = |name: &str| std::fs::read(file("samples/listing").join(name)).with_context(|| name.to_owned());
    let photos = PHOTOS.iter().map(|name| sample(name)).collect::<Result<Vec<_>>>()?;
    let document = sample("description.pdf")?;
    let mut noise = Noise::new();
    let size = total / FILES;
    let mut files = BTreeMap::new();
    std::fs::create_dir_all(folder)?;
    for index in 0..FILES {
        let photo = &photos[index % photos.len()];
        let (name, bytes) = match index % 6 {
            5 => (format!("document-{index:02}.pdf"), long_document(&document, size, &mut noise)),
            even if even % 2 == 0 => (format!("photo-{index:02}.jpg"), commented(photo, size, &mut noise)),
            _ => (format!("photo-{index:02}.jpg"), trailed(photo, size, &mut noise)),
        };
        ensure!(bytes.len() <= size, "{name} became {} bytes instead of {size}", bytes.len());
        let path = folder.join(&name);
        std::fs::write(&path, bytes)?;
        files.insert(name, path);
    }
    Ok(files)
}

/// Whether two readers give the same bytes.
fn same(mut left: impl Read, mut right: impl Read) -> Result<bool> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    loop {
        a.clear();
        b.clear();
        left.by_ref().take(1 << 20).read_to_end(&mut a)?;
        right.by_ref().take(1 << 20).read_to_end(&mut b)?;
        if a != b {
            return Ok(false);
        }
        if a.is_empty() {
            return Ok(true);
        }
    }
}

#[test]
fn sixty_large_files_go_through_a_host_of_bounded_memory_and_their_archive_is_right() -> Result<()> {
    let (total, most_mib) = if LARGE.is_required() { FULL } else { SMALL };
    let folder = tempfile::tempdir()?;
    let listing = folder.path().join("listing");
    let sources = make_listing(&listing, total)?;
    let out = folder.path().join("out");

    let run = measured(run_command([&listing]).arg("--out").arg(&out))?;
    let result = &run.ran.json;
    println!("{} MiB in {FILES} files: {}", total >> 20, result["timings"]);
    assert_eq!((run.ran.code, &result["status"]), (0, &json!("SUCCEEDED")), "{result:#}\n{}", run.ran.stderr);
    run.assert_at_most(most_mib);

    let bundles = result["zipBundles"].as_array().context("no zipBundles")?;
    let complete = bundles.iter().filter_map(Value::as_str).find(|key| key.ends_with("/complete.zip"));
    let bucket = out.join("toq-listing-medias");
    let mut archive = zip::ZipArchive::new(File::open(bucket.join(complete.context("no complete.zip")?))?)?;
    assert_eq!(result["assetsZipped"], archive.len());

    // The sources and what was made of the photos, as they lie in the bucket.
    let mut expected = sources.clone();
    for output in result["outputs"].as_array().context("no outputs")? {
        for key in output["outputs"].as_object().context("no renditions")?.values().filter_map(Value::as_str) {
            let name = key.rsplit('/').next().unwrap_or(key);
            assert!(expected.insert(name.to_owned(), bucket.join(key)).is_none(), "two files are called {name}");
        }
    }
    let photos = sources.keys().filter(|name| name.ends_with(".jpg")).count();
    assert_eq!(expected.len(), FILES + 3 * photos, "every photo has its three renditions");

    for index in 0..archive.len() {
        let entry = archive.by_index(index)?;
        let path = entry.name()?.into_owned();
        assert_eq!(entry.compression(), zip::CompressionMethod::Stored, "{path}: it would not become smaller");
        let name = path.rsplit('/').next().unwrap_or(&path);
        let original =
            expected.remove(name).with_context(|| format!("{path} is not from the batch, or is there twice"))?;
        // Reading to the end checks the entry's CRC-32 too.
        assert!(same(entry, File::open(original)?).with_context(|| path.clone())?, "{path} has other bytes");
    }
    assert!(expected.is_empty(), "not in the archive: {:?}", expected.keys());
    Ok(())
}
