//! Records the use of stored objects.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use stagehost_batch::Failure;
use stagehost_runtime::capability::{Digests, NewObject, ObjectInfo, ObjectPage, ObjectReader, ObjectWriter, Objects};

use super::writer::RecordedWriter;
use crate::log::CallLog;
use crate::record_format::{Answer, HostCall, Read};
use crate::spool::Version;

pub(super) struct RecordedObjects {
    pub(super) inner: Arc<dyn Objects>,
    pub(super) log: Arc<CallLog>,
}

#[async_trait]
impl Objects for RecordedObjects {
    async fn stat(&self, key: &str) -> Result<ObjectInfo, Failure> {
        let written = self.log.written(key);
        let answer = self.inner.stat(key).await;
        self.log.add(HostCall::Stat { key: key.to_owned(), written, answer: Answer::of(&answer) });
        answer
    }

    async fn digest(&self, key: &str, if_match: Option<&str>) -> Result<Digests, Failure> {
        let written = self.log.written(key);
        let answer = self.inner.digest(key, if_match).await;
        self.log.add(HostCall::Digest {
            key: key.to_owned(),
            if_match: if_match.map(str::to_owned),
            written,
            answer: Answer::of(&answer),
        });
        answer
    }

    async fn open(&self, key: &str, if_match: Option<&str>) -> Result<Box<dyn ObjectReader>, Failure> {
        let written = self.log.written(key);
        let opened = self.inner.open(key, if_match).await;
        let info = opened.as_ref().map(|reader| reader.info().clone()).map_err(Clone::clone);
        let number = self.log.add(HostCall::Open {
            key: key.to_owned(),
            if_match: if_match.map(str::to_owned),
            written,
            answer: Answer::of(&info),
            reads: Vec::new(),
        });
        let inner = opened?;
        let version = (key.to_owned(), inner.info().etag.clone());
        Ok(Box::new(RecordedReader { inner, log: self.log.clone(), number, version }))
    }

    async fn create(&self, object: NewObject) -> Result<Box<dyn ObjectWriter>, Failure> {
        let (log, inner) = (self.log.clone(), self.inner.clone());
        RecordedWriter::create(inner.as_ref(), log, object).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, most: u16) -> Result<ObjectPage, Failure> {
        let answer = self.inner.list(prefix, after, most).await;
        self.log.add(HostCall::List {
            prefix: prefix.to_owned(),
            after: after.map(str::to_owned),
            answer: Answer::of(&answer),
        });
        answer
    }

    async fn delete(&self, key: &str, if_match: &str, stage: &str) -> Result<(), Failure> {
        let answer = self.inner.delete(key, if_match, stage).await;
        self.log.add(HostCall::Delete {
            key: key.to_owned(),
            if_match: if_match.to_owned(),
            answer: Answer::of(&answer),
        });
        if answer.is_ok() {
            self.log.finish(key);
        }
        answer
    }

    async fn tag(&self, key: &str, name: &str, value: &str) -> Result<(), Failure> {
        let answer = self.inner.tag(key, name, value).await;
        self.log.add(HostCall::Tag {
            key: key.to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
            answer: Answer::of(&answer),
        });
        answer
    }
}

struct RecordedReader {
    inner: Box<dyn ObjectReader>,
    log: Arc<CallLog>,
    /// The number of the host call that opened it; `None` if it is not recorded.
    number: Option<usize>,
    version: Version,
}

#[async_trait]
impl ObjectReader for RecordedReader {
    fn info(&self) -> &ObjectInfo {
        self.inner.info()
    }

    async fn read(&mut self, offset: u64, len: u32) -> Result<Bytes, Failure> {
        let answer = self.inner.read(offset, len).await;
        match &answer {
            Ok(bytes) => self.log.read(self.number, &self.version, self.inner.info().bytes, offset, bytes),
            Err(failure) => {
                self.log.failed_read(self.number, Read { offset, bytes: len.into(), failed: Some(failure.into()) })
            }
        }
        answer
    }
}
