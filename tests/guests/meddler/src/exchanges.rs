//! Misuses exchanges over HTTP: requests and answers in pieces.

use crate::exports::toq::media::asset_stage::Failure;
use crate::refusals::all_refused;
use crate::toq::media::http::{Exchange, RequestHead};

const PIECE: usize = 64 << 10;
/// What a service may take for a step, in milliseconds.
const PATIENCE: u32 = 20_000;
const SHORT_PATIENCE: u32 = 200;

/// Where the requests of a call go, and its file.
pub struct Target<'a> {
    /// The service's address, without a path.
    pub service: &'a str,
    /// The key of the call's file.
    pub key: &'a str,
}

/// What the host said to attempts that it must refuse, each with its name.
#[derive(Default)]
struct Attempts(Vec<(String, Result<(), Failure>)>);

impl Attempts {
    fn add<T>(&mut self, name: impl Into<String>, result: Result<T, Failure>) {
        self.0.push((name.into(), result.map(drop)));
    }
}

fn head(url: &str, body_bytes: Option<u64>) -> RequestHead {
    RequestHead { method: "POST".into(), url: url.into(), headers: Vec::new(), body_bytes }
}

impl Target<'_> {
    /// Does what a word asks; `None` if it is not one of these words.
    pub fn misuse(&self, word: &str) -> Option<Result<(), Failure>> {
        Some(match word {
            "exchanges" => self.begin_and_keep_without_end(),
            "restarts" => self.drop_halfway_without_end(),
            "pour" => self.write_without_end(),
            "lend" => self.write_an_object_without_end(),
            "drink" => self.read_without_end(),
            "drain" => self.store("/endless"),
            "drip" => self.store("/drip"),
            "silence" => self.begin("/silent", Some(0)).and_then(|exchange| exchange.answer().map(drop)),
            "order" => self.go_out_of_order(),
            "retry" => self.go_on_after_a_failure(),
            "reach" => self.reach_for_what_is_not_granted(),
            "disguise" => Err(self.disguise_the_host()),
            "inject" => Err(self.inject_headers()),
            "sip" => Err(self.sip(PATIENCE)),
            "sip-in-a-hurry" => Err(self.sip(SHORT_PATIENCE)),
            "keep" => self.store("/"),
            _ => return None,
        })
    }

    fn begin(&self, path: &str, body_bytes: Option<u64>) -> Result<Exchange, Failure> {
        Exchange::begin(&head(&format!("{}{path}", self.service), body_bytes), PATIENCE)
    }

    /// Begins a request without a body and waits for its answer.
    fn ask(&self, path: &str) -> Result<Exchange, Failure> {
        let exchange = self.begin(path, Some(0))?;
        exchange.answer()?;
        Ok(exchange)
    }

    fn made(&self) -> String {
        self.key.replace("/raw/", "/thumb/")
    }

    fn begin_and_keep_without_end(&self) -> Result<(), Failure> {
        let mut open = Vec::new();
        loop {
            open.push(self.begin("/", None)?);
        }
    }

    fn drop_halfway_without_end(&self) -> Result<(), Failure> {
        loop {
            self.begin("/", Some(10))?.write(b"half")?;
        }
    }

    fn write_without_end(&self) -> Result<(), Failure> {
        let exchange = self.begin("/", None)?;
        loop {
            exchange.write(&[0; PIECE])?;
        }
    }

    fn write_an_object_without_end(&self) -> Result<(), Failure> {
        let exchange = self.begin("/", None)?;
        loop {
            exchange.write_object(self.key, None, 0, PIECE as u64)?;
        }
    }

    fn read_without_end(&self) -> Result<(), Failure> {
        let exchange = self.ask("/endless")?;
        loop {
            exchange.read(PIECE as u32)?;
        }
    }

    fn store(&self, path: &str) -> Result<(), Failure> {
        let stored = self.ask(path)?.store(&self.made(), "image/jpeg", None)?;
        Err(Failure::Internal(format!("stored {} bytes", stored.bytes)))
    }

    /// Tries every step at the wrong time or with a wrong length.
    fn go_out_of_order(&self) -> Result<(), Failure> {
        let mut attempts = Attempts::default();
        let short = self.begin("/", Some(10))?;
        attempts.add("to read before the answer", short.read(1));
        attempts.add("to store before the answer", short.store(&self.made(), "image/jpeg", None));
        attempts.add("11 bytes of 10", short.write(&[0; 11]));
        attempts.add("11 bytes of an object", short.write_object(self.key, None, 0, 11));
        short.write(b"abc")?;
        attempts.add("an answer to 3 bytes of 10", short.answer());
        attempts.add("to write to what is cancelled", short.write(b"defghij"));
        attempts.add("an object for what is cancelled", short.write_object(self.key, None, 0, 7));
        attempts.add("the answer of what is cancelled", short.answer());
        attempts.add("to read from what is cancelled", short.read(1));
        attempts.add("to store what is cancelled", short.store(&self.made(), "image/jpeg", None));

        let late = self.begin("/", None)?;
        for (offset, len) in [(u64::MAX, 1), (1, u64::MAX), (u64::MAX, u64::MAX), (0, 1 << 40)] {
            attempts.add(format!("{len} bytes from {offset}"), late.write_object(self.key, None, offset, len));
        }
        late.answer()?;
        attempts.add("to write after the answer", late.write(b"more"));
        attempts.add("to write nothing after the answer", late.write(b""));
        attempts.add("an object after the answer", late.write_object(self.key, None, 0, 1));
        // None of these has ended the exchange.
        late.answer()?;
        late.read(1)?;
        Err(all_refused("invalid-input", attempts.0))
    }

    /// Tries every step once more after the connection has broken.
    fn go_on_after_a_failure(&self) -> Result<(), Failure> {
        let mut attempts = Attempts::default();
        let broken = self.ask("/broken")?;
        for _ in 0..3 {
            attempts.add("to read", broken.read(1));
            attempts.add("to store", broken.store(&self.made(), "image/jpeg", None));
            attempts.add("to write", broken.write(b"more"));
            attempts.add("to write an object", broken.write_object(self.key, None, 0, 1));
            attempts.add("the answer", broken.answer());
        }
        Err(all_refused("transient", attempts.0))
    }

    fn reach_for_what_is_not_granted(&self) -> Result<(), Failure> {
        let mut attempts = Attempts::default();
        for url in [
            "https://169.254.169.254/latest/meta-data/",
            "https://evil.example/",
            "https://api.example.org.evil.example/",
            "https://evil.example/api.example.org",
            "https://evil.example?api.example.org",
            "https://evil.example#api.example.org",
            "https://api.example.org:8443/",
            "https://api.example.org./",
            "https://127.0.0.1:9001/",
        ] {
            attempts.add(url, Exchange::begin(&head(url, None), PATIENCE));
        }
        let asking = self.begin("/", None)?;
        let answered = self.ask("/")?;
        for key in [
            "52/raw/photo/vertical/other.jpg",
            "51/raw/../../52/raw/photo/vertical/other.jpg",
            "51/raw/photo/vertical/../../../../pipeline/pins/pins.json",
            "pipeline/pins/pins.json",
            "",
        ] {
            attempts.add(format!("to send {key:?}"), asking.write_object(key, None, 0, 1));
            attempts.add(format!("to store {key:?}"), answered.store(key, "image/jpeg", None));
        }
        attempts.add("to store over the upload", answered.store(self.key, "image/jpeg", None));
        // None of these has ended the exchanges.
        asking.answer()?;
        answered.read(1)?;
        Err(all_refused("denied", attempts.0))
    }

    /// Tries addresses that another reader might take for the granted host, and heads that are too long.
    fn disguise_the_host(&self) -> Failure {
        let mut attempts = Attempts::default();
        for url in [
            "ftp://api.example.org/",
            "//api.example.org/",
            "https:///api.example.org/",
            "https://api.example.org@evil.example/",
            "https://evil.example\\@api.example.org/",
            "https://api.example.org\r\nHost: evil.example\r\n\r\n/",
            "https://\u{ff41}pi.example.org/",
            "https://api.example%2Eorg/",
            "",
        ] {
            attempts.add(url, Exchange::begin(&head(url, None), PATIENCE));
        }
        let long = format!("{}/{}", self.service, "u".repeat(8 << 10));
        attempts.add("a long URL", Exchange::begin(&head(&long, None), PATIENCE));
        let method = "M".repeat(33);
        attempts.add("a long method", Exchange::begin(&RequestHead { method, ..head(self.service, None) }, PATIENCE));
        for (count, len) in [(129, 1), (65, 1024)] {
            let headers = vec![("x".to_owned(), "v".repeat(len)); count];
            let many = RequestHead { headers, ..head(self.service, None) };
            attempts.add(format!("{count} headers of {len} bytes"), Exchange::begin(&many, PATIENCE));
        }
        all_refused("invalid-input", attempts.0)
    }

    /// Tries headers that would end the head of the request, or that belong to the connection.
    fn inject_headers(&self) -> Failure {
        let mut attempts = Attempts::default();
        for (name, value) in [
            ("x-note", "a\r\nHost: evil.example"),
            ("x-note", "a\nx-other: b"),
            ("x-note", "a\rb"),
            ("x-note", "a\0b"),
            ("x-note\r\nx-other", "a"),
            ("x-note: a\r\nx-other", "b"),
            ("x note", "a"),
            ("x-note:", "a"),
            ("", "a"),
            ("Host", "evil.example"),
            ("hOST", "evil.example"),
            ("Content-Length", "3"),
            ("Transfer-Encoding", "chunked"),
            ("Connection", "close"),
            ("Upgrade", "websocket"),
            ("TE", "trailers"),
            ("Keep-Alive", "timeout=600"),
            ("Proxy-Authorization", "Basic bWU6bWU="),
        ] {
            let headers = vec![(name.to_owned(), value.to_owned())];
            let head = RequestHead { headers, ..head(&format!("{}/", self.service), None) };
            attempts.add(format!("{name:?}: {value:?}"), Exchange::begin(&head, PATIENCE));
        }
        for method in ["GET / HTTP/1.1\r\nx: y\r\n\r\nGET", "GET\r\n", "G T", ""] {
            let head = RequestHead { method: method.into(), ..head(&format!("{}/", self.service), None) };
            attempts.add(format!("the method {method:?}"), Exchange::begin(&head, PATIENCE));
        }
        all_refused("invalid-input", attempts.0)
    }

    /// Reads an answer in pieces of 7 bytes. Returns what came, also of one that breaks off.
    fn sip(&self, patience: u32) -> Failure {
        let mut came = Vec::new();
        let mut status = 0;
        let read = Exchange::begin(&head(&format!("{}/", self.service), Some(0)), patience).and_then(|exchange| {
            status = exchange.answer()?.status;
            loop {
                let piece = exchange.read(7)?;
                came.extend_from_slice(&piece);
                if piece.len() < 7 {
                    return Ok(());
                }
            }
        });
        let came = format!("; {status} came with {:?}", String::from_utf8_lossy(&came));
        match read {
            Ok(()) => Failure::Internal(came),
            Err(Failure::Denied(message)) => Failure::Denied(message + &came),
            Err(Failure::Transient(message)) => Failure::Transient(message + &came),
            Err(other) => other,
        }
    }
}
