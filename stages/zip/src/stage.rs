//! Making bundles: plan, check whether the archive is up to date, compose it, report what was done.

use crate::archive::{Archive, Entry, Part};
use crate::bindings::exports::toq::media::batch_stage::{AssetFailure, Outcome};
use crate::bindings::toq::media::keys::Parts;
use crate::bindings::toq::media::objects::{Digests, ObjectInfo};
use crate::bindings::toq::media::types::{Batch, Bundle, Failure};
use crate::config::{BundleKind, Config};
use crate::failure::in_context;
use crate::plan::{self, Source};

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
    /// Calls `writer.finish`.
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
    let mut bundler = Bundler { host, sources, failures, done: 0, total };
    let mut bundles = Vec::new();
    let mut notes = Vec::new();
    for kind in config.bundles {
        let made = bundler.bundle(kind).map_err(|failure| in_context(&format!("bundle `{}`", kind.name()), failure))?;
        notes.push(match &made {
            None => format!("{}: nothing to bundle", kind.name()),
            Some(bundle) if bundle.reused => format!("{}: {}, up to date", kind.name(), files(bundle.entries)),
            Some(bundle) => format!("{}: {}, {} bytes", kind.name(), files(bundle.entries), bundle.bytes),
        });
        bundles.extend(made);
    }
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    Ok(Outcome { assets: Vec::new(), bundles, failures: bundler.failures, note })
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
    done: u64,
    total: u64,
}

/// Why an archive was not made.
enum Stop {
    /// The source at this index was removed or replaced. The archive can be made without it.
    Source(usize, Failure),
    /// The archive cannot be made.
    Call(Failure),
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Stop::Call(failure)
    }
}

impl<H: Host> Bundler<'_, H> {
    /// Makes one bundle and returns it. Each file that turns out to be gone is left out of another attempt. `None` if no
    /// file is left.
    fn bundle(&mut self, kind: BundleKind) -> Result<Option<Bundle>, Failure> {
        let before = self.done;
        loop {
            match self.attempt(kind) {
                Ok(bundle) => {
                    // Attempts may have skipped or repeated files; from here on the sum is exact again.
                    self.done = before + bundle.as_ref().map_or(0, |bundle| bundle.unpacked_bytes);
                    self.host.report(self.done.min(self.total), self.total);
                    return Ok(bundle);
                }
                Err(Stop::Call(failure)) => return Err(failure),
                Err(Stop::Source(index, failure)) => {
                    // Each attempt has one source fewer, so the loop ends.
                    let gone = self.sources.remove(index);
                    self.done = before;
                    if !self.failures.iter().any(|known| known.key == gone.asset) {
                        self.failures.push(AssetFailure { key: gone.asset, failure });
                    }
                }
            }
        }
    }

    fn attempt(&mut self, kind: BundleKind) -> Result<Option<Bundle>, Stop> {
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

        match self.host.stat(&key) {
            Ok(there) => {
                let expected = bundle(&entries, true);
                if there.fingerprint.as_deref() == Some(&fingerprint) && there.bytes == expected.bytes {
                    return Ok(Some(expected));
                }
            }
            Err(Failure::Missing(_)) => {}
            Err(failure) => return Err(failure.into()),
        }

        for (entry, index) in std::iter::zip(&mut entries, &chosen) {
            entry.crc32 = self.crc32(*index)?;
        }
        let made = bundle(&entries, false);
        let info = self.compose(&key, &fingerprint, &entries, &chosen)?;
        if info.bytes != made.bytes {
            let text = format!("{key} was written with {} bytes instead of {}", info.bytes, made.bytes);
            return Err(Failure::Internal(text).into());
        }
        Ok(Some(made))
    }

    /// Returns the checksum of a source. The host computes it if it is not known yet.
    fn crc32(&mut self, index: usize) -> Result<u32, Stop> {
        let source = &mut self.sources[index];
        if let Some(known) = source.crc32 {
            return Ok(known);
        }
        let digests = self.host.digest(&source.key, &source.etag).map_err(|failure| read_failure(index, failure))?;
        if digests.bytes != source.bytes {
            let text = format!("{} has {} bytes instead of {}", source.name, digests.bytes, source.bytes);
            return Err(Stop::Source(index, Failure::Mismatch(text)));
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
                    writer
                        .append_object(&source.key, &source.etag, source.bytes)
                        .map_err(|failure| read_failure(index, failure))?;
                    self.done += source.bytes;
                    self.host.report(self.done.min(self.total), self.total);
                }
            }
        }
        Ok(writer.finish()?)
    }
}

/// Returns whether a failed read stops the archive only for this source or for the whole call.
fn read_failure(index: usize, failure: Failure) -> Stop {
    match failure {
        Failure::Missing(_) | Failure::Mismatch(_) => Stop::Source(index, failure),
        other => Stop::Call(other),
    }
}

#[cfg(test)]
mod tests;
