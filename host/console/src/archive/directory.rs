//! The directory of a ZIP archive, read from the archive's end (APPNOTE.TXT, section 4.3.6: it is the last part of the file).
//!
//! Nothing here reads anything: [`Directory`] says which bytes it needs, and is given them.

use bytes::{Bytes, BytesMut};
use zip::ZipArchive;

use super::window::FileEnd;

/// The longest directory that is read, in bytes.
pub(super) const LONGEST: u64 = 8 << 20;

/// How often bytes are asked for. A directory that begins before the tail takes two.
pub(super) const RANGES: usize = 3;

/// How many entries are kept.
pub(super) const KEPT: usize = 1_000;

/// The longest name that is kept, in bytes; a format of 64 KiB allows 65,535.
pub(super) const LONGEST_NAME: usize = 512;

/// The shortest header of an entry, in bytes (APPNOTE.TXT, section 4.3.12).
const SHORTEST_HEADER: u64 = 46;

/// How the record at the end of an archive of the large format begins (APPNOTE.TXT, section 4.3.14).
const LARGE_FORMAT: [u8; 4] = *b"PK\x06\x06";

/// A file in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveEntry {
    /// Its name, which anybody may have chosen.
    pub name: String,
    /// Its length, in bytes.
    pub bytes: u64,
}

/// What is in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveListing {
    /// The first files, in the order of the directory.
    pub entries: Vec<ArchiveEntry>,
    /// How many there are.
    pub all: usize,
}

/// Bytes of an archive, and where they begin.
pub(super) struct Part {
    pub(super) start: u64,
    pub(super) bytes: Bytes,
}

/// What comes next.
pub(super) enum Step {
    /// `count` bytes are needed, from this place to the bytes that are known.
    Read { from: u64, count: u64 },
    /// The directory was read.
    Done(ArchiveListing),
}

/// Why a directory is not read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// The bytes are none of an archive.
    #[error("it is no archive that can be read: {0}")]
    NoArchive(String),
    /// It is too long, or something else is in its place.
    #[error("its directory is longer than {} MiB, or it is no archive", LONGEST >> 20)]
    TooLong,
    /// The places in the archive lead further and further back.
    #[error("its directory is not where the archive says")]
    Elsewhere,
}

/// A directory that is being read.
#[derive(Default)]
pub(super) struct Directory {
    /// All bytes of the archive from a place on.
    known: Option<Part>,
    parts: usize,
}

impl Directory {
    /// Takes the last bytes of the archive and, afterwards, what was asked for.
    pub(super) fn add(&mut self, part: Part) -> Result<Step, Refusal> {
        let known = match self.known.take() {
            Some(end) => joined(&part, &end)?,
            None => part,
        };
        self.parts += 1;
        if declares_too_many(&known.bytes) {
            return Err(Refusal::TooLong);
        }
        let (window, missed) = FileEnd::new(known.start, known.bytes.clone());
        let read = entries(window);
        let Some(from) = missed.at() else { return read.map(Step::Done).map_err(Refusal::NoArchive) };
        // Bytes were missing, so what was found without them may be another directory than the archive's.
        let count = known.start.saturating_sub(from);
        if count == 0 || count.saturating_add(known.bytes.len() as u64) > LONGEST {
            return Err(Refusal::TooLong);
        }
        if self.parts >= RANGES {
            return Err(Refusal::Elsewhere);
        }
        self.known = Some(known);
        Ok(Step::Read { from, count })
    }
}

fn joined(part: &Part, end: &Part) -> Result<Part, Refusal> {
    if part.start.checked_add(part.bytes.len() as u64) != Some(end.start) {
        return Err(Refusal::Elsewhere);
    }
    let mut bytes = BytesMut::with_capacity(part.bytes.len() + end.bytes.len());
    bytes.extend_from_slice(&part.bytes);
    bytes.extend_from_slice(&end.bytes);
    Ok(Part { start: part.start, bytes: bytes.freeze() })
}

/// Returns whether a record of the large format declares more entries than a directory that is read can have. The library
/// reserves memory for the declared number before it reads the first of them.
fn declares_too_many(bytes: &[u8]) -> bool {
    let records = bytes.windows(LARGE_FORMAT.len()).enumerate().filter(|(_, four)| *four == LARGE_FORMAT);
    records.filter_map(|(at, _)| bytes.get(at + 32..at + 40)?.try_into().ok().map(u64::from_le_bytes)).any(
        // The number of entries in the whole archive is 32 bytes behind the beginning of the record.
        |count| count > LONGEST / SHORTEST_HEADER,
    )
}

fn entries(window: FileEnd) -> Result<ArchiveListing, String> {
    let archive = ZipArchive::new(window).map_err(|error| error.to_string())?;
    let metadata = archive.metadata();
    let entries = (0..metadata.len().min(KEPT)).map(|at| {
        let entry = metadata.entry(at).map_err(|error| error.to_string())?;
        let name = match entry.name() {
            Ok(name) => clipped(&name),
            Err(_) => clipped(&String::from_utf8_lossy(entry.name_raw())),
        };
        Ok(ArchiveEntry { name, bytes: entry.size() })
    });
    Ok(ArchiveListing { entries: entries.collect::<Result<_, String>>()?, all: metadata.len() })
}

/// Returns a name, or the beginning of a long one.
fn clipped(name: &str) -> String {
    match name.len() > LONGEST_NAME {
        true => format!("{}…", &name[..name.floor_char_boundary(LONGEST_NAME - '…'.len_utf8())]),
        false => name.to_owned(),
    }
}
