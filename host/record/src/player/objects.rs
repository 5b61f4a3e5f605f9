//! Answers calls about stored objects from the record.

use std::collections::VecDeque;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use stagehost_batch::{Case, Failure};
use stagehost_runtime::HostBudget;
use stagehost_runtime::capability::{Digests, NewObject, ObjectInfo, ObjectPage, ObjectReader, ObjectWriter, Objects};

use super::answers::{Player, ReplayCapabilities, WrittenObject, mismatch};
use super::questions::{about_list, question};
use super::writer::ReplayWriter;
use crate::record_format::{HostCall, Read};

/// How many bytes are read at once to compute a digest.
const STEP: u64 = 8 << 20;

#[async_trait]
impl Objects for ReplayCapabilities {
    async fn stat(&self, key: &str) -> Result<ObjectInfo, Failure> {
        let player = &self.0;
        let written = match player.written(key) {
            Some(own) if !own.as_recorded => return own.found(),
            own => own.map_or(0, |own| own.count),
        };
        if let Some(HostCall::Stat { answer, .. }) = player.ask(&question(&["stat", &written.to_string(), key])) {
            return answer.to_result();
        }
        match (player.info(key, written), player.written(key)) {
            (Some(info), _) => info,
            (None, Some(own)) => own.found(),
            (None, None) => player.real(key, || format!("stat {key}"))?.stat(key).await,
        }
    }

    async fn digest(&self, key: &str, if_match: Option<&str>) -> Result<Digests, Failure> {
        let player = &self.0;
        let own = player.written(key);
        let written = own.as_ref().map_or(0, |own| own.count);
        if own.as_ref().is_none_or(|own| own.as_recorded) {
            let exact = question(&["digest", &written.to_string(), if_match.unwrap_or("*"), key]);
            if let Some(HostCall::Digest { answer, .. }) = player.ask(&exact) {
                return answer.to_result();
            }
        }
        let wrote = own.is_some();
        if let Some(info) = own.map(WrittenObject::found).or_else(|| player.info(key, written)) {
            let info = expect(info?, if_match)?;
            if let Some(digests) = computed(player, &info).await {
                return digests;
            }
        }
        if wrote {
            return Err(player.not_kept(key));
        }
        player.real(key, || format!("digest {key}"))?.digest(key, if_match).await
    }

    async fn open(&self, key: &str, if_match: Option<&str>) -> Result<Box<dyn ObjectReader>, Failure> {
        let player = &self.0;
        let own = player.written(key);
        let written = own.as_ref().map_or(0, |own| own.count);
        if own.as_ref().is_none_or(|own| own.as_recorded) {
            let exact = question(&["open", &written.to_string(), if_match.unwrap_or("*"), key]);
            if let Some(HostCall::Open { answer, reads, .. }) = player.ask(&exact) {
                let failures = reads.iter().filter(|read| read.failed.is_some()).cloned().collect();
                return Ok(ReplayReader::opened(player, answer.to_result()?, failures));
            }
        }
        if let Some(info) = own.map(WrittenObject::found).or_else(|| player.info(key, written)) {
            return Ok(ReplayReader::opened(player, expect(info?, if_match)?, VecDeque::new()));
        }
        player.real(key, || format!("open {key}"))?.open(key, if_match).await
    }

    async fn create(&self, object: NewObject) -> Result<Box<dyn ObjectWriter>, Failure> {
        ReplayWriter::create(&self.0, object)
    }

    async fn list(&self, prefix: &str, after: Option<&str>, most: u16) -> Result<ObjectPage, Failure> {
        match self.0.ask(&about_list(prefix, after)) {
            Some(HostCall::List { answer, .. }) => answer.to_result(),
            _ => self.0.real_page(prefix, after, most).await,
        }
    }

    async fn delete(&self, key: &str, if_match: &str, _stage: &str) -> Result<(), Failure> {
        let recorded = self.0.ask(&question(&["delete", key, if_match]));
        if let Some(HostCall::Delete { answer, .. }) = recorded {
            answer.to_result()?;
        }
        self.0.delete(key, if_match, recorded.is_some())
    }

    async fn tag(&self, key: &str, name: &str, value: &str) -> Result<(), Failure> {
        match self.0.ask(&question(&["tag", key, name, value])) {
            Some(HostCall::Tag { answer, .. }) => answer.to_result(),
            _ => Ok(()),
        }
    }

    fn charged_to(&self, budget: &HostBudget) -> Option<Arc<dyn Objects>> {
        self.0.charge_to(budget);
        None
    }
}

fn expect(info: ObjectInfo, if_match: Option<&str>) -> Result<ObjectInfo, Failure> {
    match if_match {
        Some(expected) if expected != info.etag => Err(mismatch(&info.key, expected, &info.etag)),
        _ => Ok(info),
    }
}

/// Returns the digests of an object; `None` if not all of its bytes are recorded.
async fn computed(player: &Player, info: &ObjectInfo) -> Option<Result<Digests, Failure>> {
    let version = (info.key.clone(), info.etag.clone());
    let (mut sha256, mut crc32, mut at) = (Sha256::new(), crc32fast::Hasher::new(), 0);
    while at < info.bytes {
        let len = STEP.min(info.bytes - at);
        match player.contents.read(&version, at, len).await? {
            Ok(bytes) => {
                sha256.update(&bytes);
                crc32.update(&bytes);
            }
            Err(why) => return Some(Err(player.diverges(why))),
        }
        at += len;
    }
    Some(Ok(Digests {
        sha256: hex::encode(sha256.finalize()),
        crc32: crc32.finalize(),
        bytes: info.bytes,
        etag: info.etag.clone(),
    }))
}

/// An open object. Bytes that are not recorded are read from the real store, if that is allowed.
struct ReplayReader {
    player: Arc<Player>,
    info: ObjectInfo,
    /// Recorded reads that failed and must fail again.
    failures: VecDeque<Read>,
    /// The same version in the real store, opened when it is needed.
    real: Option<Box<dyn ObjectReader>>,
}

impl ReplayReader {
    fn opened(player: &Arc<Player>, info: ObjectInfo, failures: VecDeque<Read>) -> Box<dyn ObjectReader> {
        Box::new(Self { player: player.clone(), info, failures, real: None })
    }

    async fn real(&mut self, what: String) -> Result<&mut Box<dyn ObjectReader>, Failure> {
        if self.real.is_none() {
            let ObjectInfo { key, etag, .. } = &self.info;
            if self.player.written(key).is_some() {
                return Err(self.player.not_kept(key));
            }
            let opened = self.player.real(key, || what)?.open(key, Some(etag)).await?;
            self.real = Some(opened);
        }
        self.real.as_mut().ok_or_else(|| Failure::new(Case::Internal, "the object is not open"))
    }
}

#[async_trait]
impl ObjectReader for ReplayReader {
    fn info(&self) -> &ObjectInfo {
        &self.info
    }

    async fn read(&mut self, offset: u64, len: u32) -> Result<Bytes, Failure> {
        let again = self.failures.iter().position(|read| read.offset == offset && read.bytes == u64::from(len));
        if let Some(failed) = again.and_then(|at| self.failures.remove(at)).and_then(|read| read.failed) {
            return Err((&failed).into());
        }
        let len = u64::from(len).min(self.info.bytes.saturating_sub(offset));
        if len == 0 {
            return Ok(Bytes::new());
        }
        let version = (self.info.key.clone(), self.info.etag.clone());
        match self.player.contents.read(&version, offset, len).await {
            Some(Ok(bytes)) => Ok(bytes),
            Some(Err(why)) => Err(self.player.diverges(why)),
            None => {
                let what = format!("read {len} bytes of {} from {offset}", self.info.key);
                let len = u32::try_from(len).unwrap_or(u32::MAX);
                self.real(what).await?.read(offset, len).await
            }
        }
    }
}
