#![allow(clippy::unwrap_used)]
use std::sync::Mutex;

use async_trait::async_trait;

use super::*;
use crate::quotas::Quotas;

/// What a service has seen of one exchange.
#[derive(Default)]
struct Seen {
    body: Vec<u8>,
    ended: bool,
    dropped: bool,
}

/// A service that takes everything and answers with some bytes, then with a failure if it has one.
struct Service {
    seen: Arc<Mutex<Seen>>,
    answer: Bytes,
    breaks: Option<Failure>,
    /// Whether it keeps what it was sent, as a connection that is stuck.
    stuck: Option<Vec<Bytes>>,
}

#[async_trait]
impl HttpExchange for Service {
    async fn write(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.seen.lock().unwrap().body.extend_from_slice(&bytes);
        if let Some(stuck) = &mut self.stuck {
            stuck.push(bytes);
        }
        Ok(())
    }

    async fn answer(&mut self) -> Result<HttpAnswerHead, Failure> {
        self.seen.lock().unwrap().ended = true;
        Ok(HttpAnswerHead { status: 200, headers: Vec::new() })
    }

    async fn read(&mut self, len: usize) -> Result<Bytes, Failure> {
        let piece = self.answer.split_to(len.min(self.answer.len()));
        match &self.breaks {
            Some(failure) if piece.len() < len => Err(failure.clone()),
            _ => Ok(piece),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.seen.lock().unwrap().dropped = true;
    }
}

struct Trial {
    exchange: OpenExchange,
    seen: Arc<Mutex<Seen>>,
    budget: HostBudget,
    effects: Effects,
}

impl Trial {
    fn new(declared: Option<u64>, change: impl FnOnce(&mut Service)) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let mut service =
            Service { seen: seen.clone(), answer: Bytes::from_static(b"an answer"), breaks: None, stuck: None };
        change(&mut service);
        let budget = HostBudget::of_call(24);
        let buffers = budget.charge(1, "buffers").unwrap();
        let exchange = OpenExchange::new(Box::new(service), declared, Duration::from_millis(50), buffers);
        Self { exchange, seen, budget, effects: Effects::new(Quotas { http_bytes: 32 << 20, ..Quotas::default() }) }
    }

    async fn write(&mut self, bytes: impl Into<Bytes>) -> Result<(), Failure> {
        self.exchange.write(bytes.into(), &self.budget, &mut self.effects).await
    }

    async fn read(&mut self, len: usize) -> Result<Bytes, Failure> {
        self.exchange.read(len, &mut self.effects).await
    }

    fn ended(&self) -> bool {
        self.seen.lock().unwrap().ended
    }

    fn dropped(&self) -> bool {
        self.seen.lock().unwrap().dropped
    }
}

fn case<T: std::fmt::Debug>(result: Result<T, Failure>) -> Case {
    result.unwrap_err().case
}

#[tokio::test]
async fn the_request_comes_first_and_then_the_answer_to_its_end() {
    let mut trial = Trial::new(Some(5), |_| {});
    assert_eq!(case(trial.read(1).await), Case::InvalidInput);
    trial.write("he").await.unwrap();
    trial.write("").await.unwrap();
    trial.write("llo").await.unwrap();
    let head = trial.exchange.answer().await.unwrap();
    assert_eq!((head.status, trial.exchange.answer().await.unwrap()), (200, head.clone()));
    assert_eq!(case(trial.write("more").await), Case::InvalidInput);
    assert_eq!(trial.read(2).await.unwrap(), "an");
    assert_eq!(trial.read(100).await.unwrap(), " answer");
    assert_eq!(trial.read(100).await.unwrap(), "");
    assert_eq!(trial.seen.lock().unwrap().body, b"hello");
}

#[tokio::test]
async fn a_body_that_is_longer_or_shorter_than_its_head_says_never_ends() {
    let mut trial = Trial::new(Some(5), |_| {});
    trial.write("hell").await.unwrap();
    assert_eq!(case(trial.write("o!").await), Case::InvalidInput);
    assert!(!trial.dropped(), "nothing of the piece was sent, so the stage may go on");
    assert_eq!(case(trial.exchange.answer().await), Case::InvalidInput);
    assert!(trial.dropped() && !trial.ended(), "the request is cancelled");
    assert_eq!(case(trial.write("o").await), Case::InvalidInput);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_a_failure_from_then_on() {
    let gone = Failure::new(Case::Transient, "the connection was closed");
    let mut trial = Trial::new(None, |service| service.breaks = Some(gone.clone()));
    trial.exchange.answer().await.unwrap();
    assert_eq!(trial.read(9).await.unwrap(), "an answer");
    assert_eq!(trial.read(9).await, Err(gone.clone()));
    assert!(trial.dropped());
    assert_eq!(trial.read(9).await, Err(gone.clone()));
    assert_eq!(trial.exchange.answer().await, Err(gone));
}

#[tokio::test]
async fn bytes_beyond_the_quota_or_the_longest_piece_are_not_sent() {
    let mut trial = Trial::new(None, |_| {});
    let refused = trial.write(vec![0; MAX_PIECE + 1]).await.unwrap_err();
    assert_eq!((refused.case, trial.seen.lock().unwrap().body.len()), (Case::TooLarge, 0));
    for _ in 0..8 {
        trial.write(vec![0; MAX_PIECE]).await.unwrap();
    }
    let refused = trial.write("x").await.unwrap_err();
    assert!(refused.case == Case::TooLarge && refused.message.contains("limits.quotas.httpBytes"), "{refused}");
    assert_eq!(trial.seen.lock().unwrap().body.len(), 32 << 20);
}

#[tokio::test]
async fn an_answer_beyond_the_quota_ends_the_exchange_so_that_no_byte_is_missing_in_between() {
    let mut trial = Trial::new(None, |service| service.answer = vec![7; 40 << 20].into());
    trial.exchange.answer().await.unwrap();
    for _ in 0..8 {
        // More than is returned at once.
        assert_eq!(trial.read(usize::MAX).await.unwrap().len(), MAX_PIECE);
    }
    assert_eq!(case(trial.read(MAX_PIECE).await), Case::TooLarge);
    assert_eq!(case(trial.read(1).await), Case::TooLarge);
}

#[tokio::test]
async fn what_a_service_does_not_take_is_charged_to_the_call_and_ends_by_the_timeout() {
    let mut trial = Trial::new(None, |service| service.stuck = Some(Vec::new()));
    let mut sent = 0;
    let failure = loop {
        match trial.write(vec![0; MAX_PIECE]).await {
            Ok(()) => sent += MAX_PIECE,
            Err(failure) => break failure,
        }
    };
    assert_eq!(failure.case, Case::Transient);
    assert!((MAX_PIECE..24 << 20).contains(&sent), "{sent} bytes are held for one call");
    assert!(trial.dropped());
    assert!(trial.budget.try_charge(sent, 0).is_some(), "what was held is free again");
}

#[tokio::test]
async fn a_piece_for_which_the_host_has_no_room_is_not_counted() {
    let mut trial = Trial::new(None, |_| {});
    let kept = trial.budget.charge(9 << 20, "what is kept").unwrap();
    for _ in 0..10 {
        let refused = trial.write(vec![0; MAX_PIECE]).await.unwrap_err();
        assert!(refused.case == Case::TooLarge && refused.message.contains("the host holds at most"), "{refused}");
    }
    drop(kept);
    // All of the quota is left.
    for _ in 0..8 {
        trial.write(vec![0; MAX_PIECE]).await.unwrap();
    }
}

#[tokio::test]
async fn room_that_others_hold_is_not_blamed_on_the_service() {
    let mut trial = Trial::new(Some(MAX_PIECE as u64), |_| {});
    let elsewhere = trial.budget.charge(9 << 20, "a part").unwrap().attach_in_transit(Bytes::from_static(b"part"));
    let failure = trial.write(vec![0; MAX_PIECE]).await.unwrap_err();
    assert!(
        failure.case == Case::Transient && failure.message.contains("to the store or to another service"),
        "{failure}"
    );
    assert!(!trial.dropped(), "this service has done nothing wrong");
    drop(elsewhere);
    trial.write(vec![0; MAX_PIECE]).await.unwrap();
    assert_eq!(trial.exchange.answer().await.unwrap().status, 200);
}
