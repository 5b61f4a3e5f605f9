//! The REST API over HTTP.

use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::{Value, json};

use crate::error::MediaConvertError;
use crate::service::MediaConvert;

/// The largest request, in bytes. Settings have a few kilobytes.
const LARGEST_REQUEST: usize = 1 << 20;

/// Returns the operations as routes under `/2017-08-29/`. Signatures are not checked: the server that mounts the router
/// is on the same machine.
pub fn router(service: MediaConvert) -> Router {
    Router::new()
        .route("/2017-08-29/jobs", post(create_job).get(list_jobs))
        .route("/2017-08-29/jobs/{id}", get(get_job).delete(cancel_job))
        .route("/2017-08-29/jobTemplates", post(create_template))
        .route("/2017-08-29/jobTemplates/{name}", get(get_template))
        .route("/2017-08-29/endpoints", post(endpoints))
        .fallback(unknown)
        .method_not_allowed_fallback(unknown)
        .layer(DefaultBodyLimit::max(LARGEST_REQUEST))
        .with_state(service)
}

type Reply = Result<Response, MediaConvertError>;
/// A body, or why it was not read.
type Received = Result<Bytes, BytesRejection>;

async fn create_job(State(service): State<MediaConvert>, body: Received) -> Reply {
    let job = service.create_job(read(body)?)?;
    Ok(reply(StatusCode::CREATED, &json!({"job": job})))
}

async fn get_job(State(service): State<MediaConvert>, Path(id): Path<String>) -> Reply {
    Ok(reply(StatusCode::OK, &json!({"job": service.get_job(&id)?})))
}

async fn cancel_job(State(service): State<MediaConvert>, Path(id): Path<String>) -> Reply {
    service.cancel_job(&id)?;
    Ok(reply(StatusCode::ACCEPTED, &json!({})))
}

async fn list_jobs(State(service): State<MediaConvert>, query: Query<Vec<(String, String)>>) -> Reply {
    let value = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let number = |name: &str, default: usize| match value(name) {
        None => Ok(default),
        Some(text) => {
            text.parse().map_err(|_| MediaConvertError::bad_request(format!("/{name}: {text:?} is not a number")))
        }
    };
    let ascending = match value("order") {
        None | Some("DESCENDING") => false,
        Some("ASCENDING") => true,
        Some(other) => {
            return Err(MediaConvertError::bad_request(format!("/order: {other:?} is not ASCENDING or DESCENDING")));
        }
    };
    let (jobs, next) = service.list_jobs(
        value("queue"),
        value("status"),
        ascending,
        number("nextToken", 0)?,
        number("maxResults", 20)?,
    )?;
    let mut answer = json!({"jobs": jobs});
    if let Some(next) = next {
        answer["nextToken"] = json!(next.to_string());
    }
    Ok(reply(StatusCode::OK, &answer))
}

async fn create_template(State(service): State<MediaConvert>, body: Received) -> Reply {
    Ok(reply(StatusCode::CREATED, &json!({"jobTemplate": service.create_template(read(body)?)?})))
}

async fn get_template(State(service): State<MediaConvert>, Path(name): Path<String>) -> Reply {
    Ok(reply(StatusCode::OK, &json!({"jobTemplate": service.get_template(&name)?})))
}

/// `DescribeEndpoints`, which older clients call first: returns the address of the request.
async fn endpoints(headers: axum::http::HeaderMap) -> Reply {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1");
    Ok(reply(StatusCode::OK, &json!({"endpoints": [{"url": format!("http://{host}")}]})))
}

async fn unknown(method: axum::http::Method, uri: Uri) -> Reply {
    Err(MediaConvertError::not_found(format!(
        "{method} {}: this operation is not served by the local MediaConvert",
        uri.path()
    )))
}

fn read(body: Received) -> Result<Value, MediaConvertError> {
    let body = body.map_err(|refused| MediaConvertError {
        status: refused.status().as_u16(),
        ..MediaConvertError::bad_request(format!("{}: at most {LARGEST_REQUEST} bytes are read", refused.body_text()))
    })?;
    serde_json::from_slice(&body)
        .map_err(|error| MediaConvertError::bad_request(format!("The request is not JSON: {error}")))
}

fn reply(status: StatusCode, body: &Value) -> Response {
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

impl IntoResponse for MediaConvertError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = reply(status, &json!({"message": self.message}));
        response.headers_mut().insert("x-amzn-errortype", axum::http::HeaderValue::from_static(self.code));
        response
    }
}
