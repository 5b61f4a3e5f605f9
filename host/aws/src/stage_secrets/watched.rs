//! Answers that are looked through for the secrets that were sent, before a stage gets them.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use memchr::memmem;
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{HttpAnswerHead, HttpExchange};
use zeroize::Zeroizing;

/// The secrets of a request: names and values.
pub(super) struct SentSecrets(pub(super) Vec<(String, Zeroizing<String>)>);

impl SentSecrets {
    /// Checks the headers of an answer.
    ///
    /// Errors: `Denied` if they contain a secret, or say that the body is encoded, so that nobody can look for it.
    pub(super) fn check_headers(&self, headers: &[(String, String)]) -> Result<(), Failure> {
        if let (false, Some(encoding)) = (self.0.is_empty(), encoding(headers)) {
            return Err(Failure::new(
                Case::Denied,
                format!(
                    "the service's answer is encoded ({encoding:?}), so the host cannot see whether it contains a secret; \
                     ask for it without Accept-Encoding"
                ),
            ));
        }
        headers.iter().try_for_each(|(name, value)| {
            self.check_name(name)?;
            self.check(value.as_bytes())
        })
    }

    /// Checks the name of a header. The client returns names in lower case.
    fn check_name(&self, header: &str) -> Result<(), Failure> {
        let contained = |value: &str| {
            let value = Zeroizing::new(value.to_ascii_lowercase());
            memmem::find(header.to_ascii_lowercase().as_bytes(), value.as_bytes()).is_some()
        };
        self.0.iter().find(|(_, value)| contained(value)).map_or(Ok(()), |(name, _)| Err(found(name)))
    }

    /// Checks a part of an answer's body.
    ///
    /// Errors: `Denied` if it contains a secret.
    pub(super) fn check(&self, bytes: &[u8]) -> Result<(), Failure> {
        match self.0.iter().find(|(_, value)| memmem::find(bytes, value.as_bytes()).is_some()) {
            None => Ok(()),
            Some((name, _)) => Err(found(name)),
        }
    }

    /// Returns how many bytes of a secret may stand at the end of a part without being the whole secret.
    fn overlap(&self) -> usize {
        self.0.iter().map(|(_, value)| value.len().saturating_sub(1)).max().unwrap_or_default()
    }
}

/// The failure of an answer that contains the secret with this name.
fn found(name: &str) -> Failure {
    Failure::new(
        Case::Denied,
        format!("the service's answer contains the secret {name:?}, so the stage does not get it"),
    )
}

/// Returns the encoding of a response's body; `None` if it is as it is.
fn encoding(headers: &[(String, String)]) -> Option<&str> {
    let encodings = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-encoding"));
    encodings.map(|(_, value)| value.trim()).find(|value| !value.is_empty() && !value.eq_ignore_ascii_case("identity"))
}

/// An exchange whose answer is looked through. It reads as many bytes ahead as a secret has, so that a secret across two
/// pieces is found before the stage has the first one.
pub(super) struct WatchedExchange {
    inner: Box<dyn HttpExchange>,
    sent: SentSecrets,
    /// Bytes that contain no secret and do not begin one that lies before them.
    ahead: BytesMut,
    ended: bool,
}

impl WatchedExchange {
    pub(super) fn new(inner: Box<dyn HttpExchange>, sent: SentSecrets) -> Self {
        Self { inner, sent, ahead: BytesMut::new(), ended: false }
    }
}

#[async_trait]
impl HttpExchange for WatchedExchange {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.inner.write(bytes).await
    }

    async fn answer(&mut self) -> Result<HttpAnswerHead, Failure> {
        let head = self.inner.answer().await?;
        self.sent.check_headers(&head.headers)?;
        Ok(head)
    }

    async fn read(&mut self, len: usize) -> Result<Bytes, Failure> {
        let overlap = self.sent.overlap();
        let wanted = len.saturating_add(overlap).saturating_sub(self.ahead.len());
        if wanted > 0 && !self.ended {
            let more = self.inner.read(wanted).await?;
            self.ended = more.len() < wanted;
            let unchecked = self.ahead.len().saturating_sub(overlap);
            self.ahead.extend_from_slice(&more);
            self.sent.check(self.ahead.get(unchecked..).unwrap_or_default())?;
        }
        Ok(self.ahead.split_to(len.min(self.ahead.len())).freeze())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TOKEN: &str = "xoxb-hunter2-hunter2";

    /// Answers with some bytes.
    struct Answer(Bytes);

    #[async_trait]
    impl HttpExchange for Answer {
        async fn write(&mut self, _: Bytes) -> Result<(), Failure> {
            Ok(())
        }
        async fn answer(&mut self) -> Result<HttpAnswerHead, Failure> {
            Ok(HttpAnswerHead { status: 200, headers: Vec::new() })
        }
        async fn read(&mut self, len: usize) -> Result<Bytes, Failure> {
            Ok(self.0.split_to(len.min(self.0.len())))
        }
    }

    fn watched(answer: &str) -> WatchedExchange {
        let other = ("other".to_owned(), Zeroizing::new("short-one".to_owned()));
        let sent = SentSecrets(vec![("chat-token".into(), Zeroizing::new(TOKEN.into())), other]);
        WatchedExchange::new(Box::new(Answer(Bytes::copy_from_slice(answer.as_bytes()))), sent)
    }

    /// Reads to the end in pieces of this length. Returns what came, and how it ended.
    async fn read_all(answer: &str, len: usize) -> (String, Result<(), Failure>) {
        let (mut exchange, mut all) = (watched(answer), Vec::new());
        loop {
            match exchange.read(len).await {
                Ok(piece) => {
                    all.extend_from_slice(&piece);
                    if piece.len() < len {
                        return (String::from_utf8(all).unwrap(), Ok(()));
                    }
                }
                Err(failure) => return (String::from_utf8(all).unwrap(), Err(failure)),
            }
        }
    }

    #[tokio::test]
    async fn an_answer_without_a_secret_comes_as_it_is_in_pieces_of_any_length() {
        // It has all of the secret but its last byte, in the middle and at the end.
        let almost = &TOKEN[..TOKEN.len() - 1];
        let answer = format!("{almost}, a long text, short-on, {almost}");
        for len in 1..answer.len() + 2 {
            assert_eq!(read_all(&answer, len).await, (answer.clone(), Ok(())), "{len}");
        }
    }

    #[tokio::test]
    async fn no_part_of_a_secret_comes_wherever_it_stands_and_however_it_is_read() {
        for before in 0..60 {
            let answer = format!("{}{TOKEN}{}", ".".repeat(before), ".".repeat(60 - before));
            for len in 1..answer.len() + 2 {
                let (came, end) = read_all(&answer, len).await;
                assert!(came.bytes().all(|byte| byte == b'.'), "{before}, {len}: {came}");
                let failure = end.unwrap_err();
                assert!(failure.case == Case::Denied && failure.message.contains("chat-token"), "{failure}");
            }
        }
    }

    #[test]
    fn a_header_contains_a_secret_in_its_value_or_its_name() {
        let sent = SentSecrets(vec![("key".into(), Zeroizing::new("Secret-Value".into()))]);
        let check =
            |name: &str, value: &str| sent.check_headers(&[("x".into(), "y".into()), (name.into(), value.into())]);
        check("secret", "value").unwrap();
        check("x", "secret-value").unwrap();
        for (name, value) in [("x", "Bearer Secret-Value"), ("x-secret-value-is-wrong", "1"), ("X-Secret-Value", "1")] {
            let failure = check(name, value).unwrap_err();
            assert!(failure.case == Case::Denied && failure.message.contains("\"key\""), "{failure}");
        }
    }

    #[tokio::test]
    async fn reading_nothing_is_not_the_end() {
        let mut exchange = watched("text");
        assert_eq!(exchange.read(0).await.unwrap(), "");
        assert_eq!(exchange.read(10).await.unwrap(), "text");
        assert_eq!(exchange.read(10).await.unwrap(), "");
    }
}
