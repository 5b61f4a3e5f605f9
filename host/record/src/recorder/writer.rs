//! Objects that are written, recorded: not their bytes, which are in the bucket afterwards, but their digests.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use stagehost_batch::Failure;
use stagehost_runtime::capability::{NewObject, ObjectInfo, ObjectWriter, Objects};

use crate::format::{Answer, HostCall, Part, Step, Write, WriteEnd, WriteFailure};
use crate::log::CallLog;

/// What an object is made of, however its bytes were cut into appends.
#[derive(Default)]
pub(crate) struct Parts {
    parts: Vec<Part>,
    made: Option<(Sha256, u64)>,
    total: u64,
}

impl Parts {
    pub(crate) fn make(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let (hash, len) = self.made.get_or_insert_with(Default::default);
        hash.update(bytes);
        *len += bytes.len() as u64;
        self.total += bytes.len() as u64;
    }

    pub(crate) fn copy(&mut self, key: &str, if_match: Option<&str>, from: u64, len: u64) {
        self.end_made();
        self.total += len;
        if let Some(Part::Copied { object, if_match: version, offset, bytes }) = self.parts.last_mut()
            && object == key
            && version.as_deref() == if_match
            && *offset + *bytes == from
        {
            *bytes += len;
            return;
        }
        let (object, if_match) = (key.to_owned(), if_match.map(str::to_owned));
        self.parts.push(Part::Copied { object, if_match, offset: from, bytes: len });
    }

    fn end_made(&mut self) {
        if let Some((hash, bytes)) = self.made.take() {
            self.parts.push(Part::Made { bytes, sha256: hex::encode(hash.finalize()) });
        }
    }

    /// How long it is by now.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    pub(crate) fn end(mut self) -> Vec<Part> {
        self.end_made();
        self.parts
    }
}

pub(super) struct RecordedWriter {
    inner: Option<Box<dyn ObjectWriter>>,
    log: Arc<CallLog>,
    number: usize,
    key: String,
    parts: Parts,
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
        Ok(Box::new(Self { inner: Some(created?), log, number, key, parts: Parts::default() }))
    }

    fn failed(&self, step: Step, failure: &Failure) {
        let failed = WriteFailure { step, at: self.parts.total(), problem: failure.into() };
        self.log.change(self.number, |call| {
            if let HostCall::Write(write) = call {
                write.failures.push(failed);
            }
        });
    }

    /// Writes down what it came to.
    fn ended(&mut self, end: WriteEnd) {
        let parts = std::mem::take(&mut self.parts).end();
        self.log.change(self.number, |call| {
            if let HostCall::Write(write) = call {
                (write.parts, write.end) = (parts, end);
            }
        });
    }

    fn inner(&mut self) -> Result<&mut Box<dyn ObjectWriter>, Failure> {
        self.inner.as_mut().ok_or_else(over)
    }
}

/// Cannot be: both ways to end a writer consume it.
fn over() -> Failure {
    Failure::new(stagehost_batch::Case::Internal, "the writer is gone")
}

#[async_trait]
impl ObjectWriter for RecordedWriter {
    async fn append(&mut self, bytes: Bytes) -> Result<(), Failure> {
        let answer = self.inner()?.append(bytes.clone()).await;
        match &answer {
            Ok(()) => self.parts.make(&bytes),
            Err(failure) => self.failed(Step::Append, failure),
        }
        answer
    }

    async fn append_object(&mut self, key: &str, if_match: Option<&str>, offset: u64, len: u64) -> Result<(), Failure> {
        let answer = self.inner()?.append_object(key, if_match, offset, len).await;
        match &answer {
            Ok(()) => self.parts.copy(key, if_match, offset, len),
            Err(failure) => self.failed(Step::AppendObject, failure),
        }
        answer
    }

    async fn finish(mut self: Box<Self>) -> Result<ObjectInfo, Failure> {
        let answer = self.inner.take().ok_or_else(over)?.finish().await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_bytes_are_cut_into_appends_makes_no_difference() {
        let (mut one, mut many) = (Parts::default(), Parts::default());
        one.make(b"header");
        one.copy("a", Some("v1"), 0, 10);
        for byte in b"header" {
            many.make(&[*byte]);
        }
        many.copy("a", Some("v1"), 0, 4);
        many.make(b"");
        many.copy("a", Some("v1"), 4, 6);
        assert_eq!((one.total(), many.total()), (16, 16));
        let (one, many) = (one.end(), many.end());
        assert_eq!(one, many);
        assert_eq!(one.len(), 2);
    }
}
