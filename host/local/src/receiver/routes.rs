//! The backend's two endpoints, and a few to look at what arrived.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};
use stagehost_batch::Id;
use time::OffsetDateTime;

use super::store::Table;
use super::{Callback, CallbackBody, Receiver, ReceiverError};

/// The longest body of a callback or batch, in bytes: what a stage may deliver.
const LARGEST: usize = 4 << 20;

/// The routes:
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
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(receiver)
}

/// An error reply.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        reply(self.0, &json!({"error": self.1}))
    }
}

impl From<ReceiverError> for Refusal {
    fn from(error: ReceiverError) -> Self {
        tracing::error!(%error, "the receiver could not keep what it was given");
        Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
    }
}

type Reply = Result<Response, Refusal>;

fn reply(status: StatusCode, body: &Value) -> Response {
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

async fn callback(State(receiver): State<Receiver>, headers: HeaderMap, body: Bytes) -> Reply {
    let options = &receiver.inner.options;
    // Nothing of the body is looked at before it is known to be from the pipeline.
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let webhook_id = super::signature::verify(&options.secret, &headers, &body, now).map_err(|reason| {
        tracing::warn!(%reason, "a callback was not believed");
        Refusal(StatusCode::UNAUTHORIZED, reason.to_string())
    })?;
    let contents = CallbackBody::read(&body).map_err(|error| {
        tracing::warn!(%error, "a signed callback is not of the contract");
        Refusal(StatusCode::BAD_REQUEST, error.to_string())
    })?;
    let traceparent =
        headers.get(options.trace_header.as_str()).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let raw = String::from_utf8_lossy(&body).into_owned();
    let new = receiver.take(Callback { webhook_id, traceparent, raw, body: contents }).await?;
    Ok(reply(StatusCode::OK, &json!({"status": if new { "accepted" } else { "duplicate" }})))
}

async fn batch(
    State(receiver): State<Receiver>,
    Path(listing): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Reply {
    let bad = |reason: String| Refusal(StatusCode::BAD_REQUEST, reason);
    let text = std::str::from_utf8(&body).map_err(|_| bad("the batch is not UTF-8".into()))?.to_owned();
    let mut document: Value =
        serde_json::from_str(&text).map_err(|error| bad(format!("the batch is not JSON: {error}")))?;
    // The listing is in the path; a body that leaves it out means that one.
    if let Some(fields) = document.as_object_mut()
        && !["listingId", "listingIdentityId"].iter().any(|field| fields.contains_key(*field))
    {
        fields.insert("listingId".into(), serde_json::to_value(Id::from_text(&listing)).unwrap_or(Value::Null));
    }
    // The trace is in a header, unless the body says otherwise.
    let trace = headers.get(receiver.inner.options.trace_header.as_str()).and_then(|value| value.to_str().ok());
    if let (Some(fields), Some(trace)) = (document.as_object_mut(), trace) {
        fields.entry("traceparent").or_insert_with(|| Value::String(trace.to_owned()));
    }
    let parsed = stagehost_batch::parse(&document).map_err(|error| bad(error.to_string()))?;
    if parsed.listing.id.to_string() != listing {
        return Err(bad(format!("the batch is of listing {}, but was posted to listing {listing}", parsed.listing.id)));
    }

    let retry = parsed.retry;
    let accepted = receiver
        .inner
        .store
        .blocking(move |store| store.accept(&parsed, &text))
        .await
        .map_err(|source| receiver.database(source))?;
    let (mut status, mut execution) = (accepted.status.clone(), accepted.execution_arn.clone());
    let mut reason = None;
    if !accepted.known || status == "START_FAILED" {
        if let Some(fields) = document.as_object_mut() {
            let number = |id: &Id| serde_json::to_value(id).unwrap_or(Value::Null);
            fields.insert("jobId".into(), number(&accepted.job_id));
            if let Some(id) = &accepted.batch_id {
                fields.insert("batchId".into(), number(id));
            }
        }
        let outcome = match receiver.starter() {
            Some(starter) => starter.start(document).await,
            None => Err("nothing here starts executions".to_owned()),
        };
        let noted = outcome.clone();
        let (job, of) = (accepted.job_id.clone(), listing.clone());
        receiver
            .inner
            .store
            .blocking(move |store| {
                store.started(&of, &job, retry, noted.as_ref().map(String::as_str).map_err(String::as_str))
            })
            .await
            .map_err(|source| receiver.database(source))?;
        match outcome {
            Ok(arn) => (status, execution) = ("STARTED".into(), Some(arn)),
            Err(why) => (status, reason) = ("START_FAILED".into(), Some(why)),
        }
    }
    let mut answer = json!({
        "jobId": accepted.job_id,
        "batchId": accepted.batch_id,
        "listingId": Id::from_text(&listing),
        "status": status,
        "executionArn": execution,
    });
    // The batch is kept either way; the poster may send it again to have it started.
    let code = match reason {
        None => StatusCode::ACCEPTED,
        Some(reason) => {
            answer["error"] = json!(reason);
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    Ok(reply(code, &answer))
}

async fn table(
    State(receiver): State<Receiver>,
    Path(table): Path<String>,
    query: Query<Vec<(String, String)>>,
) -> Reply {
    let listing = query.0.into_iter().find(|(name, _)| name == "listing").map(|(_, listing)| listing);
    show(&receiver, &table, listing).await
}

async fn listing_table(State(receiver): State<Receiver>, Path((listing, table)): Path<(String, String)>) -> Reply {
    if matches!(table.as_str(), "callbacks" | "dead-letters") {
        return Err(nothing(&table));
    }
    show(&receiver, &table, Some(listing)).await
}

async fn show(receiver: &Receiver, name: &str, listing: Option<String>) -> Reply {
    let table = match name {
        "batches" => Table::Batches,
        "assets" => Table::Assets,
        "jobs" => Table::Jobs,
        "callbacks" => Table::Callbacks,
        "dead-letters" => Table::DeadLetters,
        _ => return Err(nothing(name)),
    };
    Ok(reply(StatusCode::OK, &json!({name: receiver.show(table, listing.as_deref()).await?})))
}

async fn unknown(uri: Uri) -> Refusal {
    nothing(uri.path())
}

fn nothing(what: &str) -> Refusal {
    Refusal(StatusCode::NOT_FOUND, format!("{what}: there is no such thing, or not by this method"))
}
