//! The directories of archives, read in ranges.

use std::io::{Cursor, Write as _};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::memory::Memory;
use crate::archive::{ArchiveListing, listing};
use crate::source::error::SourceError;

const KEY: &str = "51/zip/batch-5/complete.zip";

/// Reads the archive with these bytes. Returns what is in it, and the ranges that were read.
async fn read(bytes: Vec<u8>) -> (Result<ArchiveListing, SourceError>, Vec<String>) {
    let memory = Memory::default();
    memory.objects.lock().unwrap().insert(KEY.into(), (Some("application/zip".into()), bytes));
    let listing = listing(&memory, KEY).await;
    let ranges = memory.ranges.lock().unwrap().clone();
    (listing, ranges)
}

/// Makes an archive of files with these names, each of `length` bytes.
fn archive(names: impl IntoIterator<Item = String>, length: usize) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for name in names {
        archive.start_file(name, stored).unwrap();
        archive.write_all(&vec![7; length]).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[tokio::test]
async fn a_directory_in_the_tail_takes_one_range_and_a_longer_one_more() {
    let (small, ranges) = read(archive(["a.jpg".into(), "b/c.jpg".into()], 100_000)).await;
    let small = small.unwrap();
    let entries: Vec<_> = small.entries.iter().map(|entry| (entry.name.as_str(), entry.bytes)).collect();
    assert_eq!((entries, small.all), (vec![("a.jpg", 100_000), ("b/c.jpg", 100_000)], 2));
    assert_eq!(ranges, ["bytes=-73728"]);

    let names = (0..2_000).map(|number| format!("{}/room-{number}.jpg", "long".repeat(20)));
    let (large, ranges) = read(archive(names, 1)).await;
    let large = large.unwrap();
    assert_eq!((large.entries.len(), large.all), (1_000, 2_000));
    assert!(large.entries[999].name.ends_with("/room-999.jpg"));
    assert!((2..=3).contains(&ranges.len()), "{ranges:?}");
}

#[tokio::test]
async fn a_directory_of_the_large_format_is_read() {
    // More than 65,535 entries need ZIP64 (APPNOTE.TXT, section 4.4.1.4).
    let (large, ranges) = read(archive((0..70_000).map(|number| number.to_string()), 0)).await;
    assert_eq!(large.unwrap().all, 70_000);
    assert!((2..=3).contains(&ranges.len()), "{ranges:?}");
}

#[tokio::test]
async fn what_is_not_an_archive_is_refused_with_a_reason_and_a_bounded_number_of_ranges() {
    let good = archive(["a.jpg".into()], 100_000);
    assert!(read(good.clone()).await.0.is_ok());
    let mut endless = good.clone();
    endless.extend(vec![0; 9 << 20]);
    for bytes in [Vec::new(), b"<html>".to_vec(), vec![0; 200_000], good[..good.len() - 30].to_vec(), endless] {
        let length = bytes.len();
        let (refused, ranges) = read(bytes).await;
        assert!(matches!(refused, Err(SourceError::Refused(_))), "{length}: {refused:?}");
        assert!(ranges.len() <= 3, "{ranges:?}");
    }
    let (no_archive, _) = read(vec![0; 200_000]).await;
    assert!(no_archive.unwrap_err().to_string().contains("no archive that can be read"));
}

#[tokio::test]
async fn an_archive_whose_end_leads_anywhere_is_read_in_a_bounded_number_of_ranges() {
    let good = archive(["a.jpg".into()], 100_000);
    for place in [0, 7, 50_000, u32::MAX] {
        for size in [0, 46, u32::MAX] {
            let mut bytes = good.clone();
            // Length and place of the directory in the record at the end (APPNOTE.TXT, section 4.3.16).
            let at = bytes.len() - 10;
            bytes[at..at + 4].copy_from_slice(&size.to_le_bytes());
            bytes[at + 4..at + 8].copy_from_slice(&place.to_le_bytes());
            let (listing, ranges) = read(bytes).await;
            assert!(ranges.len() <= 3, "{place} {size}: {ranges:?}");
            if let Ok(listing) = listing {
                assert!(listing.entries.iter().all(|entry| entry.name == "a.jpg"), "{place} {size}");
            }
        }
    }
}
