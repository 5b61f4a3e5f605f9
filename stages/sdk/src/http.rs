//! Requests to other services.

use std::io::Write as _;
use std::time::Duration;

use crate::bindings::toq::media::http;
use crate::bindings::toq::media::types::Failure;
use crate::exchange::RequestBody;
use crate::sys;

pub use http::Response;

/// A request to another service. The pin names the hosts that may be called, and the secrets that the host puts in.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    request: http::Request,
    timeout: Duration,
}

impl Request {
    /// Returns a request without headers and body, with a timeout of 10 s.
    pub fn new(method: &str, url: &str) -> Self {
        let (method, url) = (method.to_owned(), url.to_owned());
        let request = http::Request { method, url, headers: Vec::new(), body: Vec::new() };
        Self { request, timeout: Duration::from_secs(10) }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.request.body = body.into();
        self
    }

    /// Sets how long to wait for the answer; the host waits 60 s at most.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends it and returns the answer, whatever its status is.
    ///
    /// # Errors
    /// As `http.send` of the contract.
    pub fn send(&self) -> Result<Response, Failure> {
        sys::http(&self.request, self.milliseconds())
    }

    /// Sends it and returns an answer with a status from 200 to 299.
    ///
    /// # Errors
    /// `transient` for 408, 425, 429 and from 500 on; `denied` for every other status; as for [`send`](Self::send).
    pub fn send_ok(&self) -> Result<Response, Failure> {
        let response = self.send()?;
        Failure::of_status(self.host(), response.status)?;
        Ok(response)
    }

    /// Begins a request whose body is written in pieces, and whose answer is read in pieces: for films and other long bodies.
    /// `bytes` is the length of the body, 0 for none; without it the body is sent in chunks, which not every service takes. A
    /// body that was set by [`body`](Self::body) is its beginning. The timeout is how long the service may take for a step.
    ///
    /// # Errors
    /// As `exchange.begin` of the contract.
    pub fn begin(&self, bytes: Option<u64>) -> Result<RequestBody, Failure> {
        let http::Request { method, url, headers, body } = &self.request;
        let (method, url, headers) = (method.clone(), url.clone(), headers.clone());
        let head = http::RequestHead { method, url, headers, body_bytes: bytes };
        let mut exchange = RequestBody::new(sys::begin(&head, self.milliseconds())?, self.host());
        exchange.write_all(body)?;
        Ok(exchange)
    }

    fn milliseconds(&self) -> u32 {
        u32::try_from(self.timeout.as_millis()).unwrap_or(u32::MAX)
    }

    /// The host of the address. The rest of it may have a secret.
    fn host(&self) -> &str {
        self.request.url.split('/').nth(2).unwrap_or_default()
    }
}
