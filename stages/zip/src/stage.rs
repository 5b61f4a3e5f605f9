//! Making bundles: plan, check whether the archive is up to date, compose it, report what was done.

use stage_sdk::{AssetFailure, FailureContext as _, Outcome};

use crate::archive::{Archive, Entry, Part};
use crate::bindings::toq::media::keys::Parts;
use crate::bindings::toq::media::objects::{Digests, ObjectInfo};
use crate::bindings::toq::media::types::{Batch, Bundle, Failure};
use crate::config::{BundleKind, Config};
use crate::plan::{self, Role, Source};

/// How often an archive is begun again although all its files are as they were: another execution writes it too.
const MAX_CONFLICTS: u32 = 4;

/// How many files that were left out are named in the note.
const NAMED: usize = 10;

/// What the stage needs of its host. One method for each import that it uses.
pub trait Host {
    /// An object being written.
    type Writer: ObjectWriter;
    /// Calls `keys.parse`.
    fn parse(&self, key: &str) -> Result<Parts, Failure>;
    /// Calls `keys.bundle`.
    fn bundle_key(&self, name: &str) -> Result<String, Failure>;
    /// Calls `objects.stat`.
    fn stat(&self, key: &str) -> Result<ObjectInfo, Failure>;
    /// Calls `objects.digest`.
    fn digest(&self, key: &str, if_match: &str) -> Result<Digests, Failure>;
    /// Calls `writer.create`.
    fn create(&self, key: &str, content_type: &str, fingerprint: &str) -> Result<Self::Writer, Failure>;
    /// Calls `progress.report`, in bytes.
    fn report(&self, done: u64, total: u64);
}

/// An object being written. Nothing is visible before `finish`, and nothing remains if the writer is dropped.
pub trait ObjectWriter {
    /// Calls `writer.append`.
    fn append(&mut self, bytes: &[u8]) -> Result<(), Failure>;
    /// Calls `writer.append-object` for all `bytes` of an object.
    fn append_object(&mut self, key: &str, if_match: &str, bytes: u64) -> Result<(), Failure>;
    /// Calls `writer.finish`. A file that was replaced may be reported by any later call or only here, because the host reads
    /// ahead.
    fn finish(self) -> Result<ObjectInfo, Failure>;
}

/// Makes the configured bundles of `batch` and returns them.
///
/// A file that was removed or replaced since validation is left out and reported as a failure of its upload.
///
/// # Errors
/// If the configuration is invalid or the store fails in any other way.
pub fn run<H: Host>(host: &H, config: &str, batch: &Batch) -> Result<Outcome, Failure> {
    let config = Config::parse(config)?;
    let (sources, failures) = plan::sources(batch, &|key| host.parse(key))?;
    let total = config.bundles.iter().map(|kind| bytes_of(*kind, &sources)).sum();
    let mut bundler = Bundler { host, sources, failures, left_out: Vec::new(), done: 0, total };
    let mut bundles = Vec::new();
    let mut notes = Vec::new();
    for kind in config.bundles {
        let made = bundler.bundle(kind).context(format_args!("bundle `{}`", kind.name()))?;
        notes.push(match &made {
            None => format!("{}: nothing to bundle", kind.name()),
            Some(Made { bundle, .. }) if bundle.reused => {
                format!("{}: {}, up to date", kind.name(), files(bundle.entries))
            }
            Some(Made { bundle, replaces }) => {
                let why = if *replaces { ", made again because its files have changed" } else { "" };
                format!("{}: {}, {} bytes{why}", kind.name(), files(bundle.entries), bundle.bytes)
            }
        });
        bundles.extend(made.map(|made| made.bundle));
    }
    notes.extend(bundler.note_on_left_out());
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    Ok(Outcome { bundles, failures: bundler.failures, note, ..Outcome::default() })
}

fn files(count: u32) -> String {
    if count == 1 { "1 file".to_owned() } else { format!("{count} files") }
}

fn bytes_of(kind: BundleKind, sources: &[Source]) -> u64 {
    sources.iter().filter(|source| plan::belongs(kind, source.role)).map(|source| source.bytes).sum()
}

/// The state of one call.
struct Bundler<'a, H: Host> {
    host: &'a H,
    sources: Vec<Source>,
    failures: Vec<AssetFailure>,
    /// The names of files that were replaced or removed since they were validated or made.
    left_out: Vec<String>,
    done: u64,
    total: u64,
}

/// A bundle, and whether it replaces one of other files.
struct Made {
    bundle: Bundle,
    replaces: bool,
}

/// Why an archive was not made.
enum Stop {
    /// A file or the archive itself was replaced or removed meanwhile.
    Changed(Failure),
    /// The archive cannot be made.
    Call(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Missing(_) | Failure::Mismatch(_) => Stop::Changed(failure),
            other => Stop::Call(other),
        }
    }
}

impl<H: Host> Bundler<'_, H> {
    /// Makes one bundle and returns it. Files that turn out to be replaced or gone are left out of another attempt. `None` if
    /// no file is left.
    fn bundle(&mut self, kind: BundleKind) -> Result<Option<Made>, Failure> {
        let before = self.done;
        let mut conflicts = 0;
        loop {
            match self.attempt(kind) {
                Ok(made) => {
                    // Attempts may have skipped or repeated files; from here on the sum is exact again.
                    self.done = before + made.as_ref().map_or(0, |made| made.bundle.unpacked_bytes);
                    self.host.report(self.done.min(self.total), self.total);
                    return Ok(made);
                }
                Err(Stop::Call(failure)) => return Err(failure),
                Err(Stop::Changed(failure)) => {
                    self.done = before;
                    // Each attempt either has fewer or newer files, or is counted.
                    if !self.look_again(kind)? {
                        conflicts += 1;
                    }
                    if conflicts == MAX_CONFLICTS {
                        let why = failure.message();
                        return Err(Failure::Transient(format!("the archive or its files change all the time: {why}")));
                    }
                }
            }
        }
    }

    /// Compares all files of a bundle with what is stored, because a failure does not tell which file it is about. Files that
    /// were replaced or removed are left out from here on. A rendition that was made again with the same bytes stays.
    /// Returns whether anything was found.
    fn look_again(&mut self, kind: BundleKind) -> Result<bool, Failure> {
        let mut found = false;
        for mut source in std::mem::take(&mut self.sources) {
            if !plan::belongs(kind, source.role) {
                self.sources.push(source);
                continue;
            }
            let since = if source.role == Role::Original { "validated" } else { "made" };
            let failure = match self.host.stat(&source.key) {
                Ok(there) if there.etag == source.etag && there.bytes == source.bytes => {
                    self.sources.push(source);
                    continue;
                }
                Ok(there) if is_same_rendition(&source, &there) => {
                    found = true;
                    source.etag = there.etag;
                    self.sources.push(source);
                    continue;
                }
                Ok(_) => Failure::Mismatch(format!("{} was replaced since it was {since}", source.name)),
                Err(Failure::Missing(_)) => {
                    Failure::Missing(format!("{} was removed since it was {since}", source.name))
                }
                Err(failure) => return Err(failure),
            };
            found = true;
            self.left_out.push(source.name);
            if !self.failures.iter().any(|known| known.key == source.asset) {
                self.failures.push(AssetFailure { key: source.asset, failure });
            }
        }
        Ok(found)
    }

    /// Returns a note that names the files that were left out.
    fn note_on_left_out(&self) -> Option<String> {
        let named: Vec<&str> = self.left_out.iter().take(NAMED).map(String::as_str).collect();
        let more = match self.left_out.len().saturating_sub(NAMED) {
            _ if named.is_empty() => return None,
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        Some(format!("left out because they were replaced or removed meanwhile: {}{more}", named.join(", ")))
    }

    fn attempt(&mut self, kind: BundleKind) -> Result<Option<Made>, Stop> {
        let chosen: Vec<usize> =
            (0..self.sources.len()).filter(|index| plan::belongs(kind, self.sources[*index].role)).collect();
        if chosen.is_empty() {
            return Ok(None);
        }
        let names = plan::names(kind, chosen.iter().map(|index| &self.sources[*index]));
        let named = names.iter().map(String::as_str).zip(chosen.iter().map(|index| &self.sources[*index]));
        let fingerprint = plan::fingerprint(named);
        let key = self.host.bundle_key(kind.name())?;

        let mut entries: Vec<Entry> = std::iter::zip(names, &chosen)
            .map(|(name, index)| {
                let source = &self.sources[*index];
                Entry { name, bytes: source.bytes, crc32: source.crc32.unwrap_or_default(), date: source.date }
            })
            .collect();
        let bundle = |entries: &[Entry], reused| {
            let archive = Archive::new(entries);
            Bundle {
                name: kind.name().to_owned(),
                key: key.clone(),
                bytes: archive.bytes(),
                entries: u32::try_from(entries.len()).unwrap_or(u32::MAX),
                unpacked_bytes: archive.unpacked_bytes(),
                reused,
            }
        };

        let replaces = match self.host.stat(&key) {
            Ok(there) => {
                let expected = bundle(&entries, true);
                if there.fingerprint.as_deref() == Some(&fingerprint) && there.bytes == expected.bytes {
                    return Ok(Some(Made { bundle: expected, replaces: false }));
                }
                true
            }
            Err(Failure::Missing(_)) => false,
            Err(failure) => return Err(Stop::Call(failure)),
        };

        for (entry, index) in std::iter::zip(&mut entries, &chosen) {
            entry.crc32 = self.crc32(*index)?;
        }
        let made = bundle(&entries, false);
        let info = self.compose(&key, &fingerprint, &entries, &chosen)?;
        if info.bytes != made.bytes {
            let text = format!("{key} was written with {} bytes instead of {}", info.bytes, made.bytes);
            return Err(Failure::Internal(text).into());
        }
        Ok(Some(Made { bundle: made, replaces }))
    }

    /// Returns the checksum of a source. The host computes it if it is not known yet.
    fn crc32(&mut self, index: usize) -> Result<u32, Stop> {
        let source = &mut self.sources[index];
        if let Some(known) = source.crc32 {
            return Ok(known);
        }
        let digests = self.host.digest(&source.key, &source.etag)?;
        if digests.bytes != source.bytes {
            let text = format!("{} has {} bytes instead of {}", source.name, digests.bytes, source.bytes);
            return Err(Stop::Changed(Failure::Mismatch(text)));
        }
        source.crc32 = Some(digests.crc32);
        Ok(digests.crc32)
    }

    fn compose(
        &mut self,
        key: &str,
        fingerprint: &str,
        entries: &[Entry],
        chosen: &[usize],
    ) -> Result<ObjectInfo, Stop> {
        let mut writer = self.host.create(key, "application/zip", fingerprint)?;
        for part in Archive::new(entries).parts() {
            match part {
                Part::Bytes(bytes) => writer.append(&bytes)?,
                Part::File(position) => {
                    let index = chosen[position];
                    let source = &self.sources[index];
                    writer.append_object(&source.key, &source.etag, source.bytes)?;
                    self.done += source.bytes;
                    self.host.report(self.done.min(self.total), self.total);
                }
            }
        }
        Ok(writer.finish()?)
    }
}

/// Returns whether a stored object has the bytes of this rendition, although its entity tag is another one: where objects are
/// encrypted with a key of KMS, the same bytes get another entity tag each time they are written.
fn is_same_rendition(source: &Source, there: &ObjectInfo) -> bool {
    source.role != Role::Original
        && there.bytes == source.bytes
        && matches!((source.crc32, there.crc32), (Some(known), Some(stored)) if known == stored)
}

#[cfg(test)]
mod tests;
