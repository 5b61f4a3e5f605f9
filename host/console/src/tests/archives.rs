//! The directories of archives, read in ranges.

use std::collections::BTreeSet;
use std::io::{Cursor, Write as _};

use proptest::collection::{btree_set, vec};
use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

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

#[tokio::test]
async fn an_archive_that_declares_more_entries_than_it_can_have_reserves_no_memory_for_them() {
    let (directory, end) = (250_000_u64, 300_000_u64);
    let mut bytes = vec![0; 300_000];
    // The record of the large format, its locator, and the end that refers to them (APPNOTE.TXT, sections 4.3.14 to 4.3.16).
    bytes.extend(b"PK\x06\x06");
    bytes.extend([&44_u64.to_le_bytes()[..], &[45, 0, 45, 0], &[0; 8]].concat());
    for number in [200_000, 200_000, 1 << 40, directory] {
        bytes.extend(u64::to_le_bytes(number));
    }
    bytes.extend(b"PK\x06\x07");
    bytes.extend([&[0; 4][..], &end.to_le_bytes(), &[1, 0, 0, 0]].concat());
    bytes.extend(b"PK\x05\x06");
    bytes.extend([&[0; 4][..], &[255; 12], &[0; 2]].concat());
    let (refused, ranges) = read(bytes).await;
    assert!(refused.unwrap_err().to_string().contains("longer than 8 MiB"));
    assert_eq!(ranges.len(), 1);
}

#[tokio::test]
async fn of_a_long_name_the_beginning_is_kept() {
    let (long, _) = read(archive(["ä".repeat(20_000)], 1)).await;
    let name = &long.unwrap().entries[0].name;
    assert!(name.len() <= 512 && name.starts_with("ää") && name.ends_with('…'), "{name}");
}

proptest! {
    #[test]
    fn any_archive_has_what_the_library_finds_in_the_whole(
        names in btree_set("[a-zäß☃ _-]{1,60}(\\.jpg)?", 0..300),
        comment in vec(any::<u8>(), 0..400),
        before in 0_usize..200_000,
        cut in 0_usize..400,
    ) {
        let made = archive(names.iter().cloned(), 3);
        // A program in front of an archive makes it unpack itself.
        let mut bytes = vec![b'#'; before];
        bytes.extend(&made[..made.len() - 2]);
        bytes.extend(u16::try_from(comment.len()).unwrap().to_le_bytes());
        bytes.extend(&comment);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (listing, ranges) = runtime.block_on(read(bytes.clone()));
        prop_assert!(ranges.len() <= 3, "{:?}", ranges);
        match ZipArchive::new(Cursor::new(&bytes)) {
            Ok(whole) => {
                let listing = listing.unwrap();
                let found: BTreeSet<String> = listing.entries.iter().map(|entry| entry.name.clone()).collect();
                prop_assert_eq!(found, whole.file_names().map(|name| name.unwrap().into_owned()).collect::<BTreeSet<_>>());
                prop_assert_eq!(listing.all, whole.len());
            }
            Err(_) => prop_assert!(listing.is_err()),
        }
        // Whatever is left of it, there is an answer.
        let (_, ranges) = runtime.block_on(read(bytes[..bytes.len().saturating_sub(cut)].to_vec()));
        prop_assert!(ranges.len() <= 3, "{:?}", ranges);
    }
}
