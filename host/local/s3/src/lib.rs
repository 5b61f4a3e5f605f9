//! The S3 API over a plain folder, so that results are files which a person can open.
//!
//! `<root>/<bucket>/<key>` holds the object's bytes and the visible tree holds nothing else. A file that somebody puts
//! there is an object; an object that somebody removes is gone. What S3 knows besides the bytes (content type, user
//! metadata, tags, entity tag, checksums), uploads in progress and unfinished files live in `<root>/.stagehost/s3`,
//! which no key can name.
//!
//! # Why not `s3s-fs`
//! The protocol (routing, headers, XML, signatures) is `s3s`'s; the storage is ours. The sample storage that comes with
//! it, `s3s-fs` (read in version 0.14.1), is not meant for what a pipeline relies on:
//! - it looks at `If-None-Match` and `If-Match` before the body arrives and under no lock, so two writers can both win;
//!   here the check and the replacement are one step under a lock per key;
//! - it puts an object in its place before it compares `Content-MD5` and checksums; here a wrong body is never visible;
//! - it completes an upload without comparing the entity tags of the named parts, and removes parts as it reads them;
//! - it hashes a file that it has not written itself anew for every request; here once, until the file changes;
//! - it resolves `..` in keys, so that `a/../b` and `b` are one object, and a key cannot be another's directory;
//! - it deletes buckets that are not empty, has no tags, and keeps its records as hidden files between the buckets.
//!
//! # What holds
//! - An object appears whole or not at all: bytes go to a hidden file, which is renamed into place. Nothing is synced to
//!   the disk: after a power cut the folder may lack what was last written.
//! - Reading an object that is replaced meanwhile gives the version that was opened.
//! - Memory is bounded by the number of requests, at about a megabyte each. Bodies, copies and the composition of parts
//!   move a quarter of a megabyte at a time, or inside the kernel. One exception: with
//!   [`Credentials::Fixed`], `s3s` decodes `aws-chunked` bodies and gathers one chunk at a time, which the client sizes.
//! - No request leaves the root, and no symbolic link in it is followed.
//!
//! # What it does not do
//! Versions, access control, life cycles and encryption: SSE headers are accepted and given back, so that a client sees
//! what S3 would say, and nothing is encrypted. One process serves a folder at a time. Unix only.
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
mod body;
mod chunked;
mod condition;
mod digest;
mod failure;
mod front;
mod keys;
mod list;
mod listen;
mod record;
mod store;
mod tree;
mod uploads;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s::{HttpError, S3ErrorCode, S3Result, StdError};

pub use failure::StartError;
/// The body of a response: an `http_body::Body` of [`Bytes`], which hyper and axum send as it is.
pub use s3s::Body;

use api::{Api, Operations};
use store::Store;

/// Whose requests are served.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    /// Anybody's, with any access key or none. Signatures are not looked at; checksums are.
    #[default]
    Any,
    /// One pair's. Signatures (version 4) are verified, and unsigned requests refused.
    Fixed {
        /// The access key id.
        access_key: String,
        /// Its secret.
        secret_key: String,
    },
}

/// How a folder is served.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whose requests are served. Anybody's by default: listen on loopback only.
    pub credentials: Credentials,
    /// The region that buckets are said to be in; `us-east-1` by default.
    pub region: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { credentials: Credentials::Any, region: "us-east-1".to_owned() }
    }
}

/// S3 on one folder. Cheap to clone; all clones serve the same folder, until the last one is dropped.
#[derive(Clone)]
pub struct S3Service {
    protocol: s3s::service::S3Service,
    store: Arc<Store>,
    any_credentials: bool,
}

impl std::fmt::Debug for S3Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Service").field("store", &self.store).finish_non_exhaustive()
    }
}

impl S3Service {
    /// Serves a folder, which is made if it is missing, and removes what an earlier process left unfinished there.
    ///
    /// # Errors
    /// [`StartError`]: the folder cannot be used, or another process serves it.
    pub fn new(root: &Path, options: Options) -> Result<Self, StartError> {
        let store = Arc::new(Store::open(root)?);
        let mut builder = S3ServiceBuilder::new(Operations(Api { store: store.clone(), region: options.region }));
        builder.set_host(front::LocalHosts);
        let any_credentials = match options.credentials {
            Credentials::Any => true,
            Credentials::Fixed { access_key, secret_key } => {
                builder.set_auth(SimpleAuth::from_single(access_key, secret_key));
                false
            }
        };
        Ok(Self { protocol: builder.build(), store, any_credentials })
    }

    /// Answers one request. Never fails: what goes wrong is an S3 error in the response.
    ///
    /// Takes the body types of hyper's server and of axum; buckets are in the path, or in the host's name below
    /// `localhost` (`media.localhost:4566`). Must run in a tokio runtime.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Body>
    where
        B: hyper::body::Body<Data = Bytes> + Send + 'static,
        StdError: From<B::Error>,
    {
        let id = uuid::Uuid::new_v4().simple().to_string();
        let mut response = self.answer(request.map(Body::http_body_unsync)).await;
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert("x-amz-request-id", id);
        }
        response
    }

    async fn answer(&self, request: Request<Body>) -> Response<Body> {
        let prepared = if self.any_credentials { front::without_signature(request) } else { Ok(request) };
        let answered = match prepared {
            Ok(request) => self.protocol.call(request).await,
            Err(error) => error.to_http_response().map_err(|error| HttpError::new(Box::new(error))),
        };
        answered.unwrap_or_else(|error| {
            tracing::error!(?error, "an answer could not be written");
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
    }

    /// Makes a bucket if there is none of that name.
    ///
    /// # Errors
    /// The name is not one that S3 allows, or the folder cannot be made.
    pub fn ensure_bucket(&self, bucket: &str) -> S3Result<()> {
        use failure::AtPath;
        if !s3s::path::check_bucket_name(bucket) {
            return failure::refuse(S3ErrorCode::InvalidBucketName, format!("{bucket} is not a valid bucket name"));
        }
        self.store.tree.create_bucket(bucket).at(bucket.as_ref()).map(drop)
    }

    /// Gives up all uploads in parts, for a shutdown that must leave nothing half done. Waits for those that are being
    /// completed at the moment; blocks on the disk.
    ///
    /// # Errors
    /// An upload's files could not be removed.
    pub fn abort_all_uploads(&self) -> S3Result<()> {
        self.store.uploads.abort_where(|_| true)
    }
}
