//! A page that cannot be shown.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use maud::{DOCTYPE, html};

use crate::source::error::SourceError;

/// Why a page cannot be shown, or a change was not made.
#[derive(Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    sentence: String,
}

impl Fault {
    /// Returns the fault of an address that nothing has.
    pub(crate) fn missing(sentence: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, sentence: sentence.into() }
    }

    /// Returns the fault of a request that cannot be carried out as it is.
    pub(crate) fn refused(sentence: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, sentence: sentence.into() }
    }
}

impl From<SourceError> for Fault {
    fn from(error: SourceError) -> Self {
        let status = match error {
            SourceError::Missing(_) => StatusCode::NOT_FOUND,
            SourceError::Refused(_) => StatusCode::BAD_REQUEST,
            SourceError::Failed(_) => StatusCode::BAD_GATEWAY,
        };
        Self { status, sentence: error.to_string() }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let title = match self.status {
            StatusCode::NOT_FOUND => "Not found",
            StatusCode::BAD_REQUEST => "Not done",
            _ => "A service did not answer",
        };
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (title) " · stagehost" }
                    link rel="icon" href="/console/static/icon.svg";
                    link rel="stylesheet" href="/console/static/console.css";
                }
                body.fault {
                    main {
                        h1 { (title) }
                        p { (self.sentence) }
                        p { a href="/console" { "All batches" } }
                    }
                }
            }
        };
        (self.status, page).into_response()
    }
}
