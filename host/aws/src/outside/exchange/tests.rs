#![allow(clippy::unwrap_used)]
use std::net::SocketAddr;

use axum::Router;
use axum::routing::any;
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};
use stagehost_runtime::capability::{Http as _, HttpHead};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::*;
use crate::outside::http::HttpClient;

/// A long body: 100 MB.
const LONG: usize = 100_000_000;
const PIECE: usize = 1 << 20;

fn byte(at: usize) -> u8 {
    (at % 251) as u8
}

/// Returns the body's bytes from `at`, at most a piece.
fn piece(at: usize) -> Bytes {
    (at..LONG.min(at + PIECE)).map(byte).collect()
}

fn head(method: &str, url: String, body_bytes: Option<u64>) -> HttpHead {
    HttpHead {
        method: method.into(),
        url,
        headers: Vec::new(),
        secrets: Vec::new(),
        body_bytes,
        timeout: Duration::from_secs(20),
    }
}

async fn begin(method: &str, url: String, body_bytes: Option<u64>) -> Box<dyn HttpExchange> {
    HttpClient::new().unwrap().begin(head(method, url, body_bytes)).await.unwrap()
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

/// Returns what the service got: the framing of the body, its length and its digest.
async fn digest(request: axum::extract::Request) -> String {
    let (head, mut body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    let framing = (header("content-length"), header("transfer-encoding"));
    let (mut sha256, mut bytes) = (Sha256::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.unwrap().into_data() else { continue };
        sha256.update(&data);
        bytes += data.len();
    }
    format!("{framing:?} {bytes} {}", hex::encode(sha256.finalize()))
}

async fn text(exchange: &mut Box<dyn HttpExchange>) -> String {
    String::from_utf8(exchange.read(1 << 20).await.unwrap().to_vec()).unwrap()
}

fn long_sha256() -> String {
    let mut sha256 = Sha256::new();
    (0..LONG).step_by(PIECE).for_each(|at| sha256.update(piece(at)));
    hex::encode(sha256.finalize())
}

#[tokio::test]
async fn a_long_body_arrives_with_its_length_or_in_chunks() {
    let address = serve(Router::new().route("/", any(digest))).await;
    for (declared, framing) in
        [(Some(LONG as u64), format!("(Some(\"{LONG}\"), None)")), (None, "(None, Some(\"chunked\"))".to_owned())]
    {
        let mut exchange = begin("POST", format!("http://{address}/"), declared).await;
        for at in (0..LONG).step_by(PIECE) {
            exchange.write(piece(at)).await.unwrap();
        }
        assert_eq!(exchange.answer().await.unwrap().status, 200);
        assert_eq!(text(&mut exchange).await, format!("{framing} {LONG} {}", long_sha256()));
        assert_eq!(text(&mut exchange).await, "");
    }
}

#[tokio::test]
async fn a_request_without_a_byte_of_body_has_no_body() {
    let address = serve(Router::new().route("/", any(digest))).await;
    for declared in [Some(0), None] {
        let mut exchange = begin("GET", format!("http://{address}/"), declared).await;
        assert_eq!(exchange.answer().await.unwrap().status, 200);
        assert!(text(&mut exchange).await.starts_with("(None, None) 0 "));
    }
}

/// Reads until the end of a request's head.
async fn read_head(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    while !read.windows(4).any(|four| four == b"\r\n\r\n") {
        let mut more = [0; 4096];
        let len = stream.read(&mut more).await.unwrap();
        assert!(len > 0, "the connection was closed");
        read.extend_from_slice(&more[..len]);
    }
    read
}

/// A service that does as `behave` says on its first connection.
async fn service<F: Future<Output = ()> + Send>(behave: impl FnOnce(TcpStream) -> F + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { behave(listener.accept().await.unwrap().0).await });
    url
}

#[tokio::test]
async fn a_long_answer_comes_in_full_pieces_however_it_arrives() {
    let url = service(|mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {LONG}\r\n\r\n").as_bytes()).await.unwrap();
        let mut at = 0;
        while at < LONG {
            // Of odd lengths, so that pieces and packets never agree.
            let some: Vec<_> = (at..LONG.min(at + 77_777)).map(byte).collect();
            at += some.len();
            stream.write_all(&some).await.unwrap();
        }
    })
    .await;
    let mut exchange = begin("GET", url, Some(0)).await;
    exchange.answer().await.unwrap();
    for at in (0..LONG).step_by(PIECE) {
        assert!(exchange.read(PIECE).await.unwrap() == piece(at), "at {at}");
    }
    assert_eq!(exchange.read(PIECE).await.unwrap(), "");
}

#[tokio::test]
async fn an_answer_that_is_cut_in_the_middle_is_a_failure() {
    for head in ["content-length: 10", "transfer-encoding: chunked"] {
        let url = service(move |mut stream| async move {
            read_head(&mut stream).await;
            let body = if head.starts_with('c') { "hello" } else { "5\r\nhello\r\n" };
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
        })
        .await;
        let mut exchange = begin("GET", url, Some(0)).await;
        exchange.answer().await.unwrap();
        assert_eq!(exchange.read(5).await.unwrap(), "hello", "{head}");
        let failure = exchange.read(5).await.unwrap_err();
        assert_eq!(failure.case, Case::Transient, "{head}: {failure}");
    }
}

#[tokio::test]
async fn bytes_behind_an_answer_are_no_part_of_it_or_of_the_next_one() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    // It sends a forged answer to the next request on the same connection.
    let forged = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
    let answers = ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "HTTP/1.1 204 No Content\r\n\r\n"];
    tokio::spawn(async move {
        for answer in answers.into_iter().cycle() {
            let mut stream = listener.accept().await.unwrap().0;
            tokio::spawn(async move {
                read_head(&mut stream).await;
                stream.write_all(format!("{answer}{forged}").as_bytes()).await.unwrap();
                // Ends when the client closes the connection.
                let _closed = stream.read_to_end(&mut Vec::new()).await;
            });
        }
    });
    let client = HttpClient::new().unwrap();
    for expected in ["ok", "", "ok", ""] {
        let mut exchange = client.begin(head("GET", url.clone(), Some(0))).await.unwrap();
        exchange.answer().await.unwrap();
        assert_eq!(text(&mut exchange).await, expected);
    }
}

/// Sends a part of a body and drops the exchange. Returns all that the service got.
async fn abandoned(declared: Option<u64>) -> String {
    let (all, got) = oneshot::channel();
    let url = service(|mut stream| async move {
        let mut read = read_head(&mut stream).await;
        // Ends when the client closes the connection.
        let _broken = stream.read_to_end(&mut read).await;
        all.send(read).unwrap();
    })
    .await;
    let mut exchange = begin("POST", url, declared).await;
    // The second one is taken when the first one is on its way.
    for _ in 0..3 {
        exchange.write(Bytes::from_static(b"hello")).await.unwrap();
    }
    drop(exchange);
    String::from_utf8(got.await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_body_that_is_abandoned_never_looks_complete() {
    let with_length = abandoned(Some(100)).await;
    assert!(with_length.contains("content-length: 100"), "{with_length}");
    assert!(with_length.matches("hello").count() < 20, "{with_length}");
    let chunked = abandoned(None).await;
    assert!(chunked.contains("transfer-encoding: chunked"), "{chunked}");
    assert!(!chunked.contains("\r\n0\r\n"), "{chunked}");
}

#[tokio::test]
async fn a_service_that_does_not_go_on_fails_after_the_timeout() {
    // It takes nothing, so that the buffers on the way fill up; or it takes all and does not answer.
    let takes_nothing = service(|stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let client = HttpClient::new().unwrap();
    let quick = |url: String| HttpHead { timeout: Duration::from_millis(200), ..head("POST", url, None) };
    let mut exchange = client.begin(quick(takes_nothing.clone())).await.unwrap();
    let failure = loop {
        if let Err(failure) = exchange.write(piece(0)).await {
            break failure;
        }
    };
    assert!(failure.case == Case::Transient && failure.message.contains("did not take the body"), "{failure}");

    let does_not_answer = service(|mut stream| async move {
        read_head(&mut stream).await;
        std::future::pending().await
    })
    .await;
    let mut exchange = client.begin(quick(does_not_answer)).await.unwrap();
    exchange.write(Bytes::from_static(b"hello")).await.unwrap();
    let failure = exchange.answer().await.unwrap_err();
    assert!(failure.case == Case::Transient && failure.message.contains("did not answer"), "{failure}");

    let stops = service(|mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello").await.unwrap();
        std::future::pending().await
    })
    .await;
    let mut exchange = client.begin(quick(stops)).await.unwrap();
    exchange.answer().await.unwrap();
    let failure = exchange.read(10).await.unwrap_err();
    assert!(failure.case == Case::Transient && failure.message.contains("did not go on"), "{failure}");
}

#[tokio::test]
async fn an_answer_that_comes_before_the_whole_body_is_returned() {
    // It refuses the body at its first bytes and keeps the connection open without reading.
    let url = service(|mut stream| async move {
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 8\r\n\r\ntoo long").await.unwrap();
        std::future::pending().await
    })
    .await;
    let mut exchange = begin("POST", url, Some(LONG as u64)).await;
    for at in (0..LONG).step_by(PIECE) {
        exchange.write(piece(at)).await.unwrap();
    }
    assert_eq!(exchange.answer().await.unwrap().status, 413);
    assert_eq!(text(&mut exchange).await, "too long");
}

#[tokio::test]
async fn a_service_that_closes_the_connection_is_a_failure() {
    let url = service(|mut stream| async move {
        read_head(&mut stream).await;
    })
    .await;
    let mut exchange = begin("POST", url, Some(LONG as u64)).await;
    let mut failure = None;
    for at in (0..LONG).step_by(PIECE) {
        if let Err(why) = exchange.write(piece(at)).await {
            failure = Some(why);
            break;
        }
    }
    assert_eq!(failure.unwrap().case, Case::Transient);
}

#[tokio::test]
async fn the_rules_of_whole_requests_hold_for_pieces() {
    let client = HttpClient::new().unwrap();
    let refused = async |head: HttpHead| client.begin(head).await.err().unwrap().case;
    for url in ["http://169.254.169.254/", "https://10.0.0.1/", "http://example.com/"] {
        assert_eq!(refused(head("POST", url.into(), None)).await, Case::Denied, "{url}");
    }
    let with = |name: &str| HttpHead {
        headers: vec![(name.into(), "5".into())],
        ..head("POST", "https://example.com/".into(), None)
    };
    for name in ["Content-Length", "Transfer-Encoding", "Host"] {
        assert_eq!(refused(with(name)).await, Case::InvalidInput, "{name}");
    }
    let on_lambda = HttpClient::without_loopback().unwrap();
    let denied = on_lambda.begin(head("GET", "http://127.0.0.1:9001/".into(), None)).await;
    assert_eq!(denied.err().unwrap().case, Case::Denied);
}
