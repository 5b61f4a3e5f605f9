//! Cross-origin requests of web pages on this machine, such as a listing's page under development that uploads photos.
//!
//! Pages of other hosts get none of these headers. On loopback `caller` refuses their requests; where other machines may send
//! requests, the browser does not show such a page the answers.

use axum::body::Body;
use axum::response::Response;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::{Method, StatusCode};

use super::caller::is_local_origin;

/// The headers of answers that a page may read, besides the usual ones.
const EXPOSED: &str = "ETag, Location, x-amz-request-id, x-amz-version-id, x-amz-checksum-crc32, x-amz-checksum-sha256, \
                       x-amzn-errortype, Content-Range, Accept-Ranges";

/// The origin of a page on this machine, and what its browser asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CrossOrigin {
    origin: HeaderValue,
    /// The headers that the page wants to send; present in a preflight only.
    preflight: Option<Option<HeaderValue>>,
}

impl CrossOrigin {
    /// Returns the page that a request is from; `None` for a request of a program, or of a page of another host.
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Option<Self> {
        let origin = headers.get(http::header::ORIGIN)?.clone();
        if !origin.to_str().is_ok_and(is_local_origin) {
            return None;
        }
        let asks = method == Method::OPTIONS && headers.contains_key(http::header::ACCESS_CONTROL_REQUEST_METHOD);
        let wanted = || headers.get(http::header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        Some(Self { origin, preflight: asks.then(wanted) })
    }

    /// Returns the answer to a preflight; `None` if the request is not one.
    pub(super) fn preflight(&self) -> Option<Response> {
        let wanted = self.preflight.as_ref()?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        let methods = HeaderValue::from_static("GET, HEAD, PUT, POST, DELETE");
        headers.insert(http::header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        if let Some(wanted) = wanted {
            headers.insert(http::header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
        headers.insert(http::header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        // Chromium asks before a page reaches an address of this machine.
        let private = HeaderName::from_static("access-control-allow-private-network");
        headers.insert(private, HeaderValue::from_static("true"));
        self.allow(&mut response);
        Some(response)
    }

    /// Lets the page read an answer.
    pub(super) fn allow(&self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(http::header::ACCESS_CONTROL_ALLOW_ORIGIN, self.origin.clone());
        headers.insert(http::header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        headers.append(http::header::VARY, HeaderValue::from_static("Origin"));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn of(method: Method, fields: &[(&'static str, &str)]) -> Option<CrossOrigin> {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(*name, value.parse().unwrap());
        }
        CrossOrigin::of(&method, &headers)
    }

    #[test]
    fn a_preflight_of_a_page_on_this_machine_is_answered() {
        let asked = [
            ("origin", "http://localhost:3000"),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "content-type,x-amz-meta-a"),
        ];
        let answer = of(Method::OPTIONS, &asked).unwrap().preflight().unwrap();
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        assert_eq!(answer.headers()["access-control-allow-origin"], "http://localhost:3000");
        assert_eq!(answer.headers()["access-control-allow-headers"], "content-type,x-amz-meta-a");
        assert!(answer.headers()["access-control-allow-methods"].to_str().unwrap().contains("PUT"));
    }

    #[test]
    fn pages_of_other_hosts_and_programs_get_no_such_headers() {
        for origin in ["https://evil.example", "null", "http://localhost.evil.example"] {
            assert_eq!(of(Method::PUT, &[("origin", origin)]), None, "{origin}");
        }
        assert_eq!(of(Method::PUT, &[]), None);
    }

    #[test]
    fn a_plain_answer_can_be_read_by_the_page() {
        let page = of(Method::PUT, &[("origin", "http://127.0.0.1:5173")]).unwrap();
        assert!(page.preflight().is_none());
        let mut answer = Response::new(Body::empty());
        page.allow(&mut answer);
        assert!(answer.headers()["access-control-expose-headers"].to_str().unwrap().contains("ETag"));
        assert_eq!(answer.headers()["vary"], "Origin");
    }
}
