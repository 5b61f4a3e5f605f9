//! The order of things: plan, look whether the archive is there already, compose it, and tell what was done.

use crate::archive::{Archive, Entry, Part};
use crate::bindings::exports::toq::media::batch_stage::{AssetFailure, Outcome};
use crate::bindings::toq::media::keys::Parts;
use crate::bindings::toq::media::objects::{Digests, ObjectInfo};
use crate::bindings::toq::media::types::{Batch, Bundle, Failure};
use crate::config::{BundleKind, Config};
use crate::failure::at;
use crate::plan::{self, Source};

/// What the stage needs of the world. One method for each import of the `zip` world that it uses.
pub trait Store {
    /// An object in the making.
    type Writer: Sink;
    /// `keys.parse`
    fn parse(&self, key: &str) -> Result<Parts, Failure>;
    /// `keys.bundle`
    fn bundle_key(&self, name: &str) -> Result<String, Failure>;
    /// `objects.stat`
    fn stat(&self, key: &str) -> Result<ObjectInfo, Failure>;
    /// `objects.digest`
    fn digest(&self, key: &str, if_match: &str) -> Result<Digests, Failure>;
    /// `writer.create`
    fn create(&self, key: &str, content_type: &str, fingerprint: &str) -> Result<Self::Writer, Failure>;
    /// `progress.report`, in bytes.
    fn report(&self, done: u64, total: u64);
}

/// An object in the making: nothing is visible before `finish`, and nothing is left behind when it is dropped.
pub trait Sink {
    /// `writer.append`
    fn append(&mut self, bytes: &[u8]) -> Result<(), Failure>;
    /// `writer.append-object`, of all `bytes` of an object.
    fn append_object(&mut self, key: &str, if_match: &str, bytes: u64) -> Result<(), Failure>;
    /// `writer.finish`
    fn finish(self) -> Result<ObjectInfo, Failure>;
}

/// Makes the configured bundles of `batch`.
///
/// A file that was removed or replaced since it was checked is left out and reported as a failure of its upload. Any
/// other trouble with the store fails the call.
pub fn run<S: Store>(store: &S, config: &str, batch: &Batch) -> Result<Outcome, Failure> {
    let config = Config::parse(config)?;
    let (sources, failures) = plan::sources(batch, &|key| store.parse(key))?;
    let total = config.bundles.iter().map(|kind| bytes_of(*kind, &sources)).sum();
    let mut work = Work { store, sources, failures, done: 0, total };
    let mut bundles = Vec::new();
    let mut notes = Vec::new();
    for kind in config.bundles {
        let made = work.bundle(kind).map_err(|failure| at(&format!("bundle `{}`", kind.name()), failure))?;
        notes.push(match &made {
            None => format!("{}: nothing to bundle", kind.name()),
            Some(bundle) if bundle.reused => {
                format!("{}: {} files, up to date", kind.name(), bundle.entries)
            }
            Some(bundle) => format!("{}: {} files, {} bytes", kind.name(), bundle.entries, bundle.bytes),
        });
        bundles.extend(made);
    }
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    Ok(Outcome { assets: Vec::new(), bundles, failures: work.failures, note })
}

fn bytes_of(kind: BundleKind, sources: &[Source]) -> u64 {
    sources.iter().filter(|source| plan::belongs(kind, source.role)).map(|source| source.bytes).sum()
}

/// One call's state.
struct Work<'a, S: Store> {
    store: &'a S,
    sources: Vec<Source>,
    failures: Vec<AssetFailure>,
    done: u64,
    total: u64,
}

/// Why an archive was not made.
enum Trouble {
    /// The source at this position is not what it was: the archive can be made without it.
    Source(usize, Failure),
    /// It cannot be made now.
    Call(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Trouble::Call(failure)
    }
}

impl<S: Store> Work<'_, S> {
    /// Makes one bundle, again and again without the files that turn out to be gone. `None` if none are left.
    fn bundle(&mut self, kind: BundleKind) -> Result<Option<Bundle>, Failure> {
        let before = self.done;
        loop {
            match self.attempt(kind) {
                Ok(bundle) => {
                    // Exact again, whatever was skipped or redone.
                    self.done = before + bundle.as_ref().map_or(0, |bundle| bundle.unpacked_bytes);
                    self.store.report(self.done.min(self.total), self.total);
                    return Ok(bundle);
                }
                Err(Trouble::Call(failure)) => return Err(failure),
                Err(Trouble::Source(index, failure)) => {
                    // One source fewer each time, so this ends.
                    let gone = self.sources.remove(index);
                    self.done = before;
                    if !self.failures.iter().any(|known| known.key == gone.asset) {
                        self.failures.push(AssetFailure { key: gone.asset, failure });
                    }
                }
            }
        }
    }

    fn attempt(&mut self, kind: BundleKind) -> Result<Option<Bundle>, Trouble> {
        let chosen: Vec<usize> =
            (0..self.sources.len()).filter(|index| plan::belongs(kind, self.sources[*index].role)).collect();
        if chosen.is_empty() {
            return Ok(None);
        }
        let names = plan::names(kind, chosen.iter().map(|index| &self.sources[*index]));
        let named = names.iter().map(String::as_str).zip(chosen.iter().map(|index| &self.sources[*index]));
        let fingerprint = plan::fingerprint(named);
        let key = self.store.bundle_key(kind.name())?;

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

        match self.store.stat(&key) {
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
            let text = format!("{key} came out as {} bytes instead of {}", info.bytes, made.bytes);
            return Err(Failure::Internal(text).into());
        }
        Ok(Some(made))
    }

    /// The checksum of a source; the host computes it where nobody has told it yet.
    fn crc32(&mut self, index: usize) -> Result<u32, Trouble> {
        let source = &mut self.sources[index];
        if let Some(known) = source.crc32 {
            return Ok(known);
        }
        let digests = self.store.digest(&source.key, &source.etag).map_err(|failure| blame(index, failure))?;
        if digests.bytes != source.bytes {
            let text = format!("{} has {} bytes instead of {}", source.key, digests.bytes, source.bytes);
            return Err(Trouble::Source(index, Failure::Mismatch(text)));
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
    ) -> Result<ObjectInfo, Trouble> {
        let mut writer = self.store.create(key, "application/zip", fingerprint)?;
        for part in Archive::new(entries).parts() {
            match part {
                Part::Bytes(bytes) => writer.append(&bytes)?,
                Part::File(position) => {
                    let index = chosen[position];
                    let source = &self.sources[index];
                    writer
                        .append_object(&source.key, &source.etag, source.bytes)
                        .map_err(|failure| blame(index, failure))?;
                    self.done += source.bytes;
                    self.store.report(self.done.min(self.total), self.total);
                }
            }
        }
        Ok(writer.finish()?)
    }
}

/// Whether a failed read is the fault of the source or of the moment.
fn blame(index: usize, failure: Failure) -> Trouble {
    match failure {
        Failure::Missing(_) | Failure::Mismatch(_) => Trouble::Source(index, failure),
        other => Trouble::Call(other),
    }
}

#[cfg(test)]
mod tests;
