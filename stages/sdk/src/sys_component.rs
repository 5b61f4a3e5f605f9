//! The host behind this crate's functions: in a component, its imports.

use crate::bindings::toq::media::objects::{self, ObjectInfo};
use crate::bindings::toq::media::types::Failure;
use crate::bindings::toq::media::{call, http, keys, log as host_log, metrics, object_writer, progress, tags, webhook};

pub(crate) use call::{remaining_ms, trace_id};
pub(crate) use http::send as http;
pub(crate) use keys::{bundle as bundle_key, derive as derive_key, parse as parse_key};
pub(crate) use metrics::{count, time};
pub(crate) use objects::{Object, digest, stat};
pub(crate) use progress::report as progress;
pub(crate) use tags::set as tag;
pub(crate) use webhook::deliver;

pub(crate) struct Writer(object_writer::Writer);

pub(crate) fn open(key: &str, if_match: Option<&str>) -> Result<Object, Failure> {
    Object::open(key, if_match)
}

pub(crate) fn create(key: &str, content_type: &str, fingerprint: Option<&str>) -> Result<Writer, Failure> {
    object_writer::Writer::create(key, content_type, fingerprint).map(Writer)
}

impl Writer {
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.0.append(bytes)
    }

    pub(crate) fn append_object(
        &mut self,
        key: &str,
        if_match: Option<&str>,
        offset: u64,
        len: u64,
    ) -> Result<(), Failure> {
        self.0.append_object(key, if_match, offset, len)
    }

    pub(crate) fn finish(self) -> Result<ObjectInfo, Failure> {
        object_writer::Writer::finish(self.0)
    }
}

pub(crate) struct Exchange(http::Exchange);

pub(crate) fn begin(head: &http::RequestHead, timeout_ms: u32) -> Result<Exchange, Failure> {
    http::Exchange::begin(head, timeout_ms).map(Exchange)
}

impl Exchange {
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.0.write(bytes)
    }

    pub(crate) fn write_object(
        &mut self,
        key: &str,
        if_match: Option<&str>,
        offset: u64,
        len: u64,
    ) -> Result<(), Failure> {
        self.0.write_object(key, if_match, offset, len)
    }

    pub(crate) fn answer(&mut self) -> Result<(u16, Vec<(String, String)>), Failure> {
        self.0.answer().map(|head| (head.status, head.headers))
    }

    pub(crate) fn read(&mut self, len: u32) -> Result<Vec<u8>, Failure> {
        self.0.read(len)
    }

    pub(crate) fn store(
        &mut self,
        key: &str,
        content_type: &str,
        fingerprint: Option<&str>,
    ) -> Result<ObjectInfo, Failure> {
        self.0.store(key, content_type, fingerprint)
    }
}

pub(crate) fn log(level: log::Level, message: &str, fields: &[(&str, &str)]) {
    let level = match level {
        log::Level::Error => host_log::Level::Error,
        log::Level::Warn => host_log::Level::Warn,
        log::Level::Info => host_log::Level::Info,
        log::Level::Debug => host_log::Level::Debug,
        log::Level::Trace => host_log::Level::Trace,
    };
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    host_log::write(level, message, &fields);
}
