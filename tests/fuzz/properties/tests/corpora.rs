//! The corpora of the fuzz targets and the media collection, against the same properties, without a fuzzer.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use stagehost_properties::{Check, TARGETS, exif, jpeg, pictures, probe};

/// The number of changed copies of each file of a corpus.
const CHANGED: usize = 60;
/// The most bytes of all corpora together.
const MOST_BYTES: u64 = 200_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect()
}

/// Numbers that are the same in every run: xorshift64.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Returns a copy with one to four changes: a byte set, a piece repeated, moved from another file, or cut off.
fn changed(seed: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len() + 1);
        let end = (at + 1 + numbers.below(16)).min(bytes.len());
        match numbers.below(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let from = numbers.below(other.len());
                let piece = other[from..(from + 16).min(other.len())].to_vec();
                drop(bytes.splice(at..end, piece));
            }
            _ if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff, b'"', b'$'][numbers.below(7)] ^ bytes[at] & 1,
            _ => bytes.push(numbers.below(256) as u8),
        }
    }
    bytes
}

fn holds_for_the_corpus(name: &str, check: Check) {
    let seeds: Vec<(PathBuf, Vec<u8>)> = files(&folder().join("corpus").join(name))
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    assert!(!seeds.is_empty(), "{name} has no corpus");
    check(b"");
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for (path, seed) in &seeds {
        println!("{}", path.display());
        check(seed);
        for _ in 0..CHANGED {
            let other = &seeds[numbers.below(seeds.len())].1;
            check(&changed(seed, other, &mut numbers));
        }
    }
}

macro_rules! corpora {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                holds_for_the_corpus(stringify!($name), stagehost_properties::$name::check);
            }
        )*

        #[test]
        fn every_target_has_its_property_its_file_and_its_corpus() {
            let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
            assert_eq!(targets, BTreeSet::from([$(stringify!($name).to_owned()),*]));
            assert_eq!(targets, names_in(&folder().join("fuzz_targets")));
            assert_eq!(targets, names_in(&folder().join("corpus")));
            let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
            for name in &targets {
                assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name} is not in Cargo.toml");
            }
            let bytes: u64 = files(&folder().join("corpus")).iter().map(|file| file.metadata().unwrap().len()).sum();
            assert!(bytes <= MOST_BYTES, "the corpora have {bytes} bytes");
        }
    };
}

corpora! {
    archive archive_directory batch chunked envelope exif expressions jpeg keys object_paths pictures pins probe states transcoding
}

/// Real and hostile files, whole and cut.
#[test]
fn the_media_collection() {
    let Some(collection) = stagehost_needs::media("") else { return };
    for path in files(&collection) {
        println!("{}", path.display());
        let bytes = std::fs::read(&path).unwrap();
        for end in [bytes.len(), bytes.len() / 2, bytes.len().min(4_000), bytes.len().min(300)] {
            probe::check(&bytes[..end]);
            // Large pictures take long, and their decoders have tests of their own.
            if end <= 400_000 {
                pictures::check(&bytes[..end]);
                exif::check(&bytes[..end]);
                jpeg::check(&bytes[..end.min(4_000)]);
            }
        }
    }
}

#[test]
fn naughty_strings() {
    let Some(list) = stagehost_needs::media("naughty-strings.txt") else { return };
    let list = std::fs::read(list).unwrap();
    let texts = TARGETS.iter().filter(|(name, _)| !["jpeg", "pictures", "exif"].contains(name));
    for (name, check) in texts {
        println!("{name}");
        check(&list);
        list.split(|byte| *byte == b'\n').for_each(check);
    }
}
