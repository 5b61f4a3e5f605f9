//! Requests that are answered before their bodies are read, such as a conditional write that is refused at once.
//!
//! The server cannot read another request from such a connection, because the rest of the body would come first, so it closes
//! it. The response says so. Otherwise a client sends its next request into a connection that is being closed; the AWS SDK for
//! Python then takes the status of the earlier response for that of the next request, which was never carried out.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use http::header::CONNECTION;
use http::{HeaderValue, Version};
use http_body::{Frame, SizeHint};

/// Whether the body of a request was read to its end.
pub(super) struct BodyWatch {
    ended: Arc<AtomicBool>,
    version: Version,
}

impl BodyWatch {
    /// Returns the request with a watched body.
    pub(super) fn begin(request: Request) -> (Request, Self) {
        let ended = Arc::new(AtomicBool::new(request.body().is_end_stream()));
        let watch = Self { ended: ended.clone(), version: request.version() };
        (request.map(|body| Body::new(WatchedBody { body, ended })), watch)
    }

    /// Announces the end of the connection if the body was not read to its end.
    pub(super) fn announce(&self, response: &mut Response) {
        // Later versions of HTTP have no such header: they end the request's stream, and not the connection.
        if !self.ended.load(Ordering::Acquire) && self.version <= Version::HTTP_11 {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// A body that notes when it was read to its end.
struct WatchedBody {
    body: Body,
    ended: Arc<AtomicBool>,
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if matches!(frame, Poll::Ready(None)) || self.body.is_end_stream() {
            self.ended.store(true, Ordering::Release);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn announced(watch: &BodyWatch) -> bool {
        let mut response = Response::new(Body::empty());
        watch.announce(&mut response);
        response.headers().contains_key(CONNECTION)
    }

    #[tokio::test]
    async fn the_end_of_the_connection_is_announced_if_the_body_was_not_read() {
        let (request, watch) = BodyWatch::begin(Request::new(Body::from("body")));
        assert!(announced(&watch));
        assert_eq!(request.body().size_hint().exact(), Some(4));
        assert_eq!(axum::body::to_bytes(request.into_body(), 10).await.unwrap(), "body");
        assert!(!announced(&watch));
        let (_, watch) = BodyWatch::begin(Request::new(Body::empty()));
        assert!(!announced(&watch), "there is nothing to read");
    }
}
