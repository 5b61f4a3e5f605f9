//! Objects that are written in a replay. They go nowhere; their parts are compared with the record.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{NewObject, ObjectInfo, ObjectWriter};

use super::answers::{Player, WrittenObject, mismatch};
use super::questions::question;
use crate::parts::PartsBuilder;
use crate::pictures::PictureBytes;
use crate::record_format::{HostCall, Part, Step, Write, WriteEnd, WriteFailure};

/// What a written object needs in memory besides its texts, in bytes.
const WRITTEN: u64 = 256;

pub(super) struct ReplayWriter {
    player: Arc<Player>,
    object: NewObject,
    parts: PartsBuilder,
    crc32: crc32fast::Hasher,
    /// The same object in the record.
    recorded: Option<Write>,
    /// Recorded steps that failed and must fail again.
    failures: Vec<WriteFailure>,
    /// The bytes, if it is a picture that may be kept.
    picture: Option<PictureBytes>,
}

impl ReplayWriter {
    pub(super) fn create(player: &Arc<Player>, object: NewObject) -> Result<Box<dyn ObjectWriter>, Failure> {
        let recorded = match player.take(&question(&["write", &object.key])) {
            Some(HostCall::Write(write)) => Some(write.clone()),
            _ => None,
        };
        let failures = recorded.as_ref().map(|write| write.failures.clone()).unwrap_or_default();
        let (parts, crc32) = (PartsBuilder::default(), crc32fast::Hasher::new());
        let picture = player.picture_room.as_ref().and_then(|room| room.begin(&object.content_type, &player.kept));
        let mut this = Self { player: player.clone(), object, parts, crc32, recorded, failures, picture };
        this.fails_again(Step::Create)?;
        Ok(Box::new(this))
    }

    fn fails_again(&mut self, step: Step) -> Result<(), Failure> {
        let at = self.parts.total();
        match self.failures.iter().position(|failure| failure.step == step && failure.at == at) {
            Some(place) => Err((&self.failures.remove(place).problem).into()),
            None => Ok(()),
        }
    }

    /// Checks that a range of `key` can be copied.
    async fn check_source(&self, key: &str, if_match: Option<&str>, end: u64) -> Result<(), Failure> {
        let player = &self.player;
        let asked = (key.to_owned(), if_match.map(str::to_owned));
        let own = player.written(key);
        if own.is_none() && player.copied.contains(&asked) {
            return Ok(());
        }
        let known = own.map(WrittenObject::found).or_else(|| player.info(key, 0));
        let info = match known {
            Some(info) => info?,
            None => player.real(key, || format!("append-object of {key}"))?.stat(key).await?,
        };
        if let Some(expected) = if_match.filter(|expected| *expected != info.etag) {
            return Err(mismatch(key, expected, &info.etag));
        }
        if end > info.bytes {
            return Err(Failure::new(Case::InvalidInput, format!("{key:?} has {} bytes and not {end}", info.bytes)));
        }
        Ok(())
    }

    /// Returns the facts that a store would return for an object like this one.
    fn plausible(&self, parts: &[Part]) -> ObjectInfo {
        let mut hash = Sha256::new();
        for part in parts {
            match part {
                Part::Made { sha256, .. } => hash.update(sha256),
                Part::Copied { object, if_match, offset, bytes } => {
                    hash.update(format!("{object}\0{if_match:?}\0{offset}\0{bytes}\0"));
                }
            }
        }
        let mut etag = hex::encode(hash.finalize());
        etag.truncate(32);
        let all_made = parts.iter().all(|part| matches!(part, Part::Made { .. }));
        ObjectInfo {
            key: self.object.key.clone(),
            bytes: self.parts.total(),
            etag,
            content_type: Some(self.object.content_type.clone()),
            crc32: all_made.then(|| self.crc32.clone().finalize()),
            fingerprint: self.object.fingerprint.clone(),
        }
    }
}

#[async_trait]
impl ObjectWriter for ReplayWriter {
    async fn append(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.fails_again(Step::Append)?;
        if !bytes.is_empty() {
            self.player.keep(self.parts.cost_of_append())?;
        }
        self.parts.append(&bytes);
        self.crc32.update(&bytes);
        self.picture = self.picture.take().and_then(|mut picture| picture.append(&bytes).then_some(picture));
        Ok(())
    }

    async fn append_object(&mut self, key: &str, if_match: Option<&str>, offset: u64, len: u64) -> Result<(), Failure> {
        self.fails_again(Step::AppendObject)?;
        self.check_source(key, if_match, offset.saturating_add(len)).await?;
        self.picture = None;
        self.player.keep(self.parts.cost_of_copy(key, if_match, offset))?;
        self.parts.copy(key, if_match, offset, len);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectInfo, Failure> {
        let parts = std::mem::take(&mut self.parts);
        let total = parts.total();
        let parts = parts.end();
        let same_bytes = self.recorded.as_ref().is_some_and(|write| write.parts == parts);
        let recorded = self.recorded.take().filter(|write| {
            write.parts == parts
                && write.content_type == self.object.content_type
                && write.fingerprint == self.object.fingerprint
        });
        let (info, as_recorded) = match recorded.map(|write| write.end) {
            Some(WriteEnd::Finished { answer }) => (answer.to_result()?, true),
            _ => (ObjectInfo { bytes: total, ..self.plausible(&parts) }, false),
        };
        let NewObject { key, content_type, fingerprint, .. } = &self.object;
        let texts = 2 * key.len() + content_type.len() + fingerprint.as_ref().map_or(0, String::len);
        self.player.keep(WRITTEN + texts as u64)?;
        let picture = self.picture.take().filter(|_| !same_bytes).and_then(|picture| picture.finish(content_type));
        let mut state = self.player.state();
        match picture {
            Some(picture) => drop(state.pictures.insert(key.clone(), picture)),
            None => drop(state.pictures.remove(key)),
        }
        let before = state.written.get(&self.object.key);
        let own = WrittenObject {
            count: before.map_or(0, |own| own.count) + 1,
            as_recorded: as_recorded && before.is_none_or(|own| own.as_recorded),
            info: info.clone(),
            gone: false,
        };
        state.written.insert(self.object.key.clone(), own);
        Ok(info)
    }

    async fn abort(self: Box<Self>) {}
}
