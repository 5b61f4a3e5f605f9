//! Records objects that are written. Their digests are recorded; their bytes are in the bucket.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use stagehost_batch::Failure;
use stagehost_runtime::capability::{NewObject, ObjectInfo, ObjectWriter, Objects};

use crate::log::{CallLog, cost};
use crate::parts::PartsBuilder;
use crate::record_format::{Answer, HostCall, Step, Write, WriteEnd, WriteFailure};

pub(super) struct RecordedWriter {
    inner: Option<Box<dyn ObjectWriter>>,
    log: Arc<CallLog>,
    /// The number of the host call that began it; `None` if it is not recorded.
    number: Option<usize>,
    key: String,
    parts: PartsBuilder,
}

impl RecordedWriter {
    pub(super) async fn create(
        objects: &dyn Objects,
        log: Arc<CallLog>,
        object: NewObject,
    ) -> Result<Box<dyn ObjectWriter>, Failure> {
        let key = object.key.clone();
        let mut write = Write {
            key: key.clone(),
            content_type: object.content_type.clone(),
            fingerprint: object.fingerprint.clone(),
            parts: Vec::new(),
            failures: Vec::new(),
            end: WriteEnd::Dropped,
        };
        let created = objects.create(object).await;
        if let Err(failure) = &created {
            write.failures.push(WriteFailure { step: Step::Create, at: 0, problem: failure.into() });
        }
        let number = log.add(HostCall::Write(write));
        Ok(Box::new(Self { inner: Some(created?), log, number, key, parts: PartsBuilder::default() }))
    }

    fn failed(&self, step: Step, failure: &Failure) {
        let failed = WriteFailure { step, at: self.parts.total(), problem: failure.into() };
        self.log.change(self.number, cost(&failed) + size_of::<WriteFailure>() as u64, |call| {
            if let HostCall::Write(write) = call {
                write.failures.push(failed);
            }
        });
    }

    /// Records the end of the object.
    fn ended(&mut self, end: WriteEnd) {
        // The parts were charged one by one.
        let parts = std::mem::take(&mut self.parts).end();
        self.log.change(self.number, cost(&end), |call| {
            if let HostCall::Write(write) = call {
                (write.parts, write.end) = (parts, end);
            }
        });
    }

    fn inner(&mut self) -> Result<&mut Box<dyn ObjectWriter>, Failure> {
        self.inner.as_mut().ok_or_else(used_after_end)
    }
}

/// Returns the error of a writer that was used after its end. This cannot happen, because both ways to end it consume
/// it.
fn used_after_end() -> Failure {
    Failure::new(stagehost_batch::Case::Internal, "the writer is gone")
}

#[async_trait]
impl ObjectWriter for RecordedWriter {
    async fn append(&mut self, bytes: Bytes) -> Result<(), Failure> {
        let answer = self.inner()?.append(bytes.clone()).await;
        match &answer {
            Ok(()) => {
                if !bytes.is_empty() && self.log.charge(self.parts.cost_of_append()) {
                    self.parts.append(&bytes);
                }
            }
            Err(failure) => self.failed(Step::Append, failure),
        }
        answer
    }

    async fn append_object(&mut self, key: &str, if_match: Option<&str>, offset: u64, len: u64) -> Result<(), Failure> {
        let answer = self.inner()?.append_object(key, if_match, offset, len).await;
        match &answer {
            Ok(()) => {
                if self.log.charge(self.parts.cost_of_copy(key, if_match, offset)) {
                    self.parts.copy(key, if_match, offset, len);
                }
            }
            Err(failure) => self.failed(Step::AppendObject, failure),
        }
        answer
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectInfo, Failure> {
        let answer = self.inner.take().ok_or_else(used_after_end)?.finish().await;
        self.ended(WriteEnd::Finished { answer: Answer::of(&answer) });
        if answer.is_ok() {
            self.log.finish(&self.key);
        }
        answer
    }

    async fn abort(mut self: Box<Self>) {
        self.ended(WriteEnd::Dropped);
        if let Some(inner) = self.inner.take() {
            inner.abort().await;
        }
    }
}
