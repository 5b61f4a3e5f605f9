//! The host behind this crate's functions: natively, the objects in memory of [`testing`](crate::testing).

use crate::bindings::toq::media::http::{Request, RequestHead, Response};
use crate::bindings::toq::media::objects::{Digests, ObjectInfo};
use crate::bindings::toq::media::types::Failure;
use crate::bindings::toq::media::webhook::Reply;
use crate::testing::keys;
use crate::testing::state::{LogLine, Measure, NewBytes, StoredObject, with};

pub(crate) use keys::{derive as derive_key, parse as parse_key};

pub(crate) fn bundle_key(name: &str) -> Result<String, Failure> {
    with(|host| keys::bundle(&host.listing, name))
}

pub(crate) fn stat(key: &str) -> Result<ObjectInfo, Failure> {
    with(|host| host.found(key, None).map(|object| object.info(key)))
}

pub(crate) fn digest(key: &str, if_match: Option<&str>) -> Result<Digests, Failure> {
    with(|host| host.found(key, if_match).map(|object| object.digests()))
}

pub(crate) fn tag(key: &str, name: &str, value: &str) -> Result<(), Failure> {
    with(|host| {
        host.found(key, None)?;
        host.tags.push((key.to_owned(), name.to_owned(), value.to_owned()));
        Ok(())
    })
}

/// An open object: its key and the bytes of one version.
pub(crate) struct Object {
    key: String,
    object: StoredObject,
}

pub(crate) fn open(key: &str, if_match: Option<&str>) -> Result<Object, Failure> {
    with(|host| Ok(Object { key: key.to_owned(), object: host.found(key, if_match)?.clone() }))
}

impl Object {
    pub(crate) fn info(&self) -> ObjectInfo {
        self.object.info(&self.key)
    }

    pub(crate) fn read(&self, offset: u64, len: u32) -> Result<Vec<u8>, Failure> {
        with(|host| host.found(&self.key, Some(&self.object.etag())).map(|_| ()))?;
        Ok(self.object.range(offset, u64::from(len.min(8 << 20))).to_vec())
    }
}

pub(crate) struct Writer {
    key: String,
    new: NewBytes,
}

pub(crate) fn create(key: &str, content_type: &str, fingerprint: Option<&str>) -> Result<Writer, Failure> {
    let new = NewBytes::new(content_type, fingerprint);
    with(|host| host.fault(key))?;
    Ok(Writer { key: key.to_owned(), new })
}

impl Writer {
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.len() > 4 << 20 {
            return Err(Failure::TooLarge(format!("an append of {} bytes; at most 4 MiB", bytes.len())));
        }
        self.new.bytes.extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn append_object(
        &mut self,
        key: &str,
        if_match: Option<&str>,
        offset: u64,
        len: u64,
    ) -> Result<(), Failure> {
        let object = with(|host| host.found(key, if_match).cloned())?;
        self.new.bytes.extend_from_slice(object.range(offset, len));
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<ObjectInfo, Failure> {
        let Self { key, new } = self;
        let object = StoredObject::from(new);
        let info = object.info(&key);
        with(|host| host.objects.insert(key, object));
        Ok(info)
    }
}

pub(crate) fn http(request: &Request, _timeout_ms: u32) -> Result<Response, Failure> {
    with(|host| {
        host.requests.push(request.clone());
        host.responses.pop_front().unwrap_or_else(|| Err(Failure::Denied("the test host has no response left".into())))
    })
}

/// A request in pieces: its head and what was written of its body; then its answer, how much of it was read, and how it ends.
pub(crate) struct Exchange {
    request: Request,
    declared: Option<u64>,
    answer: Vec<u8>,
    read: usize,
    end: Result<(), Failure>,
}

pub(crate) fn begin(head: &RequestHead, _timeout_ms: u32) -> Result<Exchange, Failure> {
    let RequestHead { method, url, headers, body_bytes } = head.clone();
    let request = Request { method, url, headers, body: Vec::new() };
    with(|host| host.fault(&request.url))?;
    Ok(Exchange { request, declared: body_bytes, answer: Vec::new(), read: 0, end: Ok(()) })
}

impl Exchange {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let after = (self.request.body.len() + bytes.len()) as u64;
        if self.declared.is_some_and(|declared| after > declared) {
            return Err(Failure::InvalidInput(format!("{after} bytes are more than the head says")));
        }
        self.request.body.extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn write_object(
        &mut self,
        key: &str,
        if_match: Option<&str>,
        offset: u64,
        len: u64,
    ) -> Result<(), Failure> {
        let object = with(|host| host.found(key, if_match).cloned())?;
        let bytes = object.range(offset, len);
        if (bytes.len() as u64) < len {
            return Err(Failure::InvalidInput(format!("{key} ends before {len} bytes from {offset}")));
        }
        self.write(bytes)
    }

    pub(crate) fn answer(&mut self) -> Result<(u16, Vec<(String, String)>), Failure> {
        let written = self.request.body.len() as u64;
        if self.declared.is_some_and(|declared| written < declared) {
            return Err(Failure::InvalidInput(format!("{written} bytes are fewer than the head says")));
        }
        let Response { status, headers, body } = http(&self.request, 0)?;
        self.end = with(|host| host.breaks.remove(&self.request.url)).map_or(Ok(()), Err);
        self.answer = body;
        Ok((status, headers))
    }

    pub(crate) fn read(&mut self, len: u32) -> Result<Vec<u8>, Failure> {
        let end = self.answer.len().min(self.read + len.min(4 << 20) as usize);
        let piece = self.answer[self.read..end].to_vec();
        if piece.len() < len.min(4 << 20) as usize {
            self.end.clone()?;
        }
        self.read = end;
        Ok(piece)
    }

    pub(crate) fn store(
        &mut self,
        key: &str,
        content_type: &str,
        fingerprint: Option<&str>,
    ) -> Result<ObjectInfo, Failure> {
        let mut writer = create(key, content_type, fingerprint)?;
        self.end.clone()?;
        writer.new.bytes = self.answer.split_off(self.read);
        writer.finish()
    }
}

pub(crate) fn deliver(body: &str) -> Result<Reply, Failure> {
    with(|host| {
        host.deliveries.push(body.to_owned());
        host.replies.pop_front().unwrap_or(Ok(Reply { status: 200, retry_after_ms: None }))
    })
}

pub(crate) fn progress(_done: u64, _total: u64) {}

pub(crate) fn log(level: log::Level, message: &str, fields: &[(&str, &str)]) {
    let fields = fields.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    with(|host| host.logs.push(LogLine { level, message: message.to_owned(), fields }));
}

pub(crate) fn count(name: &str, amount: u64) {
    with(|host| host.measures.push(Measure::Count(name.to_owned(), amount)));
}

pub(crate) fn time(name: &str, milliseconds: f64) {
    with(|host| host.measures.push(Measure::Milliseconds(name.to_owned(), milliseconds)));
}

pub(crate) fn remaining_ms() -> u64 {
    with(|host| host.remaining_ms)
}

/// A test's batch has no trace.
pub(crate) fn trace_id() -> Option<String> {
    None
}
