//! Objects are whole, have the bytes of an undisturbed run, and are made once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read as _};

use anyhow::{Context as _, Result, ensure};

use super::Findings;
use crate::campaign::fault::FaultKind;
use crate::campaign::log::Entry;
use crate::campaign::reference::Reference;
use crate::campaign::world::{Stored, World};

type Objects = BTreeMap<String, Stored>;

/// Every output can be read by a program that knows nothing of this project's fingerprints.
pub(super) fn whole(objects: &Objects, findings: &mut Findings) {
    for (key, stored) in objects.iter().filter(|(key, _)| is_output(key)) {
        if let Err(error) = readable(key, &stored.bytes) {
            findings.wrong(format!("{key} is no whole file: {error:#}"));
        }
    }
}

fn is_output(key: &str) -> bool {
    ["/thumb/", "/processed/", "/zip/"].iter().any(|part| key.contains(part))
}

fn readable(key: &str, bytes: &[u8]) -> Result<()> {
    match key.rsplit('.').next() {
        Some("jpg") => {
            image::load_from_memory(bytes)?;
            // The decoder fills in what is missing of a cut picture.
            ensure!(bytes.ends_with(&[0xff, 0xd9]), "a picture without its end");
        }
        Some("zip") => {
            let mut archive = zip::ZipArchive::new(Cursor::new(bytes))?;
            for at in 0..archive.len() {
                // Reads to the end, where the checksum is compared.
                let mut entry = archive.by_index(at)?;
                entry.read_to_end(&mut Vec::new()).with_context(|| format!("entry {at}"))?;
            }
        }
        Some("mp4") => {
            let mut rest = bytes;
            while !rest.is_empty() {
                let length =
                    rest.first_chunk().map(|length| u32::from_be_bytes(*length) as usize).context("a cut box")?;
                ensure!(length >= 8 && length <= rest.len(), "a box of {length} bytes in {}", rest.len());
                rest = &rest[length..];
            }
        }
        _ => anyhow::bail!("an output of an unknown kind"),
    }
    Ok(())
}

/// Outputs have the bytes that an undisturbed run gives them. With `all`, all of them exist; otherwise a batch may have
/// failed, and an archive may lack files.
pub(super) fn same(world: &World, reference: &Reference, objects: &Objects, all: bool, findings: &mut Findings) {
    let expected = reference.outputs(world.shared.plan.arrivals());
    for (key, stored) in objects.iter().filter(|(key, _)| is_output(key)) {
        match expected.get(key) {
            None => findings.wrong(format!("{key} is there, which no undisturbed run makes")),
            Some(bytes) if *bytes == stored.bytes => {}
            Some(_) if !all && key.contains("/zip/") => {}
            Some(bytes) => findings.wrong(format!(
                "{key} has other bytes than in an undisturbed run ({} and {} bytes)",
                stored.bytes.len(),
                bytes.len()
            )),
        }
    }
    if all {
        for key in expected.keys().filter(|key| !objects.contains_key(*key)) {
            findings.wrong(format!("{key} is missing"));
        }
    }
}

/// No upload is left unfinished, except those that nobody can abort: their process was killed, or the answer with their id was
/// lost.
pub(super) async fn uploads(world: &World, findings: &mut Findings) -> Result<()> {
    let entries = world.shared.log.entries();
    let killed: BTreeSet<_> =
        entries.iter().filter(|entry| entry.note == "kill -9").map(|entry| entry.environment).collect();
    let nobodys = |key: &str| {
        let began = |entry: &&Entry| {
            // A process that is killed takes the request with it, and what S3 answered is not known.
            let unknown = entry.status.is_none() && entry.fault.is_none() && killed.contains(&entry.environment);
            entry.operation() == "CreateMultipartUpload" && (entry.succeeded() || unknown) && entry.key() == Some(key)
        };
        let lost =
            |entry: &&Entry| matches!(entry.fault, Some(FaultKind::AnswerLost)) || killed.contains(&entry.environment);
        entries.iter().filter(began).filter(lost).count()
    };
    let mut left: BTreeMap<String, usize> = BTreeMap::new();
    for key in world.uploads().await? {
        *left.entry(key).or_default() += 1;
    }
    for (key, count) in left {
        let excused = nobodys(&key).min(count);
        findings.left_to_the_rule += excused;
        if count > excused {
            findings.wrong(format!("{} uploads of {key} are left unfinished", count - excused));
        }
    }
    Ok(())
}

/// The second run writes no output that had its final bytes already.
pub(super) fn made_twice(world: &World, reference: &Reference, before: &Objects, findings: &mut Findings) {
    let expected = reference.outputs(world.shared.plan.arrivals());
    let entries = world.shared.log.entries();
    let wrote = |entry: &&Entry| {
        entry.undisturbed && entry.succeeded() && matches!(entry.operation(), "PutObject" | "CompleteMultipartUpload")
    };
    for key in entries.iter().filter(wrote).filter_map(Entry::key) {
        if before.get(key).is_some_and(|stored| expected.get(key) == Some(&stored.bytes)) {
            findings.wrong(format!("the second run wrote {key} again, which was finished before"));
        }
    }
}
