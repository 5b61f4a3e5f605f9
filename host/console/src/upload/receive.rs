//! Files that arrive, and the batch that they become.

use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use stagehost_batch::{ExecutionArn, Id};
use time::OffsetDateTime;
use tokio::io::AsyncWriteExt as _;

use super::names::{is_listing, plain};
use super::stored::{Stored, store};
use crate::app::{App, Shared};
use crate::fault::Fault;
use crate::html::format::batch_url;
use crate::source::error::SourceError;
use crate::source::intake::BatchIntake;

/// The longest file, in bytes: the most that one request can store on S3 (`PutObject`).
const LONGEST: u64 = 5 << 30;

/// The most files of one batch.
const MOST_FILES: usize = 1_000;

/// Which file it is.
#[derive(Debug, Deserialize)]
pub(crate) struct Named {
    listing: String,
    path: String,
}

fn intake(app: &App) -> Result<&dyn BatchIntake, Fault> {
    app.parts.intake.as_deref().ok_or_else(|| Fault::missing("batches cannot be uploaded here"))
}

/// Stores a file, which never replaces another, and answers with its key and how it was stored.
pub(crate) async fn file(State(app): State<Shared>, Query(named): Query<Named>, body: Body) -> Result<Response, Fault> {
    let intake = intake(&app)?;
    if !is_listing(&named.listing) {
        return Err(Fault::refused(format!(
            "{:?} is not the id of a listing: use letters, digits, - and _",
            named.listing
        )));
    }
    let name =
        plain(&named.path).ok_or_else(|| Fault::refused(format!("{:?} is not the name of a file", named.path)))?;
    let failed = |error: std::io::Error| {
        Fault::from(SourceError::Failed(format!("{name} cannot be kept until it is stored: {error}")))
    };
    let spool = tempfile::NamedTempFile::new().map_err(failed)?;
    let mut file = tokio::fs::File::create(spool.path()).await.map_err(failed)?;
    let (mut stream, mut length) = (body.into_data_stream(), 0);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| Fault::refused(format!("{name} did not arrive as a whole: {error}")))?;
        length += chunk.len() as u64;
        if length > LONGEST {
            return Err(Fault::refused(format!("{name} is longer than {LONGEST} bytes")));
        }
        file.write_all(&chunk).await.map_err(failed)?;
    }
    file.flush().await.map_err(failed)?;
    drop(file);
    let area = intake.area(spool.path(), &name);
    let place = (named.listing.as_str(), area, OffsetDateTime::now_utc().date());
    let stored = store(app.parts.media.as_ref(), place, (name.as_str(), content_type(&name)), spool.path()).await?;
    let Stored { key, how } = stored;
    Ok(json_answer(&json!({"key": key, "stored": how.word()})))
}

/// Returns the media type of a name. The first state looks at the bytes.
fn content_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref().unwrap_or_default() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "avif" => "image/avif",
        "heic" => "image/heic",
        "tif" | "tiff" => "image/tiff",
        "mp4" | "m4v" => "video/mp4",
        "mov" => "video/quicktime",
        "pdf" => "application/pdf",
        _ => "application/octet-stream",
    }
}

/// The files of a batch.
#[derive(Debug, Deserialize)]
struct Files {
    listing: String,
    keys: Vec<String>,
}

/// Starts a batch of stored files and answers with its page.
pub(crate) async fn batch(State(app): State<Shared>, body: Bytes) -> Result<Response, Fault> {
    let intake = intake(&app)?;
    let files: Files = serde_json::from_slice(&body)
        .map_err(|error| Fault::refused(format!("the list of files is not JSON: {error}")))?;
    let own = format!("{}/raw/", files.listing);
    if !is_listing(&files.listing) || files.keys.iter().any(|key| !key.starts_with(&own)) {
        return Err(Fault::refused("the files are not of this listing"));
    }
    if files.keys.is_empty() || files.keys.len() > MOST_FILES {
        return Err(Fault::refused(format!("a batch has 1 to {MOST_FILES} files")));
    }
    let now = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    let id = u64::try_from(now).unwrap_or_default();
    let assets: Vec<Value> =
        files.keys.iter().enumerate().map(|(at, key)| json!({"key": key, "sequence": at + 1})).collect();
    let document =
        json!({"listingId": Id::from_text(&files.listing), "batchId": id, "jobId": id, "retry": 0, "assets": assets});
    let arn = intake.start(&files.listing, &document).await?;
    let begun = ExecutionArn::parse(&arn).ok_or_else(|| {
        SourceError::Failed(format!("the batch has begun, but {arn:?} is not the ARN of an execution"))
    })?;
    Ok(json_answer(&json!({"page": batch_url(begun.name())})))
}

fn json_answer(document: &Value) -> Response {
    ([("content-type", "application/json")], document.to_string()).into_response()
}
