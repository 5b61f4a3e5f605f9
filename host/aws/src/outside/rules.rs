//! What holds for every request of a stage, whole or in pieces; `http` lists it.

use ::http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::Url;
use stagehost_batch::{Case, Failure};
use stagehost_runtime::is_connection_header;

use crate::outside::address::{NoPublicAddress, UrlHost, url_host};
use crate::outside::client::{causes, shown};

/// The head of a request that may be sent.
pub(super) struct Checked {
    /// Names the request in messages.
    pub(super) what: String,
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
}

impl Checked {
    /// Checks a request's head.
    ///
    /// Errors: `InvalidInput` if it is malformed or sets a header of the host's, `Denied` if it must not be sent.
    pub(super) fn new(method: &str, url: &str, headers: &[(String, String)], loopback: bool) -> Result<Self, Failure> {
        let url = checked_url(url, loopback)?;
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| {
            let message = format!("{}: {method:?} is not a valid HTTP method", shown(&url));
            Failure::new(Case::InvalidInput, message)
        })?;
        let what = format!("{method} {}", shown(&url));
        let invalid = |why: &str| Failure::new(Case::InvalidInput, format!("{what}: {why}"));
        if method == Method::CONNECT || method == Method::TRACE {
            return Err(Failure::new(Case::Denied, format!("{what}: stages must not use this method")));
        }
        let headers = checked_headers(headers).map_err(|why| invalid(&why))?;
        Ok(Self { what, method, url, headers })
    }
}

/// Returns the URL if a stage may call it.
///
/// Errors: `InvalidInput` if it is not a URL, `Denied` if it must not be called.
fn checked_url(text: &str, loopback: bool) -> Result<Url, Failure> {
    let url = Url::parse(text)
        .map_err(|error| Failure::new(Case::InvalidInput, format!("{text:?} is not a valid URL: {error}")))?;
    let denied = |why: &str| Failure::new(Case::Denied, format!("{}: {why}", shown(&url)));
    let host = url_host(&url).ok_or_else(|| denied("the URL has no host"))?;
    match (url.scheme(), host) {
        ("https", UrlHost::Internal) | ("http", UrlHost::Internal) => {
            Err(denied("private, link-local and reserved addresses are not allowed"))
        }
        (_, UrlHost::Loopback) if !loopback => Err(denied(
            "on Lambda no stage may call its own machine, where the runtime API is, whatever its pin grants",
        )),
        ("https", _) | ("http", UrlHost::Loopback) => Ok(url),
        ("http", _) => Err(denied("plain http is allowed only to this machine; use https")),
        _ => Err(denied("only https is allowed")),
    }
}

/// Returns the headers of a request. Errors: if a header is invalid or set by the host.
fn checked_headers(headers: &[(String, String)]) -> Result<HeaderMap, String> {
    let mut checked = HeaderMap::new();
    for (name, value) in headers {
        let header =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("{name:?} is not a valid header name"))?;
        if is_connection_header(header.as_str()) {
            return Err(format!("the host sets the header {header} itself; remove it"));
        }
        let invalid = |_| format!("the value of the header {header} is invalid");
        let mut value = HeaderValue::from_str(value).map_err(invalid)?;
        // It may be a secret of the pin or of the stage, so whoever prints the request leaves it out.
        value.set_sensitive(true);
        checked.append(header, value);
    }
    Ok(checked)
}

/// Returns the headers whose values are text.
pub(super) fn readable(headers: &HeaderMap) -> Vec<(String, String)> {
    headers.iter().filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect()
}

/// Returns the failure for an error of the client. The request was valid, so the failure is transient, unless the name
/// resolves to a private address.
pub(super) fn failed(what: &str, error: &reqwest::Error) -> Failure {
    let denied = causes(error).any(|cause| cause.is::<NoPublicAddress>());
    let case = if denied { Case::Denied } else { Case::Transient };
    let texts: Vec<_> = causes(error).map(ToString::to_string).collect();
    let text = if texts.is_empty() { "the connection failed".to_owned() } else { texts.join(": ") };
    Failure::new(case, format!("{what}: {text}"))
}
