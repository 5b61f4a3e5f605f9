//! The probe: what a file is, from its headers.

use std::convert::Infallible;
use std::io::Cursor;

use stage_probe::{Format, Probe, ProbeError, Reader, SNIFF_BYTES, Source, describe, probe, sniff, verify_end};

use crate::memory::peak_of;

/// The most memory of a probe, in bytes: its window, and one piece while a file's end is searched.
const MOST_MEMORY: usize = 1 << 20;

/// A file in memory that counts its reads.
struct Watched<'a> {
    bytes: &'a [u8],
    largest: usize,
    reads: usize,
}

impl Source for Watched<'_> {
    type Error = Infallible;

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, Infallible> {
        self.largest = self.largest.max(len);
        self.reads += 1;
        Source::read(&mut self.bytes, offset, len)
    }
}

type Answer = Result<Probe, ProbeError<Infallible>>;

/// Any bytes give an answer or an error with a place within the file, by few and small reads. A file on a disk is read
/// like one in memory. Bytes after a complete file change nothing, and a cut file is never complete with another answer; only
/// a PNG without its last chunks may be complete and not turned.
pub fn check(bytes: &[u8]) {
    let mut file = Watched { bytes, largest: 0, reads: 0 };
    let ((answer, whole), peak) = peak_of(|| answers(&mut file));
    assert!(file.largest <= 256 * 1024, "a read of {} bytes", file.largest);
    assert!(file.reads <= 2 * 1024 + 16, "{} reads", file.reads);
    assert!(peak <= MOST_MEMORY, "{peak} bytes of memory");
    let first = bytes.get(..SNIFF_BYTES).unwrap_or(bytes);
    assert!(!describe(first).is_empty());
    match &answer {
        Ok(found) => is_sound(found, first),
        Err(ProbeError::Truncated { offset, .. }) => assert!(*offset <= bytes.len() as u64, "cut off after the end"),
        Err(ProbeError::NotRecognised { .. }) => assert_eq!(sniff(first), None),
        Err(other) => assert!(!other.to_string().is_empty()),
    }
    same_from_a_disk(bytes, &answer);
    if let (Ok(found), true) = (&answer, whole) {
        more_bytes_change_nothing(bytes, found);
        a_cut_file_is_not_another_file(bytes, found);
    }
}

/// Returns the answer, and whether the file is complete.
fn answers<S: Source>(source: &mut S) -> (Result<Probe, ProbeError<S::Error>>, bool) {
    let answer = probe(source);
    let whole = answer.as_ref().is_ok_and(|found| verify_end(source, found).is_ok());
    (answer, whole)
}

fn is_sound(found: &Probe, first: &[u8]) {
    assert_eq!(sniff(first), Some(found.format));
    assert_eq!(Format::from_mime(found.format.mime()), Some(found.format));
    assert!((1..=8).contains(&found.orientation), "the orientation {}", found.orientation);
    assert!(found.pixels.is_none_or(|pixels| pixels.count() > 0), "no pixels");
}

fn same_from_a_disk(bytes: &[u8], answer: &Answer) {
    let Ok(mut reader) = Reader::new(Cursor::new(bytes)) else { return };
    match (probe(&mut reader), answer) {
        (Ok(one), Ok(other)) => assert_eq!(one, *other),
        (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
        (one, other) => panic!("{one:?} from a disk, {other:?} from memory"),
    }
}

/// Everything but the offset of the content, which is the file's end if the last box has no length of its own.
fn said(probe: &Probe) -> impl PartialEq + std::fmt::Debug {
    let Probe { format, pixels, orientation, duration_ms, has_audio, progressive, .. } = probe.clone();
    (format, pixels, orientation, duration_ms, has_audio, progressive)
}

/// Returns whether a file of this format consists of boxes (ISO/IEC 14496-12).
fn has_boxes(format: Format) -> bool {
    matches!(format, Format::Heic | Format::Avif | Format::Mp4 | Format::QuickTime)
}

fn more_bytes_change_nothing(bytes: &[u8], found: &Probe) {
    let longer = [bytes, &[0; 16]].concat();
    let (answer, whole) = answers(&mut longer.as_slice());
    match answer {
        Ok(longer) => assert_eq!(said(&longer), said(found), "with 16 more bytes"),
        // The last box may have been cut off by the end of the file, and then goes on in the new bytes.
        Err(_) if has_boxes(found.format) => return,
        Err(error) => panic!("with 16 more bytes it is refused: {error}"),
    }
    assert!(whole, "16 more bytes make it incomplete");
}

/// Returns width and height before the picture is turned.
fn stored(probe: &Probe) -> Option<(u32, u32)> {
    let turned = (5..=8).contains(&probe.orientation);
    probe.pixels.map(|size| if turned { (size.height, size.width) } else { (size.width, size.height) })
}

fn a_cut_file_is_not_another_file(bytes: &[u8], found: &Probe) {
    // A box of length 0 reaches to the end of the file, wherever that is.
    if has_boxes(found.format) {
        return;
    }
    for kept in [bytes.len() - 1, bytes.len() / 2, bytes.len() / 3] {
        let cut = bytes.get(..kept).unwrap_or_default();
        if let (Ok(other), true) = answers(&mut &*cut) {
            // The EXIF of a PNG may come after its data, and then nothing shows that it was cut off.
            if found.format == Format::Png && other.orientation == 1 && stored(&other) == stored(found) {
                continue;
            }
            assert_eq!(other, *found, "cut to {kept} bytes, it is complete and different");
        }
    }
}
