//! Services that break the rules of HTTP, and headers that would break those of the request, through the host's real client.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use stagehost_runtime::capability::Capabilities;
use stagehost_runtime::{Fanout, Limits, StageEngine, World};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::calls::{HONEST, HOSTILE_LISTING, batch_of, honest_call, photo, request};
use crate::case::small;
use crate::components::Guest;
use crate::outside::Outside;
use crate::secret_service::{TOKEN, capabilities, secret_for};

/// What a service sends, and how it goes on.
struct Script {
    /// Each is sent by itself, some milliseconds after the one before.
    pieces: &'static [&'static str],
    then: Then,
}

#[derive(Clone, Copy, PartialEq)]
enum Then {
    /// It closes the connection.
    Closes,
    /// It sends the last piece again and again until the client closes the connection.
    Repeats,
}

const fn closes(pieces: &'static [&'static str]) -> Script {
    Script { pieces, then: Then::Closes }
}

const fn repeats(pieces: &'static [&'static str]) -> Script {
    Script { pieces, then: Then::Repeats }
}

/// Reads the head of a request and answers as the script says. Returns when the connection is closed.
async fn answer(mut stream: TcpStream, script: &Script) {
    let (mut head, mut more) = (Vec::new(), [0; 4096]);
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut more).await {
            Ok(len) if len > 0 => head.extend_from_slice(&more[..len]),
            _ => return,
        }
    }
    stream.set_nodelay(true).unwrap();
    for piece in script.pieces {
        if stream.write_all(piece.as_bytes()).await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let last = script.pieces.last().unwrap();
    while script.then == Then::Repeats && stream.write_all(last.as_bytes()).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Serves one connection. Returns the address, and a task that ends with the connection.
async fn serve(script: Script) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (address, tokio::spawn(async move { answer(listener.accept().await.unwrap().0, &script).await }))
}

/// The world, and the machine that runs calls.
struct Host {
    outside: Arc<Outside>,
    fanout: Fanout,
    engine: StageEngine,
}

impl Host {
    fn new() -> Self {
        Self { outside: Outside::new(), fanout: Fanout::new(2, 64), engine: StageEngine::new().unwrap() }
    }

    /// Makes one call that does as the word asks, with a secret for the service. Returns its failure: name and message.
    async fn call(&self, word: &str, address: &str, limits: Limits) -> (String, String) {
        const MEDDLER: Guest = Guest::new("meddler", World::Custom);
        let stage = MEDDLER.load(&self.engine, &MEDDLER.compile());
        let key = format!("{HOSTILE_LISTING}/raw/photo/vertical/2025-11-27/{word}.jpg");
        let batch = batch_of(HOSTILE_LISTING, vec![photo(&key)]);
        let config = format!(r#"{{"service":"http://{address}"}}"#);
        let mut request = request(&stage, &self.outside, &batch, limits, &config);
        request.call.capabilities = Capabilities { http: capabilities().http, ..self.outside.capabilities() };
        (request.call.grants.http, request.call.grants.secrets) = (vec![address.into()], vec![secret_for(address)]);
        let outcome = self.fanout.run(stage, request, batch, Arc::new(())).await.unwrap();
        let problem = outcome.batch.assets[0].problem.clone().unwrap();
        (problem.code, problem.message)
    }

    /// Makes one call against a service of its own.
    async fn call_with(&self, word: &str, script: Script, limits: Limits) -> (String, String) {
        let (address, connection) = serve(script).await;
        let ended = self.call(word, &address, limits).await;
        // The client keeps no connection to a service that still sends.
        tokio::time::timeout(Duration::from_secs(20), connection).await.expect("the connection stays open").unwrap();
        ended
    }

    /// Nothing was stored, no upload was left, and the host serves the next call.
    async fn is_unharmed(&self) {
        assert!(self.outside.finished().is_empty(), "{:?}", self.outside.finished());
        assert_eq!(self.outside.open_writers.load(Ordering::SeqCst), 0);
        assert_eq!(self.outside.lost_writers.load(Ordering::SeqCst), 0);
        honest_call(&self.fanout, &HONEST.load(&self.engine, &HONEST.compile()), &self.outside).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_what_its_head_says_or_a_failure() {
    let host = Host::new();
    for (script, code, says) in [
        // A redirect is returned and not followed.
        (
            closes(&["HTTP/1.1 302 Found\r\nlocation: https://evil.example/\r\ncontent-length: 0\r\n\r\n"]),
            "Stage.Internal",
            "; 302 came with \"\"",
        ),
        // Less than it says, with a length and in chunks.
        (closes(&["HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", "hello"]), "Stage.Transient", "; 200 came"),
        (
            closes(&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\nhello"]),
            "Stage.Transient",
            "; 200 came",
        ),
        // More than it says.
        (
            closes(&[
                "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged",
            ]),
            "Stage.Internal",
            "; 200 came with \"ok\"",
        ),
        // A status that has no body, with one.
        (
            closes(&["HTTP/1.1 204 No Content\r\ncontent-length: 6\r\n\r\nforged"]),
            "Stage.Internal",
            "; 204 came with \"\"",
        ),
        // Interim answers before the real one.
        (
            closes(&[
                "HTTP/1.1 100 Continue\r\n\r\n",
                "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n",
                "content-length: 2\r\n\r\no",
                "k",
            ]),
            "Stage.Internal",
            "; 200 came with \"ok\"",
        ),
        // Two lengths.
        (
            closes(&["HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 6\r\n\r\nforged"]),
            "Stage.Transient",
            "; 0 came with \"\"",
        ),
        // Invalid lengths.
        (closes(&["HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nforged"]), "Stage.Transient", "; 0 came with \"\""),
        // A chunk whose length overflows.
        (
            closes(&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nforged"]),
            "Stage.Transient",
            "; 200 came with \"\"",
        ),
        // No HTTP at all, and no answer at all.
        (closes(&["220 mail.example ESMTP\r\n"]), "Stage.Transient", "; 0 came with \"\""),
        (closes(&[""]), "Stage.Transient", "; 0 came with \"\""),
    ] {
        let shown = script.pieces;
        let (ended, message) = host.call_with("sip", script, small()).await;
        assert!(ended == code && message.contains(says), "{shown:?}: {ended}: {message}");
    }
    host.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_breaks_off_is_not_stored() {
    let host = Host::new();
    let script = closes(&["HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n", "hello"]);
    let (ended, message) = host.call_with("keep", script, small()).await;
    assert_eq!(ended, "Stage.Transient", "{message}");
    host.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_goes_on_without_end_is_left_at_the_timeout_or_the_deadline() {
    let host = Host::new();
    // An answer that never begins, and one that has no end, byte by byte.
    let interim = repeats(&["HTTP/1.1 102 Processing\r\n\r\n"]);
    let (ended, message) = host.call_with("sip-in-a-hurry", interim, small()).await;
    assert!(ended == "Stage.Transient" && message.contains("did not answer within the time allowed"), "{message}");

    let drips = repeats(&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "1\r\nx\r\n"]);
    let (ended, message) = host.call_with("keep", drips, Limits { deadline_ms: 1000, ..small() }).await;
    assert_eq!(ended, "Stage.Timeout", "{message}");
    host.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_secret_that_comes_back_in_two_pieces_is_not_seen() {
    let host = Host::new();
    assert_eq!(TOKEN, "xoxb-hunter2-hunter2");
    for pieces in [
        &["HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n...............xoxb-hunt", "er2-hunter2..............."]
            as &[_],
        &[
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n....\r\n5\r\nxoxb-\r\n",
            "f\r\nhunter2-hunter2\r\n0\r\n\r\n",
        ],
        &["HTTP/1.1 200 OK\r\nx-echo: Bearer xoxb-hunter2-hunter2\r\ncontent-length: 0\r\n\r\n"],
    ] {
        let (ended, message) = host.call_with("sip", closes(pieces), small()).await;
        assert!(
            ended == "Stage.Denied" && message.contains("contains the secret \"chat-token\""),
            "{ended}: {message}"
        );
        let (_, came) = message.rsplit_once("came with ").unwrap();
        assert!(came.trim_matches(['"', '.']).is_empty(), "{message}");
    }
    host.is_unharmed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_header_ends_the_head_or_belongs_to_the_connection() {
    let host = Host::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (ended, message) = host.call("inject", &address, small()).await;
    assert!(ended == "Stage.Internal" && message.contains("all 22 refused as invalid-input"), "{message}");
    let connected = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(connected.is_err(), "something was sent");
    host.is_unharmed().await;
}
