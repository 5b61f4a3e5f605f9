//! The S3 API over a plain folder, so that results are files that a person can open.
//!
//! `<root>/<bucket>/<key>` is the file with the object's bytes; the visible tree contains nothing else. A file that a
//! person adds there is an object, and a file that a person removes is a deleted object. Other properties (content
//! type, user metadata, tags, entity tag, checksums), uploads in progress and unfinished files are in
//! `<root>/.stagehost/s3`, which no key can name.
//!
//! # Why not `s3s-fs`
//! `s3s` implements the protocol (routing, headers, XML, signatures); this crate implements the storage. The sample
//! storage of `s3s`, `s3s-fs` (version 0.14.1), lacks guarantees that a pipeline needs:
//! - It checks `If-None-Match` and `If-Match` before the body arrives and without a lock, so two writers can both
//!   succeed. Here the check and the replacement are one step under a lock per key.
//! - It makes an object visible before it compares `Content-MD5` and checksums. Here a wrong body is never visible.
//! - It completes an upload without comparing the entity tags of the named parts, and removes parts while it reads
//!   them.
//! - It hashes a file that it has not written itself for every request. Here a file is hashed once until it changes.
//! - It resolves `..` in keys, so that `a/../b` and `b` are one object, and a key cannot be the directory of another.
//! - It deletes buckets that are not empty, has no tags, and stores its records as hidden files between the buckets.
//!
//! # Guarantees
//! - An object becomes visible whole or not at all: bytes are written to a hidden file, which is renamed into place.
//!   Nothing is synced to the disk: after a power failure, the last writes may be missing.
//! - A reader gets the version that it opened, even if the object is replaced meanwhile.
//! - Memory is bounded by the number of requests, at about 1 MiB each. Bodies, copies and parts are moved in buffers of
//!   256 KiB or inside the kernel. One exception: with [`Credentials::Fixed`], `s3s` decodes `aws-chunked` bodies and
//!   collects one chunk at a time, whose size the client chooses.
//! - No request can leave the root, and symbolic links in it are not followed.
//!
//! # Not supported
//! Versions, access control, life cycles and encryption. SSE headers are accepted and returned as on S3, but nothing is
//! encrypted. Only one process can serve a folder at a time. Unix only.
//!
//! # Example
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use hyper::service::service_fn;
//! use stagehost_s3::{Options, S3Service};
//!
//! let s3 = S3Service::new("out".as_ref(), Options::default())?;
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:4566").await?;
//! loop {
//!     let (stream, _) = listener.accept().await?;
//!     let s3 = s3.clone();
//!     tokio::spawn(async move {
//!         let service = service_fn(move |request| {
//!             let s3 = s3.clone();
//!             async move { Ok::<_, std::convert::Infallible>(s3.handle(request).await) }
//!         });
//!         let io = hyper_util::rt::TokioIo::new(stream);
//!         hyper::server::conn::http1::Builder::new().serve_connection(io, service).await
//!     });
//! }
//! # }
//! ```

mod api;
mod digest;
mod error;
mod http;
mod listen;
mod service;
mod storage;

pub use error::FolderError;
/// The body of a response: an `http_body::Body` of `Bytes`, which hyper and axum accept.
pub use s3s::Body;
pub use service::{Credentials, Options, S3Service};
