//! The archives of the zip stage, read back by an independent reader.

use std::collections::HashSet;
use std::io::{Cursor, Read as _};

use stage_zip::archive::{Archive, DosDate, Entry, Part};
use stage_zip::names::{Names, SEGMENT_LIMIT, safe_segment};
use zip::ZipArchive;

/// Files of any names and contents become an archive whose length is known before, and from which the `zip` crate reads
/// the same files. Every name is safe on every desktop, and no two are equal where case is ignored. Each line is one file:
/// its name, and after a tab its content.
pub fn check(bytes: &[u8]) {
    let mut names = Names::new();
    let mut files = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n').take(400) {
        let mut fields = line.splitn(2, |byte| *byte == b'\t');
        let (name, content) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let name = String::from_utf8_lossy(name);
        let segment = safe_segment(&name);
        is_safe(&segment);
        assert_eq!(safe_segment(&segment), segment, "made safe twice");
        files.push((names.claim(&["photo", &name], &name), content));
    }
    let mut seen = HashSet::new();
    for (name, _) in &files {
        name.split('/').for_each(is_safe);
        assert!(seen.insert(name.to_lowercase()), "{name:?} twice");
    }
    let entries: Vec<Entry> = files
        .iter()
        .map(|(name, content)| Entry {
            name: name.clone(),
            bytes: content.len() as u64,
            crc32: crc32fast::hash(content),
            date: DosDate::parse(&String::from_utf8_lossy(content)).unwrap_or(DosDate::EPOCH),
        })
        .collect();
    let written = composed(&entries, &files);
    assert_eq!(written, composed(&entries, &files), "composed twice");
    is_read_back(&written, &files);
}

/// The rules of the strictest desktop, written independently of the stage.
fn is_safe(segment: &str) {
    assert!(!matches!(segment, "" | "." | ".."), "{segment:?}");
    assert!(segment.len() <= SEGMENT_LIMIT, "{} bytes", segment.len());
    assert!(!segment.contains(['/', '<', '>', ':', '"', '\\', '|', '?', '*']), "{segment:?}");
    assert!(!segment.chars().any(char::is_control), "{segment:?}");
    assert!(!segment.ends_with(['.', ' ']) && !segment.starts_with(' '), "{segment:?}");
    let base = segment.split('.').next().unwrap_or_default().trim_end().to_uppercase();
    let device = match base.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" => true,
        _ => base
            .strip_prefix("COM")
            .or(base.strip_prefix("LPT"))
            .is_some_and(|port| ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "¹", "²", "³"].contains(&port)),
    };
    assert!(!device, "{segment:?} is a device");
}

fn composed(entries: &[Entry], files: &[(String, &[u8])]) -> Vec<u8> {
    let archive = Archive::new(entries);
    let mut out = Vec::new();
    for part in archive.parts() {
        match part {
            Part::Bytes(bytes) => out.extend(bytes),
            Part::File(index) => out.extend(files[index].1),
        }
    }
    assert_eq!(out.len() as u64, archive.bytes(), "the length that was known before");
    assert_eq!(archive.unpacked_bytes(), files.iter().map(|(_, content)| content.len() as u64).sum::<u64>());
    out
}

fn is_read_back(written: &[u8], files: &[(String, &[u8])]) {
    let mut reader = match ZipArchive::new(Cursor::new(written)) {
        Ok(reader) => reader,
        Err(error) => panic!("not opened: {error}"),
    };
    assert_eq!(reader.len(), files.len());
    for (index, (name, content)) in files.iter().enumerate() {
        let mut file = match reader.by_index(index) {
            Ok(file) => file,
            Err(error) => panic!("{name:?} is not found: {error}"),
        };
        assert_eq!(file.name().ok().as_deref(), Some(name.as_str()));
        let mut read = Vec::new();
        if let Err(error) = file.read_to_end(&mut read) {
            panic!("{name:?} is not read: {error}");
        }
        assert_eq!(read, *content, "{name:?}");
    }
}
