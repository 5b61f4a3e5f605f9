//! Who runs when: sleepers need no core, executions take turns, and what waits past its deadline never begins. All are
//! shown by the order of events, not by a clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stagehost_runtime::{AssetEvent, BatchOutcome, Fanout, Limits, Observer, Stage, StageEngine, World};
use tokio::task::JoinHandle;

use crate::calls::{HONEST, HOSTILE_LISTING, batch_of, honest_call, photo, request};
use crate::components::Guest;
use crate::outside::Outside;

const HOSTILE: Guest = Guest::new("hostile", World::Thumbnails);
/// For a host that starves honest calls.
const LONGEST: Duration = Duration::from_secs(120);

/// Counts the calls that began and ended.
#[derive(Default)]
struct Counter {
    began: AtomicUsize,
    ended: AtomicUsize,
}

impl Observer for Counter {
    fn on(&self, event: AssetEvent<'_>) {
        match event {
            AssetEvent::Started { .. } => self.began.fetch_add(1, Ordering::SeqCst),
            AssetEvent::Ended { .. } => self.ended.fetch_add(1, Ordering::SeqCst),
            _ => 0,
        };
    }
}

/// A host with both stages.
struct Host {
    fanout: Fanout,
    hostile: Arc<Stage>,
    honest: Arc<Stage>,
    outside: Arc<Outside>,
    counter: Arc<Counter>,
}

impl Host {
    fn new(cores: usize, memory_mib: u32) -> Self {
        let engine = StageEngine::new().unwrap();
        Self {
            fanout: Fanout::new(cores, memory_mib),
            hostile: HOSTILE.load(&engine, &HOSTILE.compile()),
            honest: HONEST.load(&engine, &HONEST.compile()),
            outside: Outside::new(),
            counter: Arc::default(),
        }
    }

    /// Starts one execution with so many files that all behave in this way.
    fn hostile(
        &self,
        behaviour: &str,
        files: usize,
        deadline_ms: u64,
        end: Option<Instant>,
    ) -> JoinHandle<BatchOutcome> {
        let key = |number| format!("{HOSTILE_LISTING}/raw/photo/vertical/2025-11-27/{behaviour}.{number}.jpg");
        let batch = batch_of(HOSTILE_LISTING, (0..files).map(|number| photo(&key(number))).collect());
        let limits = Limits { memory_mib: 8, deadline_ms, ..Limits::default() };
        let mut request = request(&self.hostile, &self.outside, &batch, limits, "{}");
        request.call.deadline = end;
        let (fanout, hostile, counter) = (self.fanout.clone(), self.hostile.clone(), self.counter.clone());
        tokio::spawn(async move { fanout.run(hostile, request, batch, counter).await.unwrap() })
    }

    async fn honest_calls(&self, calls: usize) {
        let all = async {
            for _ in 0..calls {
                honest_call(&self.fanout, &self.honest, &self.outside).await;
            }
        };
        tokio::time::timeout(LONGEST, all).await.expect("honest calls get no turn");
    }

    async fn until_began(&self, calls: usize) {
        while self.counter.began.load(Ordering::SeqCst) < calls {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    fn ended(&self) -> usize {
        self.counter.ended.load(Ordering::SeqCst)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_honest_calls_succeed_while_two_sleepers_are_on_every_core() {
    let host = Host::new(2, 256);
    // They sleep for an hour and have ten minutes.
    let sleepers = host.hostile("sleep", 4, 600_000, None);
    tokio::time::timeout(LONGEST, host.until_began(4)).await.expect("sleepers keep the cores");
    host.honest_calls(100).await;
    assert_eq!(host.ended(), 0, "all sleep still");
    sleepers.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_execution_does_not_wait_behind_sixty_looping_files() {
    let host = Host::new(1, 32);
    let loops = host.hostile("loop", 60, 50, None);
    host.until_began(1).await;
    host.honest_calls(1).await;
    let before = host.ended();
    assert!(before <= 30, "{before} of 60 hostile calls ended before the honest one did");
    let outcome = loops.await.unwrap();
    assert!(outcome.batch.assets.iter().all(|asset| asset.problem.as_ref().unwrap().code == "Stage.Timeout"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_wait_past_the_deadline_never_begin() {
    let host = Host::new(1, 32);
    // All together would take 5 s.
    let outcome = host.hostile("loop", 100, 50, Some(Instant::now() + Duration::from_millis(500))).await.unwrap();
    let messages = outcome.batch.assets.iter().map(|asset| {
        let problem = asset.problem.as_ref().unwrap();
        assert_eq!(problem.code, "Stage.Timeout", "{problem:?}");
        problem.message.as_str()
    });
    let (never, cut): (Vec<_>, Vec<_>) = messages.partition(|message| message.contains("the call never began"));
    assert!(cut.iter().all(|message| message.contains("did not finish within")), "{cut:?}");
    assert!(!never.is_empty());
    let idle = outcome.reports.iter().filter(|report| report.instantiate.is_zero()).count();
    assert!(idle >= never.len(), "{idle} calls were not instantiated, {} never began", never.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_never_discards_an_object_does_not_hold_the_answers_up() {
    let host = Host::new(2, 256);
    host.outside.hangs_on_abort.store(true, Ordering::SeqCst);
    // Each leaves sixteen objects behind.
    let abandoned = host.hostile("abandon", 4, 20_000, None);
    let outcome = tokio::time::timeout(LONGEST, abandoned).await.expect("the store holds the answers up").unwrap();
    assert!(outcome.batch.assets.iter().all(|asset| asset.problem.is_none()), "{:?}", outcome.batch);
    assert_eq!(host.outside.finished(), [""; 0]);
    host.honest_calls(10).await;
}
