//! Files of the bucket. Anybody may have uploaded them, so none is ever shown as a page: pictures and films of known types are
//! served as what they are, all others are to be saved; a sandbox without any rights surrounds both.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG, IF_NONE_MATCH, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::app::Shared;
use crate::fault::Fault;
use crate::html::format::{encoded, file_name};
use crate::source::error::SourceError;

/// How a page shows a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Picture,
    Film,
    /// Not at all: it is a link to save it.
    Saved,
}

/// The media types that browsers show without running anything in them: SVG is not one of them.
const TYPES: [(&str, Shown, &[&str]); 8] = [
    ("image/jpeg", Shown::Picture, &["jpg", "jpeg"]),
    ("image/png", Shown::Picture, &["png"]),
    ("image/webp", Shown::Picture, &["webp"]),
    ("image/gif", Shown::Picture, &["gif"]),
    ("image/avif", Shown::Picture, &["avif"]),
    ("video/mp4", Shown::Film, &["mp4", "m4v"]),
    ("video/webm", Shown::Film, &["webm"]),
    ("video/quicktime", Shown::Film, &["mov"]),
];

/// Returns the media type with which a file is served, if it is a known one. What the uploader said counts, and the name
/// only if the uploader said nothing.
fn known(key: &str, content_type: Option<&str>) -> Option<(&'static str, Shown)> {
    let said = content_type.map(|said| said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    let said = said.filter(|said| !matches!(said.as_str(), "" | "application/octet-stream" | "binary/octet-stream"));
    let extension = file_name(key).rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let found = TYPES.iter().find(|(name, _, extensions)| match (&said, &extension) {
        (Some(said), _) => said == name,
        (None, Some(extension)) => extensions.contains(&extension.as_str()),
        (None, None) => false,
    });
    found.map(|(name, shown, _)| (*name, *shown))
}

/// Returns how a page shows a file.
pub(crate) fn shown_as(key: &str, content_type: Option<&str>) -> Shown {
    known(key, content_type).map_or(Shown::Saved, |(_, shown)| shown)
}

/// A browser keeps files, and asks each time whether they are still the same.
const CACHED: &str = "private, no-cache";

/// Nothing in a file runs or loads anything.
const POLICY: &str = "sandbox; default-src 'none'";

/// Answers that the browser has the file already (RFC 9110, section 15.4.5). The browser replaces the headers that it has kept
/// by those of this answer (RFC 9111, section 3.2), so the policy is among them.
fn unchanged(unless: Option<&str>) -> Response {
    let mut response = StatusCode::NOT_MODIFIED.into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(CACHED));
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    // Of several tags nobody knows which one it was.
    let single =
        unless.filter(|tags| !tags.contains(',') && *tags != "*").and_then(|tag| HeaderValue::from_str(tag).ok());
    if let Some(tag) = single {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

pub(crate) async fn serve(
    State(app): State<Shared>,
    Path(key): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let (range, unless) = (text(RANGE), text(IF_NONE_MATCH));
    let file = match app.parts.media.open(&key, range, unless).await {
        Err(SourceError::Refused(_)) if range.is_some() => {
            return Ok(StatusCode::RANGE_NOT_SATISFIABLE.into_response());
        }
        opened => opened?,
    };
    let Some(file) = file else { return Ok(unchanged(unless)) };
    let known = known(&key, file.content_type.as_deref());
    let status = if file.range.is_some() { StatusCode::PARTIAL_CONTENT } else { StatusCode::OK };
    let mut response = (status, Body::from_stream(file.body)).into_response();
    let mut set = |name: HeaderName, value: &str| {
        // A value that cannot be a header is left out.
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    };
    set(CONTENT_TYPE, known.map_or("application/octet-stream", |(name, _)| name));
    if known.is_none() {
        set(CONTENT_DISPOSITION, &format!("attachment; filename*=UTF-8''{}", encoded(file_name(&key))));
    }
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(CACHE_CONTROL, CACHED);
    set(ACCEPT_RANGES, "bytes");
    if let Some(length) = file.length {
        set(CONTENT_LENGTH, &length.to_string());
    }
    if let Some(etag) = &file.etag {
        set(ETAG, etag);
    }
    if let Some(range) = &file.range {
        set(CONTENT_RANGE, range);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_can_hold_markup_is_shown() {
        for (key, said, shown) in [
            ("a.jpg", Some("image/jpeg"), Shown::Picture),
            ("a.jpg", None, Shown::Picture),
            ("a.JPEG", Some("binary/octet-stream"), Shown::Picture),
            ("a.mov", None, Shown::Film),
            ("a.mp4", Some("video/mp4; codecs=avc1"), Shown::Film),
            ("a.svg", Some("image/svg+xml"), Shown::Saved),
            ("a.jpg", Some("text/html"), Shown::Saved),
            ("a.html", None, Shown::Saved),
            ("a.pdf", Some("application/pdf"), Shown::Saved),
            ("jpg", None, Shown::Saved),
        ] {
            assert_eq!(shown_as(key, said), shown, "{key} {said:?}");
        }
    }
}
