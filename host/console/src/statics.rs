//! Style, script and icon.

use axum::response::{IntoResponse, Response};

/// How long a browser may keep them. They change with the program only, and the page asks again after a minute.
const KEPT: (&str, &str) = ("cache-control", "max-age=60");

pub(crate) async fn style() -> Response {
    ([("content-type", "text/css; charset=utf-8"), KEPT], include_str!("statics/console.css")).into_response()
}

pub(crate) async fn script() -> Response {
    ([("content-type", "text/javascript; charset=utf-8"), KEPT], include_str!("statics/console.js")).into_response()
}

pub(crate) async fn icon() -> Response {
    ([("content-type", "image/svg+xml"), KEPT], include_str!("statics/icon.svg")).into_response()
}
