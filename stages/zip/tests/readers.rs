//! The stage's archives are opened by independent readers.
//!
//! The `zip` crate always reads along, and so do the command-line tools that are installed.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;
use stage_zip::archive::{Archive, DosDate, Entry, Part};
use stage_zip::names::Names;
use stagehost_needs::{self as needs, Need};
use zip::ZipArchive;

/// Returns the entries of files with any names, made safe and unique as the stage does it.
fn entries(files: &[(String, Vec<u8>)]) -> Vec<Entry> {
    let mut names = Names::new();
    files
        .iter()
        .map(|(name, bytes)| Entry {
            name: names.claim(&["photo", "vertical"], name),
            bytes: bytes.len() as u64,
            crc32: crc32fast::hash(bytes),
            date: DosDate::parse("2025-11-27").unwrap(),
        })
        .collect()
}

/// Composes an archive in memory from its parts.
fn compose(entries: &[Entry], files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let archive = Archive::new(entries);
    let mut out = Vec::new();
    for part in archive.parts() {
        match part {
            Part::Bytes(bytes) => out.extend(bytes),
            Part::File(index) => out.extend(&files[index].1),
        }
    }
    assert_eq!(out.len() as u64, archive.bytes());
    out
}

/// Reads the whole archive with the `zip` crate, which checks every CRC-32.
fn read_back(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut reader = ZipArchive::new(Cursor::new(archive)).unwrap();
    (0..reader.len())
        .map(|index| {
            let mut file = reader.by_index(index).unwrap();
            assert_eq!(file.compression(), zip::CompressionMethod::Stored);
            assert_eq!(file.unix_mode(), Some(0o100_644));
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).unwrap();
            (file.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

/// The tools that can test an archive, and their arguments.
const TOOLS: [(&Need, &[&str]); 5] = [
    (&needs::UNZIP, &["-tqq"]),
    (&needs::SEVEN_ZIP, &["t", "-bd"]),
    (&needs::BSDTAR, &["-tf"]),
    (&needs::BUSYBOX, &["unzip", "-t"]),
    (&needs::PYTHON3, &["-c", "import sys,zipfile; sys.exit(zipfile.ZipFile(sys.argv[1]).testzip() is not None)"]),
];

/// Tests the archive at `path` with every installed tool.
fn test_with_tools(path: &Path) {
    for (need, arguments) in TOOLS.into_iter().filter(|(need, _)| needs::program(need)) {
        let tool = need.name;
        // With a UTF-8 locale, names with non-ASCII letters are accepted on every machine.
        let output = Command::new(tool).args(arguments).arg(path).env("LC_ALL", "C.UTF-8").output().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{tool} {}: {}", path.display(), &printed[..printed.len().min(2_000)]);
        println!("{tool}: accepts {}", path.display());
    }
}

fn on_disk(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".zip").tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file.flush().unwrap();
    file
}

/// Names that have broken programs, and those of a public list if it is there.
fn naughty_names() -> Vec<String> {
    let own = [
        "",
        ".",
        "..",
        "../../etc/passwd",
        "C:\\x",
        "\\\\server\\share",
        "CON",
        "nul.jpg",
        "a\0b",
        "a\nb",
        "a:b",
        "~",
        "-rf",
        "*",
        "?",
        "\"",
        "<script>",
        "|",
        "a/",
        "/a",
        " a ",
        "a.",
        "IMG.jpg",
        "img.JPG",
        "IMG.jpg",
        "Ω≈ç√∫˜µ≤≥÷",
        "田中さん",
        "👾🙇",
        "Z̮̞̠͙͔ͅa̴l͉g͝o",
        "\u{202e}txt.exe",
        "\u{feff}bom",
        "e\u{301}",
        "é",
        "%s%n",
        "$HOME",
        "`id`",
    ];
    let mut names: Vec<String> = own.iter().map(|name| (*name).to_owned()).collect();
    names.push("x".repeat(5_000) + ".jpg");
    if let Some(list) = stagehost_needs::media("naughty-strings.txt") {
        names.extend(String::from_utf8_lossy(&std::fs::read(list).unwrap()).lines().map(str::to_owned));
    }
    names
}

#[test]
fn every_reader_opens_an_archive_of_naughty_names() {
    let files: Vec<(String, Vec<u8>)> =
        naughty_names().into_iter().enumerate().map(|(index, name)| (name, vec![index as u8; index])).collect();
    let entries = entries(&files);
    let archive = compose(&entries, &files);
    let expected: Vec<_> =
        std::iter::zip(&entries, &files).map(|(entry, file)| (entry.name.clone(), file.1.clone())).collect();
    assert_eq!(read_back(&archive), expected);
    let file = on_disk(&archive);
    test_with_tools(file.path());

    // Extracted, they are as many files as there are names, and all in the directory.
    let directory = tempfile::tempdir().unwrap();
    let script = "import sys,zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])";
    if needs::program(&needs::PYTHON3) {
        let unpack = Command::new("python3").args(["-c", script]).arg(file.path()).arg(directory.path()).status();
        assert!(unpack.unwrap().success());
        let extracted = std::fs::read_dir(directory.path().join("photo/vertical")).unwrap().count();
        assert_eq!(extracted, files.len());
    }
}

#[test]
fn every_reader_opens_an_archive_of_seventy_thousand_files() {
    let files: Vec<(String, Vec<u8>)> =
        (0..70_000_u32).map(|index| (format!("{index}.jpg"), index.to_le_bytes().to_vec())).collect();
    let entries = entries(&files);
    let archive = compose(&entries, &files);
    let read = read_back(&archive);
    assert_eq!(read.len(), 70_000);
    assert_eq!(read[69_999], ("photo/vertical/69999.jpg".to_owned(), 69_999_u32.to_le_bytes().to_vec()));
    test_with_tools(on_disk(&archive).path());
}

/// A composed archive whose files consist of zeros that are not stored.
struct Sparse {
    parts: BTreeMap<u64, Vec<u8>>,
    length: u64,
    at: u64,
}

impl Sparse {
    fn compose(entries: &[Entry]) -> Self {
        let mut sparse = Sparse { parts: BTreeMap::new(), length: 0, at: 0 };
        for part in Archive::new(entries).parts() {
            match part {
                Part::Bytes(bytes) => {
                    let length = bytes.len() as u64;
                    sparse.parts.insert(sparse.length, bytes);
                    sparse.length += length;
                }
                Part::File(index) => sparse.length += entries[index].bytes,
            }
        }
        sparse
    }
}

impl Read for Sparse {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let left = self.length.saturating_sub(self.at).min(out.len() as u64) as usize;
        let before = self.parts.range(..=self.at).next_back();
        let length = match before {
            Some((start, bytes)) if self.at < start + bytes.len() as u64 => {
                let rest = &bytes[(self.at - start) as usize..];
                let length = rest.len().min(left);
                out[..length].copy_from_slice(&rest[..length]);
                length
            }
            _ => {
                let next = self.parts.range(self.at + 1..).next().map_or(self.length, |(start, _)| *start);
                let length = left.min((next - self.at) as usize);
                out[..length].fill(0);
                length
            }
        };
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for Sparse {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = target.ok_or(std::io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// Returns the CRC-32 of `length` zeros, combined from halves.
fn crc32_of_zeros(length: u64) -> u32 {
    let mut power = crc32fast::Hasher::new();
    power.update(&[0]);
    let mut all = crc32fast::Hasher::new();
    for bit in 0..64 - length.leading_zeros() {
        if length >> bit & 1 == 1 {
            all.combine(&power);
        }
        let half = power.clone();
        power.combine(&half);
    }
    all.finalize()
}

#[test]
fn every_reader_opens_an_archive_of_more_than_four_gibibytes() {
    const GIB: u64 = 1 << 30;
    let entry =
        |name: &str, bytes| Entry { name: name.to_owned(), bytes, crc32: crc32_of_zeros(bytes), date: DosDate::EPOCH };
    assert_eq!(crc32_of_zeros(1_000_003), crc32fast::hash(&vec![0; 1_000_003]));
    // Lengths around the largest 32-bit number, which marks a 64-bit one, and a small file after them.
    let entries = [
        entry("below.mp4", 0xffff_fffe),
        entry("at.mp4", 0xffff_ffff),
        entry("above.mp4", 4 * GIB + 5),
        entry("small.jpg", 1_234),
    ];
    let mut sparse = Sparse::compose(&entries);
    assert_eq!(sparse.length, Archive::new(&entries).bytes());

    // A file with holes for the tools, which read the last file's bytes, after all others.
    let file = tempfile::Builder::new().suffix(".zip").tempfile().unwrap();
    file.as_file().set_len(sparse.length).unwrap();
    for (start, bytes) in &sparse.parts {
        (&mut file.as_file()).seek(SeekFrom::Start(*start)).unwrap();
        file.as_file().write_all(bytes).unwrap();
    }
    for (need, arguments) in [
        (&needs::UNZIP, &["-p"][..]),
        (&needs::SEVEN_ZIP, &["e", "-so", "-bd"]),
        (&needs::PYTHON3, &["-c", PYTHON_READ]),
    ] {
        if needs::program(need) {
            let tool = need.name;
            let output = Command::new(tool).args(arguments).arg(file.path()).arg("small.jpg").output().unwrap();
            assert!(output.status.success(), "{tool}: {}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(output.stdout, vec![0; 1_234], "{tool}");
            println!("{tool}: reads after 12 GiB");
        }
    }

    let mut reader = ZipArchive::new(&mut sparse).unwrap();
    for (index, entry) in entries.iter().enumerate() {
        let file = reader.by_index(index).unwrap();
        assert_eq!((&*file.name().unwrap(), file.size(), file.crc32()), (&*entry.name, entry.bytes, entry.crc32));
    }
    let mut last = Vec::new();
    reader.by_name("small.jpg").unwrap().read_to_end(&mut last).unwrap();
    assert_eq!(last, vec![0; 1_234]);
}

const PYTHON_READ: &str = "import sys,zipfile; z=zipfile.ZipFile(sys.argv[1]); \
    assert [i.file_size for i in z.infolist()]==[0xfffffffe,0xffffffff,(4<<30)+5,1234]; \
    sys.stdout.buffer.write(z.read(sys.argv[2]))";

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_names_and_contents_are_read_back(
        files in prop::collection::vec((any::<String>(), prop::collection::vec(any::<u8>(), 0..300)), 0..40)
    ) {
        let entries = entries(&files);
        let read = read_back(&compose(&entries, &files));
        prop_assert_eq!(read.len(), files.len());
        for ((name, bytes), (entry, file)) in std::iter::zip(read, std::iter::zip(&entries, &files)) {
            prop_assert_eq!(&name, &entry.name);
            prop_assert_eq!(&bytes, &file.1);
        }
    }
}
