//! The largest batch that is taken goes through a host of bounded memory, and its archive is right to the last byte. An
//! earlier system built archives in one buffer and died on real batches.
//!
//! By default the sixty files have 64 MiB in all, so that everybody can run it; with `STAGEHOST_LARGE=1` they have the
//! full GiB, and then the limit on memory says the most.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use stagehost_tests::{binary, file};

const FILES: usize = 60;
const PHOTOS: [&str; 5] = ["front.jpg", "kitchen.jpg", "living-room.jpg", "evening-view.jpg", "staircase.jpg"];
/// What the host may have resident at most, in KiB.
const MOST_RESIDENT_KIB: u64 = 512 * 1024;
/// The most that a JPEG segment holds: its length counts itself in, in 16 bits.
const SEGMENT: usize = 65_533;

/// Bytes that do not compress and are the same every time (xorshift64).
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            bytes.extend_from_slice(&self.0.to_le_bytes());
        }
        bytes.truncate(count);
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
    let mut noise = Noise(0x5eed);
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

/// Waits for a process and gives its exit code and the most that it ever had resident, in KiB: the kernel keeps the mark,
/// so looking now and then is enough.
fn watch(mut child: Child) -> Result<(Option<i32>, u64)> {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        // A process that has ended but was not waited for has no such line any more.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = peak.max(line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0));
        if let Some(ended) = child.try_wait()? {
            return Ok((ended.code(), peak));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
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
fn sixty_large_files_go_through_within_512_mib_and_their_archive_is_right() -> Result<()> {
    let full = std::env::var("STAGEHOST_LARGE").is_ok_and(|value| value == "1");
    let total: usize = if full { 1 << 30 } else { 64 << 20 };
    let folder = tempfile::tempdir()?;
    let sources = make_listing(&folder.path().join("listing"), total)?;
    let (out, result) = (folder.path().join("out"), folder.path().join("result.json"));

    let child = Command::new(binary())
        .args(["run", "--json", "--quiet", "--out"])
        .args([&out, &folder.path().join("listing")])
        .stdout(Stdio::from(File::create(&result)?))
        .spawn()
        .context("starting stagehost")?;
    let (code, peak_kib) = watch(child)?;
    let result: Value = serde_json::from_slice(&std::fs::read(&result)?)?;
    println!("{} MiB in {FILES} files: at most {} MiB resident, {}", total >> 20, peak_kib >> 10, result["timings"]);
    assert_eq!((code, &result["status"]), (Some(0), &json!("SUCCEEDED")), "{result:#}");
    assert!(peak_kib > 0, "the memory of the host was never seen");
    assert!(peak_kib < MOST_RESIDENT_KIB, "the host had {} MiB resident", peak_kib >> 10);

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
        assert_eq!(entry.compression(), zip::CompressionMethod::Stored, "{path}: it would not get any smaller");
        let name = path.rsplit('/').next().unwrap_or(&path);
        let original =
            expected.remove(name).with_context(|| format!("{path} is none of the batch's, or there twice"))?;
        // Reading to the end checks the entry's CRC-32 too.
        assert!(same(entry, File::open(original)?).with_context(|| path.clone())?, "{path} has other bytes");
    }
    assert!(expected.is_empty(), "not in the archive: {:?}", expected.keys());
    Ok(())
}
