//! An object in the making: bytes and stored objects, put together with as little traffic and memory as S3 allows.
//!
//! Memory: one part that is being filled, [`PARTS_IN_FLIGHT`] on their way, and [`QUEUED_BYTES`] fetched ahead: about
//! 56 MiB at most for parts of 8 MiB, whatever the object's size.
//!
//! Order is kept by the queue: bytes that must pass through the host are fetched as soon as they are known to be needed,
//! several files at once, and join the part in their turn. A fetch that fails is therefore told by a later call of the
//! writer, at the latest by `finish`; nothing is visible before that.

use std::collections::VecDeque;

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{NewObject, ObjectInfo, ObjectWriter};
use tokio::task::JoinSet;

use crate::objects::bucket::{Store, encode_crc32, unquoted};
use crate::objects::metadata;
use crate::objects::parts::{End, Limits, Planner, Step};
use crate::objects::upload::Upload;
use crate::sdk_error::failure;

/// Parts sent or copied at the same time.
pub(crate) const PARTS_IN_FLIGHT: usize = 4;

/// Bytes that wait in the queue for their turn.
const QUEUED_BYTES: u64 = 16 << 20;

/// The longest piece of a stored object that is fetched by one request.
const FETCH: u64 = 4 << 20;

/// Files fetched at the same time.
const FETCHES: usize = 8;

pub(crate) struct S3Writer {
    store: Store,
    object: NewObject,
    plan: Planner,
    queue: VecDeque<Item>,
    queued: u64,
    fetches: usize,
    /// The part that is being filled.
    pending: BytesMut,
    /// Bytes so far, in the whole object.
    total: u64,
    upload: Upload,
    /// What ended it early; every later call says the same.
    failed: Option<Failure>,
}

enum Item {
    Bytes(Bytes),
    /// A set of one, so that dropping it stops the fetch.
    Fetch {
        len: u64,
        task: JoinSet<Result<Bytes, Failure>>,
    },
    Cut {
        part: i32,
    },
}

impl S3Writer {
    pub(crate) fn new(store: Store, object: NewObject) -> Result<Self, Failure> {
        Self::with_limits(store, object, Limits::S3)
    }

    fn with_limits(store: Store, object: NewObject, limits: Limits) -> Result<Self, Failure> {
        let metadata = metadata::of(&object)?;
        Ok(Self {
            upload: Upload::new(store.clone(), &object, metadata),
            store,
            object,
            plan: Planner::new(limits),
            queue: VecDeque::new(),
            queued: 0,
            fetches: 0,
            pending: BytesMut::new(),
            total: 0,
            failed: None,
        })
    }

    /// Runs one call of the writer; a failure gives the upload up.
    async fn guarded<T>(&mut self, result: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure) = &result {
            self.failed = Some(failure.clone());
            self.queue.clear();
            self.pending = BytesMut::new();
            self.upload.abort().await;
        }
        result
    }

    fn check(&self) -> Result<(), Failure> {
        match &self.failed {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }

    fn too_many(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::new(Case::TooLarge, format!("{}: {error}", self.object.key))
    }

    async fn do_append(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.check()?;
        self.total += bytes.len() as u64;
        let steps = self.plan.append(bytes.len() as u64).map_err(|error| self.too_many(&error))?;
        let mut rest = bytes;
        for step in steps {
            match step {
                Step::Take { len, .. } => {
                    let len = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
                    self.push(Item::Bytes(rest.split_to(len)));
                }
                Step::Cut { part } => self.push(Item::Cut { part }),
                // Bytes are never copied by the store.
                Step::Copy { .. } => {}
            }
        }
        self.pump().await
    }

    async fn do_append_object(
        &mut self,
        key: &str,
        if_match: Option<&str>,
        offset: u64,
        len: u64,
    ) -> Result<(), Failure> {
        self.check()?;
        if len == 0 {
            return Ok(());
        }
        let beyond = || Failure::new(Case::InvalidInput, format!("{key}: a range beyond any object was asked for"));
        offset.checked_add(len).filter(|end| *end <= i64::MAX as u64).ok_or_else(beyond)?;
        let etag = match if_match {
            Some(etag) => unquoted(etag).to_owned(),
            // All pieces must come from one version, so there has to be a name for it.
            None => self.store.head(key, None).await?.etag,
        };
        self.total += len;
        let steps = self.plan.append_object(len).map_err(|error| self.too_many(&error))?;
        for step in steps {
            match step {
                Step::Take { offset: from, len } => {
                    let (mut start, end) = (offset + from, offset + from + len);
                    while start < end {
                        let stop = (start + FETCH).min(end);
                        self.make_room(QUEUED_BYTES.saturating_sub(stop - start), FETCHES - 1).await?;
                        self.fetch(key, &etag, start..stop);
                        start = stop;
                    }
                }
                Step::Cut { part } => self.push(Item::Cut { part }),
                Step::Copy { part, offset: from, len } => {
                    let start = offset + from;
                    self.upload.copy(part, key, &etag, start..start + len).await?;
                }
            }
        }
        self.pump().await
    }

    fn fetch(&mut self, key: &str, etag: &str, range: std::ops::Range<u64>) {
        let (store, key, etag) = (self.store.clone(), key.to_owned(), etag.to_owned());
        let len = range.end - range.start;
        let mut task = JoinSet::new();
        task.spawn(async move { store.fetch(&key, &etag, range).await });
        self.fetches += 1;
        self.push(Item::Fetch { len, task });
    }

    fn push(&mut self, item: Item) {
        self.queued += match &item {
            Item::Bytes(bytes) => bytes.len() as u64,
            Item::Fetch { len, .. } => *len,
            Item::Cut { .. } => 0,
        };
        self.queue.push_back(item);
    }

    /// Moves along what is at hand, and waits only as far as the queue's bounds ask for it.
    async fn pump(&mut self) -> Result<(), Failure> {
        while !matches!(self.queue.front(), None | Some(Item::Fetch { .. })) {
            self.step().await?;
        }
        self.make_room(QUEUED_BYTES, FETCHES).await
    }

    async fn make_room(&mut self, bytes: u64, fetches: usize) -> Result<(), Failure> {
        while self.queued > bytes || self.fetches > fetches {
            self.step().await?;
        }
        Ok(())
    }

    /// Takes the next item of the queue.
    async fn step(&mut self) -> Result<(), Failure> {
        match self.queue.pop_front() {
            Some(Item::Bytes(bytes)) => {
                self.queued -= bytes.len() as u64;
                self.pending.extend_from_slice(&bytes);
            }
            Some(Item::Fetch { len, mut task }) => {
                self.queued -= len;
                self.fetches -= 1;
                let bytes = match task.join_next().await {
                    Some(Ok(bytes)) => bytes?,
                    Some(Err(error)) => return Err(self.internal(&error)),
                    None => return Err(self.internal(&"a fetch vanished")),
                };
                self.pending.extend_from_slice(&bytes);
            }
            Some(Item::Cut { part }) => {
                let full = self.pending.split().freeze();
                self.upload.send(part, full).await?;
            }
            None => {}
        }
        Ok(())
    }

    fn internal(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::new(Case::Internal, format!("writing {}: {error}", self.object.key))
    }

    async fn do_finish(&mut self) -> Result<ObjectInfo, Failure> {
        self.check()?;
        while !self.queue.is_empty() {
            self.step().await?;
        }
        let rest = self.pending.split().freeze();
        match self.plan.clone().finish().map_err(|error| self.too_many(&error))? {
            End::Single => self.put(rest).await,
            End::Parts { last } => {
                if let Some(part) = last {
                    self.upload.send(part, rest).await?;
                }
                let done = self.upload.complete(self.total).await?;
                Ok(self.info(done.etag, done.crc32))
            }
        }
    }

    async fn put(&self, body: Bytes) -> Result<ObjectInfo, Failure> {
        let crc32 = crc32fast::hash(&body);
        let (encryption, kms_key_id) = self.store.encryption();
        let output = self
            .store
            .client()
            .put_object()
            .bucket(self.store.bucket())
            .key(&self.object.key)
            .content_type(&self.object.content_type)
            .set_metadata(Some(metadata::of(&self.object)?))
            .set_bucket_key_enabled(kms_key_id.is_some().then_some(true))
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key_id)
            .checksum_crc32(encode_crc32(crc32))
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|error| failure(&format!("writing {}", self.object.key), &error))?;
        Ok(self.info(unquoted(output.e_tag().unwrap_or_default()).to_owned(), Some(crc32)))
    }

    fn info(&self, etag: String, crc32: Option<u32>) -> ObjectInfo {
        ObjectInfo {
            key: self.object.key.clone(),
            bytes: self.total,
            etag,
            content_type: Some(self.object.content_type.clone()),
            crc32,
            fingerprint: self.object.fingerprint.clone(),
        }
    }
}

#[async_trait]
impl ObjectWriter for S3Writer {
    async fn append(&mut self, bytes: Bytes) -> Result<(), Failure> {
        let result = self.do_append(bytes).await;
        self.guarded(result).await
    }

    async fn append_object(&mut self, key: &str, if_match: Option<&str>, offset: u64, len: u64) -> Result<(), Failure> {
        let result = self.do_append_object(key, if_match, offset, len).await;
        self.guarded(result).await
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectInfo, Failure> {
        let result = self.do_finish().await;
        self.guarded(result).await
    }

    async fn abort(mut self: Box<Self>) {
        self.queue.clear();
        self.upload.abort().await;
    }
}
