//! The check of every request, before any page sees it.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, Method, StatusCode};

use super::hosts::AcceptedHosts;
use super::token::SessionToken;

/// The longest form, in bytes: an execution's input may have 256 KiB, and three times as much when it is encoded.
const LONGEST_FORM: usize = 1 << 20;

/// What is accepted.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The names under which the pages can be opened.
    pub hosts: AcceptedHosts,
    /// Whether changes are accepted at all.
    pub allow_changes: bool,
    /// What changes must carry.
    pub token: SessionToken,
}

/// Why a request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Somebody else could own the name.
    #[error("this page is not opened by the name {0:?}; use the machine's address, or localhost")]
    Host(String),
    /// Another page sent the request.
    #[error("the request is from another page; open the console itself")]
    OtherPage,
    /// Nothing may be changed.
    #[error("the console is read-only; start it with --allow-changes to change anything")]
    ReadOnly,
    /// The token is missing or of an earlier session.
    #[error("the page is of an earlier session of the console; reload it and try again")]
    Token,
    /// The form is too long.
    #[error("the form is longer than {LONGEST_FORM} bytes")]
    TooLong,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let status = if self == Self::TooLong { StatusCode::PAYLOAD_TOO_LARGE } else { StatusCode::FORBIDDEN };
        (status, [("content-type", "text/plain; charset=utf-8")], self.to_string()).into_response()
    }
}

/// Lets a request pass, or refuses it.
pub async fn admit(State(admission): State<Arc<Admission>>, request: Request, next: Next) -> Response {
    match admission.admitted(request).await {
        Ok(request) => next.run(request).await,
        Err(refused) => {
            tracing::warn!(%refused, "a request to the console was refused");
            refused.into_response()
        }
    }
}

impl Admission {
    async fn admitted(&self, request: Request) -> Result<Request, Refused> {
        let headers = request.headers();
        let host = text(headers, HOST.as_str()).or_else(|| request.uri().authority().map(|host| host.as_str()));
        let host = host.unwrap_or_default().to_owned();
        if !self.hosts.accept(&host) {
            return Err(Refused::Host(host));
        }
        let reads = matches!(*request.method(), Method::GET | Method::HEAD);
        check_site(headers, reads, &host)?;
        if reads {
            return Ok(request);
        }
        if !self.allow_changes {
            return Err(Refused::ReadOnly);
        }
        if text(headers, SessionToken::HEADER).is_some_and(|token| self.token.is(token)) {
            return Ok(request);
        }
        let form = text(headers, CONTENT_TYPE.as_str())
            .is_some_and(|kind| kind.split(';').next() == Some("application/x-www-form-urlencoded"));
        if !form {
            return Err(Refused::Token);
        }
        let (parts, body) = request.into_parts();
        let body = to_bytes(body, LONGEST_FORM).await.map_err(|_| Refused::TooLong)?;
        let carries =
            form_urlencoded::parse(&body).any(|(name, value)| name == SessionToken::FIELD && self.token.is(&value));
        if !carries {
            return Err(Refused::Token);
        }
        Ok(Request::from_parts(parts, Body::from(body)))
    }
}

/// Refuses requests that another page caused. Browsers say where a request is from, in `Sec-Fetch-Site` and, for changes, in
/// `Origin`; programs say neither. A link from another page may open a page here, but nothing may be embedded or changed.
fn check_site(headers: &HeaderMap, reads: bool, host: &str) -> Result<(), Refused> {
    let navigates = reads
        && text(headers, "sec-fetch-mode") == Some("navigate")
        && text(headers, "sec-fetch-dest") == Some("document");
    match text(headers, "sec-fetch-site") {
        None | Some("same-origin" | "none") => {}
        Some(_) if navigates => {}
        Some(_) => return Err(Refused::OtherPage),
    }
    match text(headers, ORIGIN.as_str()) {
        None => Ok(()),
        Some(origin) if origin.split_once("://").is_some_and(|(_, of)| of.eq_ignore_ascii_case(host)) => Ok(()),
        Some(_) => Err(Refused::OtherPage),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn admission(allow_changes: bool) -> Admission {
        Admission { hosts: AcceptedHosts::Loopback, allow_changes, token: SessionToken::random().unwrap() }
    }

    fn request(method: Method, headers: &[(&str, &str)], body: &str) -> Request {
        let mut request = Request::builder().method(method).uri("/console").header("host", "127.0.0.1:4599");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::from(body.to_owned())).unwrap()
    }

    const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

    #[tokio::test]
    async fn a_change_needs_the_sessions_token() {
        let console = admission(true);
        let form = format!("name=a&token={}", console.token.text());
        assert!(console.admitted(request(Method::POST, &[FORM], &form)).await.is_ok());
        let header = (SessionToken::HEADER, console.token.text());
        assert!(console.admitted(request(Method::POST, &[header], "x")).await.is_ok());
        for (headers, body) in
            [(vec![FORM], "token="), (vec![FORM], ""), (vec![FORM], "token=00"), (vec![], form.as_str())]
        {
            let refused = console.admitted(request(Method::POST, &headers, body)).await.unwrap_err();
            assert_eq!(refused, Refused::Token, "{headers:?} {body}");
        }
        let refused = admission(false).admitted(request(Method::POST, &[FORM], &form)).await.unwrap_err();
        assert_eq!(refused, Refused::ReadOnly);
    }

    #[tokio::test]
    async fn another_page_in_the_browser_reads_and_changes_nothing() {
        let console = admission(true);
        let token = (SessionToken::HEADER, console.token.text());
        for (method, headers) in [
            (
                Method::GET,
                vec![("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
            ),
            (Method::GET, vec![("sec-fetch-site", "same-site"), ("sec-fetch-mode", "cors")]),
            (Method::GET, vec![("origin", "http://127.0.0.1:3000")]),
            (
                Method::GET,
                vec![("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
            ),
            (Method::POST, vec![("origin", "https://evil.example"), token]),
            (Method::POST, vec![("origin", "null"), token]),
            (
                Method::POST,
                vec![
                    ("sec-fetch-site", "same-site"),
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "document"),
                    token,
                ],
            ),
        ] {
            let refused = console.admitted(request(method, &headers, "")).await.unwrap_err();
            assert_eq!(refused, Refused::OtherPage, "{headers:?}");
        }
        let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
        assert!(console.admitted(request(Method::GET, &link, "")).await.is_ok(), "a link opens the page");
        let own = [("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:4599"), token];
        assert!(console.admitted(request(Method::POST, &own, "")).await.is_ok());
    }

    #[tokio::test]
    async fn a_rebound_name_is_refused() {
        let request =
            Request::builder().uri("/console").header("host", "evil.example:4599").body(Body::empty()).unwrap();
        assert!(matches!(admission(true).admitted(request).await, Err(Refused::Host(_))));
    }
}
