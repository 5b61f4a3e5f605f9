//! How the local services are set up.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// What [`LocalAws::start`](crate::LocalAws::start) needs to know.
#[derive(Clone, Debug)]
pub struct LocalOptions {
    /// Where everything is kept: buckets as folders, and the receiver's database in `.stagehost`. Made if it is not
    /// there; used by one process at a time.
    pub root: PathBuf,
    /// Address and port; port 0 takes any free one.
    pub bind: SocketAddr,
    /// Serve other machines, too. Nothing asks them who they are, and a batch makes this machine decode what they send.
    pub allow_remote: bool,
    /// In ARNs and signatures.
    pub region: String,
    /// Twelve digits, in ARNs.
    pub account: String,
    /// The media bucket; made if it is not there.
    pub bucket: String,
    /// Names under which the function is invoked; the first one hears MediaConvert's events.
    pub functions: Vec<String>,
    /// The secret that callbacks are signed with; `None` makes one up (see
    /// [`LocalAws::webhook_secret`](crate::LocalAws::webhook_secret)).
    pub webhook_secret: Option<String>,
    /// The header that carries the trace context of a callback.
    pub trace_header: String,
    /// Values for the `${Name}` placeholders of state machines' definitions. `HostFunctionArn` and `DeadLetterQueueUrl`
    /// have values of their own unless they are given here.
    pub substitutions: BTreeMap<String, String>,
    /// MediaConvert by ffmpeg. Region and account are taken from here.
    pub mediaconvert: stagehost_mediaconvert::Options,
}

impl LocalOptions {
    /// The usual settings for this folder: any free port of 127.0.0.1, no secret given.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            allow_remote: false,
            region: "us-east-1".into(),
            account: "000000000000".into(),
            bucket: "toq-listing-medias".into(),
            functions: vec!["listing-media-host-local".into()],
            webhook_secret: None,
            trace_header: "traceparent".into(),
            substitutions: BTreeMap::new(),
            mediaconvert: stagehost_mediaconvert::Options::default(),
        }
    }
}
