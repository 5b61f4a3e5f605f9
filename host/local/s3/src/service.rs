//! The service: settings, requests, shutdown.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use hyper::header::HeaderValue;
use hyper::{Request, Response, StatusCode};
use s3s::auth::{S3Auth, SecretKey, SimpleAuth};
use s3s::service::S3ServiceBuilder;
use s3s::{Body, HttpError, S3ErrorCode, S3Result, StdError};

use crate::api::{Api, Operations};
use crate::error::{AtPath, FolderError, refuse};
use crate::http::{ranges, unsigned};
use crate::storage::store::ObjectStore;

/// Which requests are accepted.
#[derive(Clone, Debug, Default)]
pub enum Credentials {
    /// All requests, signed with any key or not at all. Signatures are not checked; checksums are.
    #[default]
    Any,
    /// Requests that are signed (version 4) with this pair. Unsigned requests are refused.
    Fixed {
        /// The access key id.
        access_key: String,
        /// The secret access key.
        secret_key: String,
    },
}

/// The settings of the service.
#[derive(Clone, Debug)]
pub struct Options {
    /// Which requests are accepted. All by default, so listen on loopback only.
    pub credentials: Credentials,
    /// The secret that signs the policies of forms (POST object), with any access key. A policy says what a web page may
    /// upload, so it is always checked; without this secret no form is accepted.
    pub form_secret: Option<String>,
    /// The region of all buckets; `us-east-1` by default.
    pub region: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { credentials: Credentials::Any, form_secret: None, region: "us-east-1".to_owned() }
    }
}

/// One secret for every access key.
struct AnyKey(SecretKey);

#[async_trait::async_trait]
impl S3Auth for AnyKey {
    async fn get_secret_key(&self, _: &str) -> S3Result<SecretKey> {
        Ok(self.0.clone())
    }
}

/// Returns whether a request is a form with a file.
fn is_form(request: &Request<Body>) -> bool {
    let kind = request.headers().get(hyper::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    request.method() == hyper::Method::POST
        && kind.is_some_and(|kind| kind.trim_start().to_ascii_lowercase().starts_with("multipart/form-data"))
}

fn finished(answered: Result<Response<Body>, HttpError>) -> Response<Body> {
    answered.unwrap_or_else(|error| {
        tracing::error!(?error, "the response could not be built");
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// S3 on one folder. Cheap to clone. The folder is locked until the last clone is dropped.
#[derive(Clone)]
pub struct S3Service {
    protocol: s3s::service::S3Service,
    /// Answers forms: `s3s` verifies their signature and their policy.
    forms: Option<s3s::service::S3Service>,
    store: Arc<ObjectStore>,
    any_credentials: bool,
}

impl std::fmt::Debug for S3Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("S3Service").field("store", &self.store).finish_non_exhaustive()
    }
}

impl S3Service {
    /// Opens a folder, creates it if it is missing, and removes unfinished files of an earlier process.
    ///
    /// # Errors
    /// [`FolderError`]: the folder cannot be used, or another process serves it.
    pub fn new(root: &Path, options: Options) -> Result<Self, FolderError> {
        let store = Arc::new(ObjectStore::open(root)?);
        let operations = Operations(Api { store: store.clone(), region: options.region });
        let forms = options.form_secret.map(|secret| {
            let mut builder = S3ServiceBuilder::new(operations.clone());
            builder.set_host(unsigned::LocalHosts);
            builder.set_auth(AnyKey(secret.into()));
            builder.build()
        });
        let mut builder = S3ServiceBuilder::new(operations);
        builder.set_host(unsigned::LocalHosts);
        let any_credentials = match options.credentials {
            Credentials::Any => true,
            Credentials::Fixed { access_key, secret_key } => {
                builder.set_auth(SimpleAuth::from_single(access_key, secret_key));
                false
            }
        };
        Ok(Self { protocol: builder.build(), forms, store, any_credentials })
    }

    /// Answers one request. Errors are S3 errors in the response.
    ///
    /// The body may be that of hyper's server or of axum. The bucket is in the path or in a host name below `localhost`
    /// (`media.localhost:4566`). Must be called in a tokio runtime.
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

    async fn answer(&self, mut request: Request<Body>) -> Response<Body> {
        ranges::ignore_invalid(request.headers_mut());
        let method = request.method().clone();
        if let Some(forms) = self.forms.as_ref().filter(|_| is_form(&request)) {
            return finished(forms.call(request).await);
        }
        let prepared = if self.any_credentials { unsigned::without_signature(request) } else { Ok(request) };
        let answered = match prepared {
            Ok(request) => self.protocol.call(request).await,
            Err(error) => error.to_http_response().map_err(|error| HttpError::new(Box::new(error))),
        };
        let mut response = finished(answered);
        ranges::mark_partial(&method, &mut response);
        response
    }

    /// Creates a bucket unless it exists.
    ///
    /// # Errors
    /// S3 does not allow the name, or the folder cannot be created.
    pub fn ensure_bucket(&self, bucket: &str) -> S3Result<()> {
        if !s3s::path::check_bucket_name(bucket) {
            return refuse(S3ErrorCode::InvalidBucketName, format!("{bucket} is not a valid bucket name"));
        }
        self.store.tree.create_bucket(bucket).at(bucket.as_ref()).map(drop)
    }

    /// Aborts all multipart uploads, for a shutdown that leaves no unfinished files. Waits for uploads that are being
    /// completed. Blocks on the disk.
    ///
    /// # Errors
    /// The files of an upload could not be removed.
    pub fn abort_all_uploads(&self) -> S3Result<()> {
        self.store.uploads.abort_where(|_| true)
    }
}
