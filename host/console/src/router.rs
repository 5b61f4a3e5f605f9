//! The addresses of all pages.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::Redirect;
use axum::routing::{get, post};

use crate::app::Shared;
use crate::fault::Fault;
use crate::guard::admission::{Admission, admit};
use crate::guard::headers::protect;
use crate::{batch, batches, bench_page, letters_page, live, media_route, pins_page, statics, upload};

/// Returns the pages. Every request is checked first, whatever its address.
pub(crate) fn router(app: Shared) -> Router {
    let admission =
        Admission { hosts: app.options.hosts, allow_changes: app.options.allow_changes, token: app.token.clone() };
    Router::new()
        .route("/console", get(batches::page::show))
        .route("/console/", get(|| async { Redirect::permanent("/console") }))
        .route("/console/batch/{name}", get(batch::page::show))
        .route("/console/batch/{name}/state/{event}", get(batch::state_page::show))
        .route("/console/batch/{name}/again", get(batch::actions::edit).post(batch::actions::again))
        .route("/console/batch/{name}/go-on", get(batch::redrive::ask).post(batch::redrive::go_on))
        .route("/console/batch/{name}/stop", post(batch::actions::stop))
        .route("/console/pins", get(pins_page::show))
        .route("/console/pins/change", get(pins_page::ask).post(pins_page::change))
        .route("/console/playground", get(bench_page::show).post(bench_page::run))
        .route("/console/dead-letters", get(letters_page::show))
        .route("/console/dead-letters/send", post(letters_page::send))
        .route("/console/upload", get(upload::page::show).put(upload::receive::file))
        .route("/console/upload/batch", post(upload::receive::batch))
        .route("/console/media/{*key}", get(media_route::serve))
        .route("/console/live", get(live::batches))
        .route("/console/live/{name}", get(live::batch))
        .route("/console/static/console.css", get(statics::style))
        .route("/console/static/console.js", get(statics::script))
        .route("/console/static/icon.svg", get(statics::icon))
        .fallback(|| async { Fault::missing("there is no such page") })
        .layer(DefaultBodyLimit::max(1 << 20))
        .layer(from_fn_with_state(Arc::new(admission), admit))
        .layer(from_fn(protect))
        .with_state(app)
}
