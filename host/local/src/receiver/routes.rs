//! The two endpoints of the backend, and endpoints that show what was stored.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use stagehost_batch::Id;
use time::OffsetDateTime;

use super::contract::CallbackBody;
use super::database::batches::Accepted;
use super::database::tables::Table;
use super::service::{Callback, Receiver, ReceiverError};
use super::signature::verify;

/// The largest body of a callback or batch, in bytes: the limit for deliveries of a stage.
const MAX_BODY: usize = 4 << 20;

/// How much of a longer body is read, in bytes, without being kept. A sender that still writes when the connection ends sees a
/// broken connection instead of the answer.
const MAX_DISCARDED: usize = 256 << 20;

/// Returns the routes:
///
/// | | |
/// |---|---|
/// | `POST /internal/media-processing/callback` | a signed callback |
/// | `POST /api/v1/listings/{id}/media/batch` | a batch to process |
/// | `GET /api/v1/listings/{id}/media/{batches,assets,jobs}` | the tables, of one listing |
/// | `GET /internal/media-processing/{batches,assets,jobs,callbacks,dead-letters}` | the tables |
pub fn router(receiver: Receiver) -> Router {
    Router::new()
        .route("/internal/media-processing/callback", post(callback))
        .route("/internal/media-processing/{table}", get(table))
        .route("/api/v1/listings/{listing}/media/batch", post(batch))
        .route("/api/v1/listings/{listing}/media/{table}", get(listing_table))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .with_state(receiver)
}

/// An error response.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        reply(self.0, &json!({"error": self.1}))
    }
}

impl From<ReceiverError> for Refusal {
    fn from(error: ReceiverError) -> Self {
        tracing::error!(%error, "the receiver could not store a request");
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

type Reply = Result<Response, Refusal>;

fn reply(status: StatusCode, body: &Value) -> Response {
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

/// Returns the body of a request, or why it was not read: it is too long, or the connection broke.
async fn read(mut body: Body) -> Result<Vec<u8>, Refusal> {
    let (mut bytes, mut length) = (Vec::new(), 0_usize);
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let broken =
            |error: axum::Error| Refusal(StatusCode::BAD_REQUEST, format!("the body could not be read: {error}"));
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        length = length.saturating_add(data.len());
        if length <= MAX_BODY {
            bytes.extend_from_slice(&data);
        } else if length <= MAX_DISCARDED {
            bytes = Vec::new();
        } else {
            break;
        }
    }
    if length > MAX_BODY {
        return Err(Refusal(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {MAX_BODY} bytes")));
    }
    Ok(bytes)
}

async fn callback(State(receiver): State<Receiver>, headers: HeaderMap, body: Body) -> Reply {
    let body = read(body).await?;
    let options = receiver.options();
    // The body is parsed only after its signature has been verified.
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let webhook_id = verify(&options.secret, &headers, &body, now).map_err(|reason| {
        tracing::warn!(%reason, "a callback has no valid signature");
        Refusal(StatusCode::UNAUTHORIZED, reason.to_string())
    })?;
    let contents = CallbackBody::read(&body).map_err(|error| {
        tracing::warn!(%error, "a signed callback violates the contract");
        Refusal(StatusCode::BAD_REQUEST, error.to_string())
    })?;
    let traceparent =
        headers.get(options.trace_header.as_str()).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let raw = String::from_utf8_lossy(&body).into_owned();
    let kept = kept_headers(&headers, &options.trace_header);
    let new = receiver.add_callback(Callback { webhook_id, traceparent, headers: kept, raw, body: contents }).await?;
    Ok(reply(StatusCode::OK, &json!({"status": if new { "accepted" } else { "duplicate" }})))
}

/// Returns the headers of a callback that are kept: those of the contract.
fn kept_headers(headers: &HeaderMap, trace: &str) -> BTreeMap<String, String> {
    let known = ["content-type", "webhook-id", "webhook-timestamp", "webhook-signature", "x-toq-signature"];
    let names = known.into_iter().chain(["x-toq-pins-revision", trace]);
    names.filter_map(|name| Some((name.to_ascii_lowercase(), headers.get(name)?.to_str().ok()?.to_owned()))).collect()
}

async fn batch(State(receiver): State<Receiver>, Path(listing): Path<String>, headers: HeaderMap, body: Body) -> Reply {
    let body = read(body).await?;
    // Without a trace in the body, the one in the header applies.
    let trace = headers.get(receiver.options().trace_header.as_str()).and_then(|value| value.to_str().ok());
    let (code, answer) = accept(&receiver, listing, trace, &body).await?;
    Ok(reply(code, &answer))
}

impl Receiver {
    /// Accepts a batch as `POST /api/v1/listings/{listing}/media/batch` does, for code in the same process. Returns the ARN of
    /// its execution.
    ///
    /// # Errors
    /// Why the batch is not accepted or was not started, as the endpoint says it.
    pub async fn post_batch(&self, listing: &str, batch: &Value) -> Result<String, String> {
        let posted = accept(self, listing.to_owned(), None, batch.to_string().as_bytes()).await;
        let (_, answer) = posted.map_err(|Refusal(_, reason)| reason)?;
        match (answer["error"].as_str(), answer["executionArn"].as_str()) {
            (None, Some(arn)) => Ok(arn.to_owned()),
            (Some(error), _) => Err(error.to_owned()),
            (None, None) => Err("the batch was stored, but no execution has begun".to_owned()),
        }
    }

    /// Returns the callbacks that are stored, of all listings or of one: the newest first, at most 1,000.
    ///
    /// # Errors
    /// [`ReceiverError::Database`].
    pub async fn stored_callbacks(&self, listing: Option<&str>) -> Result<Vec<Value>, ReceiverError> {
        self.rows(Table::Callbacks, listing).await
    }
}

/// Stores a batch and starts its execution, unless that was done before. Returns the answer.
async fn accept(
    receiver: &Receiver,
    listing: String,
    trace: Option<&str>,
    body: &[u8],
) -> Result<(StatusCode, Value), Refusal> {
    let bad = |reason: String| Refusal(StatusCode::BAD_REQUEST, reason);
    let text = std::str::from_utf8(body).map_err(|_| bad("the batch is not UTF-8".into()))?.to_owned();
    let mut document: Value =
        serde_json::from_str(&text).map_err(|error| bad(format!("the batch is not JSON: {error}")))?;
    // Without a listing in the body, the one in the path applies.
    if let Some(fields) = document.as_object_mut()
        && !["listingId", "listingIdentityId"].iter().any(|field| fields.contains_key(*field))
    {
        fields.insert("listingId".into(), serde_json::to_value(Id::from_text(&listing)).unwrap_or(Value::Null));
    }
    if let (Some(fields), Some(trace)) = (document.as_object_mut(), trace) {
        fields.entry("traceparent").or_insert_with(|| Value::String(trace.to_owned()));
    }
    let parsed = stagehost_batch::parse(&document).map_err(|error| bad(error.to_string()))?;
    if parsed.listing.id.to_string() != listing {
        return Err(bad(format!("the batch is of listing {}, but was posted to listing {listing}", parsed.listing.id)));
    }

    let retry = parsed.retry;
    let accepted = receiver.add_batch(parsed, text).await?;
    let (mut status, mut execution) = (accepted.status.clone(), accepted.execution_arn.clone());
    let mut reason = None;
    if !accepted.duplicate || must_start(receiver, &accepted).await {
        if let Some(fields) = document.as_object_mut() {
            let number = |id: &Id| serde_json::to_value(id).unwrap_or(Value::Null);
            fields.insert("jobId".into(), number(&accepted.job_id));
            if let Some(id) = &accepted.batch_id {
                fields.insert("batchId".into(), number(id));
            }
        }
        let outcome = match receiver.starter() {
            Some(starter) => starter.start(document).await,
            None => Err("this receiver does not start executions".to_owned()),
        };
        receiver.set_started(listing.clone(), accepted.job_id.clone(), retry, outcome.clone()).await?;
        match outcome {
            Ok(arn) => (status, execution) = ("STARTED".into(), Some(arn)),
            Err(error) => (status, reason) = ("START_FAILED".into(), Some(error)),
        }
    }
    let mut answer = json!({
        "jobId": accepted.job_id,
        "batchId": accepted.batch_id,
        "listingId": Id::from_text(&listing),
        "status": status,
        "executionArn": execution,
    });
    // The batch is stored in both cases; sending it again starts the execution.
    let code = match reason {
        None => StatusCode::ACCEPTED,
        Some(reason) => {
            answer["error"] = json!(reason);
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    Ok((code, answer))
}

/// Returns whether a job that was stored earlier must be started: it never was, or its execution is gone without a result.
async fn must_start(receiver: &Receiver, job: &Accepted) -> bool {
    match (job.status.as_str(), &job.execution_arn, receiver.starter()) {
        // The process ended between storing and starting it, or while it ran.
        ("START_FAILED" | "RECEIVED" | "ABORTED", _, _) => true,
        ("STARTED", Some(arn), Some(starter)) => !starter.exists(arn).await,
        _ => false,
    }
}

async fn table(
    State(receiver): State<Receiver>,
    Path(table): Path<String>,
    query: Query<Vec<(String, String)>>,
) -> Reply {
    // Without this check a misspelt filter would return the rows of all listings.
    if let Some((other, _)) = query.iter().find(|(name, _)| name != "listing") {
        return Err(Refusal(StatusCode::BAD_REQUEST, format!("{other:?} is not a filter of {table}; use listing=ID")));
    }
    let listing = query.0.into_iter().next().map(|(_, listing)| listing);
    rows(&receiver, &table, listing).await
}

async fn listing_table(State(receiver): State<Receiver>, Path((listing, table)): Path<(String, String)>) -> Reply {
    if matches!(table.as_str(), "callbacks" | "dead-letters") {
        return Err(not_found(&table));
    }
    rows(&receiver, &table, Some(listing)).await
}

async fn rows(receiver: &Receiver, name: &str, listing: Option<String>) -> Reply {
    let table = match name {
        "batches" => Table::Batches,
        "assets" => Table::Assets,
        "jobs" => Table::Jobs,
        "callbacks" => Table::Callbacks,
        "dead-letters" => Table::DeadLetters,
        _ => return Err(not_found(name)),
    };
    Ok(reply(StatusCode::OK, &json!({name: receiver.rows(table, listing.as_deref()).await?})))
}

async fn unknown(uri: Uri) -> Refusal {
    not_found(uri.path())
}

fn not_found(what: &str) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, format!("{what}: no such resource, or not with this method"))
}
