//! Any bytes give an answer or a typed error: no panic, no endless loop, no read larger than the window. Bytes that are
//! nearly valid get deepest into the parsers, so most cases are complete files with a few bytes changed, cut or repeated.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use stage_probe::{Format, ProbeError, Reader, Source, describe, probe, sniff, verify_end};

/// A file that counts its reads.
struct Watched<'a> {
    bytes: &'a [u8],
    largest: usize,
    reads: usize,
}

impl Source for Watched<'_> {
    type Error = std::convert::Infallible;

    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, Self::Error> {
        self.largest = self.largest.max(len);
        self.reads += 1;
        Source::read(&mut self.bytes, offset, len)
    }
}

/// Probes `bytes` and checks what holds for every answer.
fn check(bytes: &[u8]) {
    let mut file = Watched { bytes, largest: 0, reads: 0 };
    let answer = probe(&mut file);
    if let Ok(found) = &answer {
        assert_eq!(sniff(bytes), Some(found.format));
        assert!((1..=8).contains(&found.orientation));
        assert!(found.pixels.is_none_or(|pixels| pixels.count() > 0));
        let _ = verify_end(&mut file, found);
    }
    if let Err(ProbeError::Truncated { offset, .. }) = answer {
        assert!(offset <= bytes.len() as u64, "truncated after the end");
    }
    assert!(file.largest <= 256 * 1024);
    assert!(file.reads <= 2 * 1024 + 16, "{} reads", file.reads);
    assert!(!describe(bytes).is_empty());
}

fn samples() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/listing");
    let mut names: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    // 20,000 bytes hold every header except those of the videos, which come last. Videos are kept whole.
    let shortened = |name: PathBuf| {
        let whole = std::fs::read(&name).unwrap();
        if name.extension().is_some_and(|extension| extension == "mp4") {
            return whole;
        }
        whole.get(..20_000).unwrap_or(&whole).to_vec()
    };
    names.into_iter().map(shortened).collect()
}

/// Returns a small, complete file of each format.
fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = samples();
    seeds.push(b"GIF89a\x40\x00\x30\x00\x00\x00\x00\x2c\0\0\0\0\x40\x00\x30\x00\x00\x02\x02\x4c\x01\x00\x3b".to_vec());
    seeds.push(
        b"II\x2a\0\x08\0\0\0\x02\0\0\x01\x03\0\x01\0\0\0\x40\0\0\0\x01\x01\x03\0\x01\0\0\0\x30\0\0\0\0\0\0\0".to_vec(),
    );
    seeds.push(
        b"\0\0\0\x14ftypheic\0\0\0\0mif1\0\0\0\x62meta\0\0\0\0\0\0\0\x0epitm\0\0\0\0\0\x01\
          \0\0\0\x48iprp\0\0\0\x25ipco\0\0\0\x14ispe\0\0\0\0\0\0\x01\x00\0\0\x00\x80\0\0\0\x09irot\x01\
          \0\0\0\x11ipma\0\0\0\0\0\0\0\x01\0\x01\x02\x81\x82"
            .to_vec(),
    );
    seeds
}

#[derive(Clone, Debug)]
enum Change {
    Set(usize, u8),
    Ones(usize, usize),
    Cut(usize),
    Repeat(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        6 => (0usize..2_000, any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        2 => (0usize..2_000, 1usize..9).prop_map(|(at, count)| Change::Ones(at, count)),
        1 => (0usize..20_000).prop_map(Change::Cut),
        1 => (0usize..2_000, 1usize..64).prop_map(|(at, count)| Change::Repeat(at, count)),
    ]
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    let place = |at: usize| at % bytes.len().max(1);
    match *change {
        _ if bytes.is_empty() => {}
        Change::Set(at, byte) => {
            let at = place(at);
            bytes[at] = byte;
        }
        Change::Ones(at, count) => {
            let at = place(at);
            let end = (at + count).min(bytes.len());
            bytes[at..end].fill(0xff);
        }
        Change::Cut(at) => bytes.truncate(at),
        Change::Repeat(at, count) => {
            let at = place(at);
            let piece = bytes[at..(at + count).min(bytes.len())].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        check(&bytes);
    }

    #[test]
    fn any_bytes_after_a_known_beginning_are_answered(
        beginning in prop::sample::select(vec![
            b"\xff\xd8\xff".as_slice(), b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"GIF89a", b"RIFF\xff\0\0\0WEBPVP8X", b"II*\0\x08\0\0\0",
            b"MM\0*\0\0\0\x08", b"\0\0\0\x0cftypheic\0\0\x01\0meta\0\0\0\0", b"\0\0\0\x0cftypisom\0\0\x01\0moov", b"%PDF-1.",
        ]),
        bytes in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        check(&[beginning, &bytes].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn files_with_a_few_wrong_bytes_are_answered(changes in prop::collection::vec(change(), 1..5)) {
        for mut bytes in seeds() {
            for change in &changes {
                apply(&mut bytes, change);
            }
            check(&bytes);
        }
    }
}

#[test]
fn every_seed_is_recognised() {
    let formats: std::collections::HashSet<_> = seeds().iter().filter_map(|seed| sniff(seed)).collect();
    let expected =
        [Format::Jpeg, Format::Png, Format::Gif, Format::WebP, Format::Tiff, Format::Heic, Format::Mp4, Format::Pdf];
    for format in expected {
        assert!(formats.contains(&format), "no seed for {format}");
    }
}

#[test]
fn a_file_cut_anywhere_is_answered() {
    for seed in seeds() {
        for end in 0..seed.len().min(3_000) {
            check(&seed[..end]);
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Real and hostile files.
#[test]
fn every_file_of_the_media_collection_is_answered() {
    let Some(folder) = stagehost_needs::media("") else { return };
    for path in files(&folder) {
        check(&std::fs::read(&path).unwrap());
        let mut source = Reader::new(std::fs::File::open(&path).unwrap()).unwrap();
        let answer = probe(&mut source);
        println!("{}: {answer:?}", path.display());
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let good = ["orientation", "photos", "video"].iter().any(|folder| path.parent().unwrap().ends_with(folder));
        if good && name != "LICENSE" {
            let found = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
            verify_end(&mut source, &found).unwrap_or_else(|error| panic!("{name}: {error}"));
            let numbered = name.strip_suffix(".jpg").and_then(|stem| stem.split_once('_'));
            if let Some((shape @ ("Landscape" | "Portrait"), number)) = numbered {
                assert_eq!(found.orientation.to_string(), number, "{name}");
                assert_eq!(found.pixels.unwrap().is_portrait(), shape == "Portrait", "{name}");
            }
        }
    }
}
