//! The policy on a simulated clock.
#![allow(clippy::unwrap_used)]

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;

/// A backend with a prepared answer for every attempt, and the milliseconds that each takes.
struct Script {
    answers: RefCell<VecDeque<(u64, Result<Reply, Failure>)>>,
    now: Cell<Duration>,
    waits: RefCell<Vec<u64>>,
    random: u64,
}

impl Host for Script {
    fn attempt(&self, body: &str) -> Result<Reply, Failure> {
        assert_eq!(body, "{}");
        let (took, answer) = self.answers.borrow_mut().pop_front().expect("more attempts than answers");
        self.now.set(self.now.get() + Duration::from_millis(took));
        answer
    }
    fn elapsed(&self) -> Duration {
        self.now.get()
    }
    fn sleep(&self, time: Duration) {
        self.waits.borrow_mut().push(time.as_millis() as u64);
        self.now.set(self.now.get() + time);
    }
    fn random(&self) -> u64 {
        self.random
    }
}

fn script(answers: Vec<(u64, Result<Reply, Failure>)>) -> Script {
    Script {
        answers: RefCell::new(answers.into()),
        now: Cell::new(Duration::ZERO),
        waits: RefCell::new(Vec::new()),
        random: 0,
    }
}

fn reply(status: u16) -> (u64, Result<Reply, Failure>) {
    (10, Ok(Reply { status, retry_after_ms: None }))
}

fn silence() -> (u64, Result<Reply, Failure>) {
    (10_000, Err(Failure::Transient("no reply in 10 s".to_owned())))
}

#[test]
fn a_success_is_delivered_once() {
    for status in [200, 202, 204, 299] {
        let host = script(vec![reply(status)]);
        assert_eq!(deliver(&host, &Config::default(), "{}"), Ok(Delivered { status, attempts: 1 }));
        assert!(host.waits.borrow().is_empty());
    }
    assert_eq!(Delivered { status: 200, attempts: 1 }.to_string(), "(200) after 1 attempt");
    assert_eq!(Delivered { status: 202, attempts: 3 }.to_string(), "(202) after 3 attempts");
}

#[test]
fn a_busy_backend_is_tried_again_after_waits_that_double() {
    let host = script(vec![reply(503), reply(429), reply(500), reply(200)]);
    assert_eq!(deliver(&host, &Config::default(), "{}"), Ok(Delivered { status: 200, attempts: 4 }));
    assert_eq!(*host.waits.borrow(), [250, 500, 1000], "half of 500, 1000 and 2000, with a random part of 0");
    for status in [408, 425, 429, 500, 502, 503, 504, 599] {
        assert_eq!(classify(&Config::default(), status), Meaning::Later, "{status}");
    }
}

#[test]
fn every_other_status_is_final() {
    for status in [100, 199, 300, 301, 302, 307, 308, 400, 401, 403, 404, 409, 410, 422, 451, 600, 0] {
        let host = script(vec![reply(status)]);
        let failure = deliver(&host, &Config::default(), "{}").unwrap_err();
        let (Failure::Denied(text) | Failure::InvalidInput(text)) = &failure else { panic!("{failure:?}") };
        assert!(text.contains(&format!(" {status} ")) && text.contains("1 attempt"), "{text}");
        assert_eq!(matches!(failure, Failure::Denied(_)), matches!(status, 401 | 403), "{status}");
    }
}

#[test]
fn a_404_is_tried_again_where_the_settings_say_so() {
    let config = Config::parse(r#"{"retryNotFound":true}"#).unwrap();
    let host = script(vec![reply(404), reply(200)]);
    assert_eq!(deliver(&host, &config, "{}"), Ok(Delivered { status: 200, attempts: 2 }));
    let host = script(vec![reply(404), reply(404), reply(404), reply(404)]);
    let text = "the callback was not delivered in 4 attempts: the backend answered 404".to_owned();
    assert_eq!(deliver(&host, &config, "{}"), Err(Failure::Transient(text)));
    assert_eq!(classify(&config, 410), Meaning::Never);
}

#[test]
fn a_host_that_refuses_to_send_is_not_tried_again() {
    let denied = Failure::Denied("no secret is configured".to_owned());
    let host = script(vec![(0, Err(denied.clone()))]);
    assert_eq!(deliver(&host, &Config::default(), "{}"), Err(denied));
}

#[test]
fn used_up_attempts_are_a_transient_failure_with_the_last_reason() {
    let host = script(vec![reply(500), reply(500), reply(500), reply(503)]);
    let text = "the callback was not delivered in 4 attempts: the backend answered 503".to_owned();
    assert_eq!(deliver(&host, &Config::default(), "{}"), Err(Failure::Transient(text)));
}

#[test]
fn a_silent_backend_does_not_keep_the_call_longer_than_its_limit() {
    let host = script(vec![silence(), silence()]);
    let text = "the callback was not delivered in 2 attempts: no reply in 10 s".to_owned();
    assert_eq!(deliver(&host, &Config::default(), "{}"), Err(Failure::Transient(text)));
    assert!(host.elapsed() <= Duration::from_secs(30));
}

#[test]
fn retry_after_is_honoured_up_to_the_longest_wait() {
    let asking = |ms| (10, Ok(Reply { status: 429, retry_after_ms: Some(ms) }));
    let host = script(vec![asking(3_000), asking(3_600_000), asking(1), reply(200)]);
    let config = Config { total_ms: 60_000, ..Config::default() };
    assert_eq!(deliver(&host, &config, "{}"), Ok(Delivered { status: 200, attempts: 4 }));
    assert_eq!(*host.waits.borrow(), [3_000, 10_000, 1_000]);
}

proptest! {
    #[test]
    fn every_call_ends_within_its_attempts_and_its_time(
        attempts in 1u32..20, first_delay_ms in 1u64..5_000, more in 0u64..100_000, total_ms in 10_000u64..840_000,
        takes in prop::collection::vec((0u64..=10_000, any::<Option<u64>>()), 20), random: u64,
    ) {
        let config = Config { attempts, first_delay_ms, max_delay_ms: first_delay_ms + more, total_ms, ..Config::default() };
        let answers = takes
            .into_iter()
            .map(|(took, retry_after_ms)| (took, Ok(Reply { status: 503, retry_after_ms })))
            .collect();
        let host = Script { random, ..script(answers) };
        let ended = deliver(&host, &config, "{}");
        prop_assert!(matches!(ended, Err(Failure::Transient(_))), "{:?}", ended);
        prop_assert!(host.elapsed() <= config.total());
        prop_assert!(host.waits.borrow().len() < attempts as usize);
        for (index, wait) in host.waits.borrow().iter().enumerate() {
            prop_assert!(*wait <= config.max_delay_ms);
            let full = first_delay_ms.saturating_mul(1 << index.min(32)).min(config.max_delay_ms);
            prop_assert!(*wait >= full / 2);
        }
    }
}
