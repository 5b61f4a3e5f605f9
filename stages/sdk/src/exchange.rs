//! Requests and answers in pieces, as `std::io::Write` and `Read`.

use std::io::{self, Read, Write};

use crate::bindings::toq::media::objects::ObjectInfo;
use crate::bindings::toq::media::types::Failure;
use crate::failure::io_error;
use crate::gathered::{BUFFER, Gathered};
use crate::sys;

/// The body of a request that is being sent. One that is dropped cancels the request.
///
/// ```
/// use stage_sdk::testing::Host;
/// use stage_sdk::{Failure, NewObject, Object, Request, Response};
///
/// /// Sends a film to a service and stores what comes back. Neither of them is ever whole in memory.
/// fn stabilize(film: &str, made: &str) -> Result<(), Failure> {
///     let mut film = Object::open(film)?;
///     let request = Request::new("POST", "https://films.example/stabilize").header("content-type", "video/mp4");
///     let mut body = request.begin(Some(film.info().bytes))?;
///     std::io::copy(&mut film, &mut body)?;
///     let mut answer = body.answer_ok()?;
///     let mut object = NewObject::create(made, "video/mp4", None)?;
///     std::io::copy(&mut answer, &mut object)?;
///     object.finish()?;
///     Ok(())
/// }
///
/// let host = Host::new();
/// host.put("51/raw/video/vertical/a.mp4", b"shaken");
/// host.respond(Ok(Response { status: 200, headers: Vec::new(), body: b"still".to_vec() }));
/// stabilize("51/raw/video/vertical/a.mp4", "51/processed/video/vertical/a_still.mp4").unwrap();
/// assert_eq!(host.requests()[0].body, b"shaken");
/// assert_eq!(host.bytes("51/processed/video/vertical/a_still.mp4").unwrap(), b"still");
/// ```
pub struct RequestBody {
    handle: sys::Exchange,
    gathered: Gathered,
    /// The service's host, for messages.
    host: String,
}

impl RequestBody {
    pub(crate) fn new(handle: sys::Exchange, host: &str) -> Self {
        Self { handle, gathered: Gathered::default(), host: host.to_owned() }
    }

    /// Sends `len` bytes of a stored object from `offset`, which do not pass through the stage.
    ///
    /// # Errors
    /// As `exchange.write-object` of the contract.
    pub fn write_object(&mut self, key: &str, if_match: Option<&str>, offset: u64, len: u64) -> Result<(), Failure> {
        self.send()?;
        self.handle.write_object(key, if_match, offset, len)
    }

    /// Ends the body and returns the answer, whatever its status is.
    ///
    /// # Errors
    /// As `exchange.answer` of the contract.
    pub fn answer(mut self) -> Result<ResponseBody, Failure> {
        self.send()?;
        let (status, headers) = self.handle.answer()?;
        Ok(ResponseBody { handle: self.handle, status, headers, window: Vec::new(), at: 0, ended: false })
    }

    /// Ends the body and returns an answer with a status from 200 to 299.
    ///
    /// # Errors
    /// As for [`Request::send_ok`](crate::Request::send_ok) and [`answer`](Self::answer).
    pub fn answer_ok(self) -> Result<ResponseBody, Failure> {
        let host = self.host.clone();
        let answer = self.answer()?;
        Failure::of_status(&host, answer.status)?;
        Ok(answer)
    }

    fn send(&mut self) -> Result<(), Failure> {
        self.gathered.send(|bytes| self.handle.write(bytes))
    }
}

impl Write for RequestBody {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.write(bytes, |bytes| self.handle.write(bytes))
    }

    /// Passes what was gathered to the host. The body ends with [`RequestBody::answer`].
    fn flush(&mut self) -> io::Result<()> {
        self.send().map_err(io_error)
    }
}

/// The answer to a request, whose body is read in pieces. An answer that breaks off is an error and never a short body.
pub struct ResponseBody {
    handle: sys::Exchange,
    /// HTTP status code.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// Bytes that were read ahead, and how many of them are used.
    window: Vec<u8>,
    at: usize,
    ended: bool,
}

impl ResponseBody {
    /// Stores the body as an object; its bytes do not pass through the stage.
    ///
    /// # Errors
    /// `invalid-input` if a part of it was read already; as `exchange.store` of the contract.
    pub fn store(mut self, key: &str, content_type: &str, fingerprint: Option<&str>) -> Result<ObjectInfo, Failure> {
        if !self.window.is_empty() || self.ended {
            return Err(Failure::InvalidInput("a part of the answer was read already, so it cannot be stored".into()));
        }
        self.handle.store(key, content_type, fingerprint)
    }
}

impl Read for ResponseBody {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if to.is_empty() {
            return Ok(0);
        }
        if self.at == self.window.len() && !self.ended {
            self.window = self.handle.read(BUFFER as u32).map_err(io_error)?;
            (self.at, self.ended) = (0, self.window.len() < BUFFER);
        }
        let left = &self.window[self.at..];
        let len = left.len().min(to.len());
        to[..len].copy_from_slice(&left[..len]);
        self.at += len;
        Ok(len)
    }
}
