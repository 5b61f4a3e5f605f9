//! The settings of the local services.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::lambda::foreign::ForeignFunction;

/// The settings for [`LocalAws::start`](crate::LocalAws::start).
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// The folder for everything: buckets are folders in it, and the receiver's database is in `.stagehost`. It is
    /// created if it does not exist. One process at a time can use it.
    pub root: PathBuf,
    /// Address and port; port 0 selects a free one.
    pub bind: SocketAddr,
    /// Allows requests from other machines. They are not authenticated, and this machine decodes the files of their
    /// batches.
    pub allow_remote: bool,
    /// The region in ARNs and signatures.
    pub region: String,
    /// The account in ARNs, twelve digits.
    pub account: String,
    /// The media bucket. It is created if it does not exist.
    pub bucket: String,
    /// The names of the function. The first one is invoked for MediaConvert's events.
    pub functions: Vec<String>,
    /// Functions that are not the host's, by name, and where their calls go.
    pub foreign_functions: BTreeMap<String, ForeignFunction>,
    /// The secret with which callbacks are signed. `None` generates one; see
    /// [`LocalAws::webhook_secret`](crate::LocalAws::webhook_secret).
    pub webhook_secret: Option<String>,
    /// The header that carries the trace context of a callback.
    pub trace_header: String,
    /// Values for the `${Name}` placeholders in definitions of state machines. `HostFunctionArn` and
    /// `DeadLetterQueueUrl` have default values.
    pub substitutions: BTreeMap<String, String>,
    /// The settings of MediaConvert. Its region and account are those of these options.
    pub mediaconvert: stagehost_mediaconvert::Options,
}

impl LocalOptions {
    /// Returns default settings for this folder: a free port of 127.0.0.1 and a generated secret.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            allow_remote: false,
            region: "us-east-1".into(),
            account: "000000000000".into(),
            bucket: "toq-listing-medias".into(),
            functions: vec!["listing-media-host-local".into()],
            foreign_functions: BTreeMap::new(),
            webhook_secret: None,
            trace_header: "traceparent".into(),
            substitutions: BTreeMap::new(),
            mediaconvert: stagehost_mediaconvert::Options::default(),
        }
    }
}
