//! Writes an object composed of bytes and stored objects, with as little traffic and memory as S3 allows.
//!
//! Memory: the part that is being filled, parts on their way and bytes fetched ahead, all charged to the call's budget.
//! Where it is short, the writer fetches less ahead and waits until a part has been sent; it fails only if not even one
//! part fits beside what else the call holds.
//!
//! The queue keeps the order. Bytes of stored objects that must pass through the host are fetched as soon as they are
//! known to be needed, several files at once, and join the part in their turn. So a failed fetch is reported by a later
//! call of the writer, at the latest by `finish`. The object is not visible before that.

use std::collections::VecDeque;

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{NewObject, ObjectInfo, ObjectWriter};
use stagehost_runtime::{Charge, HostBudget};
use tokio::task::JoinSet;

use crate::objects::body::MAX_CHUNK;
use crate::objects::bucket::MediaBucket;
use crate::objects::conditional_write::{Replacing, refusal};
use crate::objects::in_memory;
use crate::objects::metadata;
use crate::objects::notation::{encode_crc32, unquoted};
use crate::objects::parts::{Completion, PartLimits, PartStep, Planner};
use crate::objects::upload::MultipartUpload;

/// How many bytes wait in the queue for their turn at most.
const MAX_QUEUED: u64 = 16 << 20;

/// The longest piece of a stored object that is fetched by one request, in bytes.
const MAX_FETCH: u64 = 2 << 20;

/// How many pieces are fetched at the same time.
const MAX_FETCHES: usize = 8;

/// What an item of the queue takes beside its bytes.
const QUEUE_ITEM: usize = 256;

pub(crate) struct S3Writer {
    bucket: MediaBucket,
    budget: HostBudget,
    object: NewObject,
    plan: Planner,
    queue: VecDeque<QueueItem>,
    /// How many bytes wait in the queue.
    queued: u64,
    /// How many fetches wait in the queue.
    fetches: usize,
    /// The part that is being filled.
    pending: BytesMut,
    /// The bytes of `pending`.
    pending_charge: Charge,
    /// How many bytes the object has so far.
    total: u64,
    upload: MultipartUpload,
    /// The failure that ended the writer; every later call returns it again.
    failed: Option<Failure>,
}

/// What is to be added to the object in its turn.
enum QueueItem {
    Bytes(Bytes),
    /// Bytes on their way. The set has one task; dropping it stops the fetch.
    Fetch {
        len: u64,
        task: JoinSet<Result<Bytes, Failure>>,
        charge: Charge,
    },
    /// The end of a part.
    Cut {
        part: i32,
    },
}

impl S3Writer {
    pub(crate) fn new(bucket: MediaBucket, budget: HostBudget, object: NewObject) -> Result<Self, Failure> {
        let metadata = metadata::of(&object)?;
        Ok(Self {
            upload: MultipartUpload::new(bucket.clone(), &object, metadata),
            bucket,
            object,
            plan: Planner::new(PartLimits::S3),
            queue: VecDeque::new(),
            queued: 0,
            fetches: 0,
            pending: BytesMut::new(),
            pending_charge: Charge::none(&budget),
            total: 0,
            failed: None,
            budget,
        })
    }

    /// Passes on the result of one call. After a failure, the upload is aborted.
    async fn abort_on_failure<T>(&mut self, result: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure) = &result {
            self.failed = Some(failure.clone());
            self.clear();
            self.upload.abort().await;
        }
        result
    }

    /// Frees all buffers that are not on their way.
    fn clear(&mut self) {
        self.queue.clear();
        drop(self.take_part());
    }

    /// Takes out the part that is being filled, and its charge.
    fn take_part(&mut self) -> (Bytes, Charge) {
        // Not `split`, which would keep the allocation.
        let bytes = std::mem::take(&mut self.pending).freeze();
        (bytes, std::mem::replace(&mut self.pending_charge, Charge::none(&self.budget)))
    }

    /// Returns the failure that ended the writer.
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
        let mut rest = self.charge_in_queue(bytes).await?;
        for step in steps {
            match step {
                PartStep::Take { len, .. } => {
                    let len = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
                    self.push(QueueItem::Bytes(rest.split_to(len)));
                }
                PartStep::Cut { part } => self.push(QueueItem::Cut { part }),
                // S3 copies ranges of stored objects only, never bytes.
                PartStep::Copy { .. } => {}
            }
        }
        self.advance().await
    }

    /// Charges bytes that have to wait in the queue; without room for them, the queue is processed first.
    async fn charge_in_queue(&mut self, bytes: Bytes) -> Result<Bytes, Failure> {
        if self.queue.is_empty() {
            return Ok(bytes);
        }
        if let Some(charge) = self.budget.try_charge(bytes.len() + QUEUE_ITEM, self.missing_in_part()) {
            return Ok(charge.attach(bytes));
        }
        self.make_room(0, 0).await?;
        Ok(bytes)
    }

    /// Returns how many bytes the part that is being filled may still take. What is queued must leave room for them.
    fn missing_in_part(&self) -> usize {
        usize::try_from(PartLimits::S3.part).unwrap_or(usize::MAX).saturating_sub(self.pending.len())
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
        let beyond = || {
            Failure::new(
                Case::InvalidInput,
                format!("{key}: the range of {len} bytes at {offset} is longer than any object"),
            )
        };
        offset.checked_add(len).filter(|end| *end <= i64::MAX as u64).ok_or_else(beyond)?;
        let etag = match if_match {
            Some(etag) => unquoted(etag).to_owned(),
            // All pieces must come from one version, so its entity tag is needed.
            None => self.bucket.head(key, None).await?.etag,
        };
        self.total += len;
        let steps = self.plan.append_object(len).map_err(|error| self.too_many(&error))?;
        for step in steps {
            match step {
                PartStep::Take { offset: from, len } => {
                    let (mut start, end) = (offset + from, offset + from + len);
                    while start < end {
                        let stop = (start + MAX_FETCH).min(end);
                        self.make_room(MAX_QUEUED.saturating_sub(stop - start), MAX_FETCHES - 1).await?;
                        let charge = self.charge_fetch(stop - start).await?;
                        self.fetch(key, &etag, start..stop, charge);
                        start = stop;
                    }
                }
                PartStep::Cut { part } => self.push(QueueItem::Cut { part }),
                PartStep::Copy { part, offset: from, len } => {
                    let start = offset + from;
                    self.upload.copy(part, key, &etag, start..start + len).await?;
                }
            }
        }
        self.advance().await
    }

    /// Charges a piece that is about to be fetched, with the chunk of it that is on its way. Without room to fetch it ahead,
    /// what is in front of it is processed first.
    async fn charge_fetch(&mut self, len: u64) -> Result<Charge, Failure> {
        let bytes = usize::try_from(len).unwrap_or(usize::MAX).saturating_add(MAX_CHUNK + QUEUE_ITEM);
        loop {
            if let Some(charge) = self.budget.try_charge(bytes, self.missing_in_part()) {
                return Ok(charge);
            }
            if self.queue.is_empty() {
                return self.budget.charge_in_turn(bytes, "a piece of a stored object").await;
            }
            self.process_next().await?;
        }
    }

    /// Begins to fetch a range and queues it.
    fn fetch(&mut self, key: &str, etag: &str, range: std::ops::Range<u64>, charge: Charge) {
        let (bucket, key, etag) = (self.bucket.clone(), key.to_owned(), etag.to_owned());
        let len = range.end - range.start;
        let mut task = JoinSet::new();
        task.spawn(async move { in_memory::read_range(&bucket, &key, &etag, range).await });
        self.fetches += 1;
        self.push(QueueItem::Fetch { len, task, charge });
    }

    fn push(&mut self, item: QueueItem) {
        self.queued += match &item {
            QueueItem::Bytes(bytes) => bytes.len() as u64,
            QueueItem::Fetch { len, .. } => *len,
            QueueItem::Cut { .. } => 0,
        };
        self.queue.push_back(item);
    }

    /// Processes the items whose bytes are here, and waits for others only while the queue is above its limits.
    async fn advance(&mut self) -> Result<(), Failure> {
        while !matches!(self.queue.front(), None | Some(QueueItem::Fetch { .. })) {
            self.process_next().await?;
        }
        self.make_room(MAX_QUEUED, MAX_FETCHES).await
    }

    /// Processes items until the queue is within these limits.
    async fn make_room(&mut self, bytes: u64, fetches: usize) -> Result<(), Failure> {
        while self.queued > bytes || self.fetches > fetches {
            self.process_next().await?;
        }
        Ok(())
    }

    /// Processes the next item of the queue.
    async fn process_next(&mut self) -> Result<(), Failure> {
        match self.queue.pop_front() {
            Some(QueueItem::Bytes(bytes)) => {
                self.queued -= bytes.len() as u64;
                self.fill(&bytes).await?;
            }
            Some(QueueItem::Fetch { len, mut task, charge }) => {
                self.queued -= len;
                self.fetches -= 1;
                let bytes = match task.join_next().await {
                    Some(Ok(bytes)) => bytes?,
                    Some(Err(error)) => return Err(self.internal(&error)),
                    None => return Err(self.internal(&"a fetch ended without a result")),
                };
                self.fill(&bytes).await?;
                // The fetched bytes are freed with this.
                drop((bytes, charge));
            }
            Some(QueueItem::Cut { part }) => self.send_part(part).await?,
            None => {}
        }
        Ok(())
    }

    /// Adds bytes to the part that is being filled. Waits while parts on their way leave no room for them.
    async fn fill(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.pending_charge.absorb(self.budget.charge_in_turn(bytes.len(), "a part of an object").await?);
        self.pending.extend_from_slice(bytes);
        Ok(())
    }

    /// Begins to send the part that is being filled.
    async fn send_part(&mut self, part: i32) -> Result<(), Failure> {
        let (bytes, charge) = self.take_part();
        self.upload.send(part, charge.attach_in_transit(bytes)).await
    }

    fn internal(&self, error: &dyn std::fmt::Display) -> Failure {
        Failure::new(Case::Internal, format!("writing {}: {error}", self.object.key))
    }

    async fn do_finish(&mut self) -> Result<ObjectInfo, Failure> {
        self.check()?;
        while !self.queue.is_empty() {
            self.process_next().await?;
        }
        match self.plan.clone().finish().map_err(|error| self.too_many(&error))? {
            Completion::Single => {
                let (bytes, charge) = self.take_part();
                self.put(charge.attach(bytes)).await
            }
            Completion::Parts { last } => {
                if let Some(part) = last {
                    self.send_part(part).await?;
                }
                let done = self.upload.complete(self.total, &self.object).await?;
                Ok(self.info(done.etag, done.crc32))
            }
        }
    }

    /// Writes an object of a single part by one request.
    async fn put(&self, body: Bytes) -> Result<ObjectInfo, Failure> {
        let crc32 = crc32fast::hash(&body);
        let metadata = metadata::of(&self.object)?;
        let what = format!("writing {}", self.object.key);
        let mut replacing = Replacing::new(&self.bucket, &self.object, body.len() as u64, Some(crc32));
        loop {
            let (encryption, kms_key_id) = self.bucket.encryption();
            let answer = self
                .bucket
                .client()
                .put_object()
                .bucket(self.bucket.name())
                .key(&self.object.key)
                .set_if_none_match(replacing.if_none_match().map(str::to_owned))
                .set_if_match(replacing.if_match())
                .content_type(&self.object.content_type)
                .set_metadata(Some(metadata.clone()))
                .set_bucket_key_enabled(kms_key_id.is_some().then_some(true))
                .set_server_side_encryption(encryption)
                .set_ssekms_key_id(kms_key_id)
                .checksum_crc32(encode_crc32(crc32))
                .body(ByteStream::from(body.clone()))
                .send()
                .await;
            match answer {
                Ok(output) => {
                    return Ok(self.info(unquoted(output.e_tag().unwrap_or_default()).to_owned(), Some(crc32)));
                }
                Err(error) => {
                    refusal(&what, &error)?;
                    if let Some(stored) = replacing.refused(&what).await? {
                        return Ok(self.info(stored.etag, Some(crc32)));
                    }
                }
            }
        }
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
        self.abort_on_failure(result).await
    }

    async fn append_object(&mut self, key: &str, if_match: Option<&str>, offset: u64, len: u64) -> Result<(), Failure> {
        let result = self.do_append_object(key, if_match, offset, len).await;
        self.abort_on_failure(result).await
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectInfo, Failure> {
        let result = self.do_finish().await;
        self.abort_on_failure(result).await
    }

    async fn abort(mut self: Box<Self>) {
        self.clear();
        self.upload.abort().await;
    }
}
