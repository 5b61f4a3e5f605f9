//! The directory of an archive, as the console reads it: from the archive's end, in ranges.

use std::io::Cursor;

use bytes::Bytes;
use zip::ZipArchive;

use crate::memory::peak_of;

// The files themselves: their crate needs the AWS SDK, which takes minutes to compile.
#[allow(dead_code)]
#[path = "../../../../host/console/src/archive/directory.rs"]
mod directory;
#[path = "../../../../host/console/src/archive/window.rs"]
mod window;

use directory::{ArchiveListing, Directory, KEPT, LONGEST_NAME, Part, RANGES, Refusal, Step};

/// The most memory, in bytes: what the library reserves for as many entries as a directory of 8 MiB can declare.
const MOST_MEMORY: usize = 128 << 20;

/// A directory that is read in ranges is the one of the whole archive, or it is refused; few ranges are read, each in the archive
/// and directly in front of what is known; memory is bounded, whatever the archive declares. The first byte decides how much of
/// the end is read at first; the others are the archive.
pub fn check(bytes: &[u8]) {
    let Some((tail, archive)) = bytes.split_first() else { return };
    let (in_ranges, peak) = peak_of(|| read(archive, 22 + 8 * usize::from(*tail)));
    assert!(peak <= MOST_MEMORY + 64 * archive.len(), "{peak} bytes for an archive of {}", archive.len());
    let whole = read(archive, archive.len());
    match (&in_ranges, &whole) {
        (Ok(in_ranges), Ok(whole)) => assert_eq!(in_ranges, whole),
        // What is in front of the directory was not looked at.
        (Ok(_), Err(Refusal::TooLong)) | (Err(_), Err(_)) => {}
        (Err(Refusal::TooLong | Refusal::Elsewhere), Ok(_)) => {}
        (Err(why @ Refusal::NoArchive(_)), Ok(_)) => panic!("refused in ranges only: {why}"),
        (Ok(_), Err(why)) => panic!("refused as a whole only: {why}"),
    }
    if let Ok(listing) = &whole {
        is_as_the_library_has_it(listing, archive);
    }
}

/// Reads the directory of an archive, of which the last `tail` bytes are given first.
fn read(archive: &[u8], tail: usize) -> Result<ArchiveListing, Refusal> {
    let mut known = archive.len().saturating_sub(tail);
    let part =
        |start: usize, end: usize| Part { start: start as u64, bytes: Bytes::copy_from_slice(&archive[start..end]) };
    let mut directory = Directory::default();
    let mut next = part(known, archive.len());
    for _ in 0..RANGES {
        match directory.add(next)? {
            Step::Done(listing) => return Ok(listing),
            Step::Read { from, count } => {
                assert!(count > 0 && from + count == known as u64, "{count} bytes from {from}, and {known} is known");
                let start = usize::try_from(from).unwrap_or(usize::MAX);
                next = part(start, known);
                known = start;
            }
        }
    }
    panic!("more than {RANGES} ranges are asked for");
}

fn is_as_the_library_has_it(listing: &ArchiveListing, archive: &[u8]) {
    let mut reader = match ZipArchive::new(Cursor::new(archive)) {
        Ok(reader) => reader,
        Err(error) => panic!("not opened: {error}"),
    };
    assert_eq!(listing.all, reader.len());
    assert_eq!(listing.entries.len(), reader.len().min(KEPT));
    for (at, entry) in listing.entries.iter().enumerate() {
        assert!(entry.name.len() <= LONGEST_NAME, "{} bytes", entry.name.len());
        // An entry of a kind that cannot be unpacked is listed too.
        if let Ok(file) = reader.by_index_raw(at) {
            assert_eq!(entry.bytes, file.size());
            if let (Ok(name), true) = (file.name(), entry.name.len() < LONGEST_NAME - 3) {
                assert_eq!(entry.name, name);
            }
        }
    }
}
