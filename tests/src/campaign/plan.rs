//! What happens in one seed: which batches arrive, and which faults meet them.
//!
//! Everything is drawn from the seed. A fault of a request depends on the seed, on what the request is about and on how
//! often it was sent before, and not on the order in which the host's threads send requests. So a seed repeats its faults,
//! except that a kill meets a request by its number within a state.
//!
//! Four seeds of five are *mild*: their faults end before the retries of the SDK, the host and the state machine do, so
//! every batch must end as if nothing had happened. The fifth has an *outage* that may outlast the retries. Then a batch may
//! fail, but it may not be lost.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::arrival::{Arrival, Variant};
use super::fault::FaultKind;
use super::random::{below, draw};
use super::request::{Called, Seen};
use super::work::Work;

/// How often a request is disturbed at most. The SDK sends it four times.
const DISTURBED_AT_MOST: u32 = 3;
/// How often a request meets an outage at most: more often than five tries of a state with four attempts each.
const OUTAGE_AT_MOST: u32 = 24;
/// The chance that a request is disturbed again after a fault, in thousandths.
const AGAIN: u64 = 300;

/// The states that a kill may meet, and how many requests each of them sends at least for a batch of two files.
const KILLED: [(&str, u64); 7] = [
    ("queue", 1),
    ("ValidateRawAssets", 10),
    ("GenerateThumbnails", 8),
    ("ProcessVideos", 4),
    ("CreateZipBundle", 14),
    ("FinalizeAndCallback", 2),
    ("event", 8),
];

/// Something that is out of order for longer than retries last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outage {
    /// The backend accepts nothing.
    Backend,
    /// No bytes can be written below this part of a listing.
    Writes(&'static str),
    /// The process dies in every invocation of this state, before its first request.
    Host(&'static str),
    /// No execution can be started.
    Start,
    /// MediaConvert accepts no job.
    Jobs,
}

const OUTAGES: [Outage; 8] = [
    Outage::Backend,
    Outage::Writes("zip"),
    Outage::Host("GenerateThumbnails"),
    Outage::Writes("thumb"),
    Outage::Start,
    Outage::Host("FinalizeAndCallback"),
    Outage::Jobs,
    Outage::Host("ValidateRawAssets"),
];

/// The process is killed at one request.
#[derive(Clone, Copy, Debug)]
struct Kill {
    state: &'static str,
    /// The request's number within the state, over all tries, from zero.
    request: u32,
    /// Whether the request has its effect before.
    after: bool,
    delay: Duration,
}

/// The engine gives up waiting for one invocation.
#[derive(Clone, Copy, Debug)]
struct GivenUp {
    state: &'static str,
    delay: Duration,
}

/// What the proxy does to a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Action {
    pub(super) kind: FaultKind,
    /// A number for details, such as how long a late answer takes.
    pub(super) detail: u64,
    /// For a kill: how long after the request's effect; `None` means before.
    pub(super) after: Option<Duration>,
}

/// How a message of the queue is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    Once,
    /// Twice at the same time.
    Beside,
    /// Once more, after the first delivery has been answered.
    Again,
}

/// How the events of a job are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EventOrder {
    InOrder,
    /// The final event comes twice.
    Twice,
    /// The final event comes first, a report of progress after it.
    FinalFirst,
    /// The final event comes at once, most likely before the state waits, and again later.
    AtOnce,
}

/// The plan of one seed.
pub(super) struct Plan {
    seed: u64,
    /// The chance of a fault for each request, in thousandths.
    rate: u64,
    outage: Option<Outage>,
    kills: Vec<Kill>,
    given_up: Vec<GivenUp>,
    arrivals: Vec<Arrival>,
    active: AtomicBool,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// How often a request was sent, by its identity.
    sent: HashMap<String, u32>,
    /// How many requests a state has sent.
    requests: HashMap<String, u32>,
    invocations: HashMap<String, u32>,
    counts: BTreeMap<FaultKind, usize>,
}

impl Plan {
    /// Returns the plan of a seed.
    pub(super) fn new(seed: u64) -> Self {
        let outage = (seed % 5 == 4).then(|| OUTAGES[(seed / 5 % OUTAGES.len() as u64) as usize]);
        let below = |what: &str, end| below(seed, &["plan", what], end);
        let mut kills = Vec::new();
        let mut given_up = Vec::new();
        if outage.is_none() {
            // Two states at most lose their process, and one other its waiting engine: a state is retried twice for either.
            let first = below("first kill", KILLED.len() as u64) as usize;
            let chosen = [first, (first + 1 + below("second kill", KILLED.len() as u64 - 1) as usize) % KILLED.len()];
            for at in chosen.into_iter().take(below("kills", 3) as usize) {
                let (state, requests) = KILLED[at];
                kills.push(Kill {
                    state,
                    request: below(&format!("request {at}"), requests) as u32,
                    after: below(&format!("after {at}"), 2) == 1,
                    delay: Duration::from_millis(below(&format!("delay {at}"), 30)),
                });
            }
            let states: Vec<_> =
                KILLED[1..6].iter().filter(|(state, _)| kills.iter().all(|k| k.state != *state)).collect();
            if below("given up", 3) == 0
                && let Some((state, _)) = states.get(below("given up state", states.len() as u64) as usize)
            {
                given_up.push(GivenUp { state, delay: Duration::from_millis(below("given up delay", 400)) });
            }
        }
        let rate = if outage.is_some() { 15 } else { 30 + below("rate", 60) };
        Self::with(seed, rate, outage, kills, given_up)
    }

    /// Returns a plan in which nothing is disturbed, with one batch of every variant.
    pub(super) fn undisturbed() -> Self {
        let mut plan = Self::with(0, 0, None, Vec::new(), Vec::new());
        plan.arrivals =
            (0..).zip(Variant::ALL).map(|(n, variant)| Arrival { variant, listing: 51 + n, job: 4 + n }).collect();
        plan.end();
        plan
    }

    fn with(seed: u64, rate: u64, outage: Option<Outage>, kills: Vec<Kill>, given_up: Vec<GivenUp>) -> Self {
        let variant = |what: &str| Variant::ALL[below(seed, &["plan", what], Variant::ALL.len() as u64) as usize];
        let met = kills.iter().map(|kill| kill.state).chain(given_up.iter().map(|one| one.state));
        let needs_video = met.into_iter().any(|state| matches!(state, "ProcessVideos" | "event"));
        let first = match (outage, variant("first variant")) {
            (Some(Outage::Jobs), _) => Variant::WithVideo,
            (Some(Outage::Writes(_)), _) => Variant::WithLargeVideo,
            (_, Variant::Photos) if needs_video => Variant::WithVideo,
            (_, any) => any,
        };
        let mut arrivals = vec![Arrival { variant: first, listing: 51, job: 4 }];
        match below(seed, &["plan", "arrivals"], 4) {
            0 => arrivals.push(Arrival { variant: variant("second variant"), listing: 52, job: 5 }),
            // The same files, at the same time, by another job.
            1 => arrivals.push(Arrival { variant: first, listing: 51, job: 5 }),
            _ => {}
        }
        Self {
            seed,
            rate,
            outage,
            kills,
            given_up,
            arrivals,
            active: AtomicBool::new(true),
            progress: Mutex::default(),
        }
    }

    /// Returns the batches that arrive, all at once.
    pub(super) fn arrivals(&self) -> &[Arrival] {
        &self.arrivals
    }

    /// Returns whether every batch must end as if nothing had happened.
    pub(super) fn is_mild(&self) -> bool {
        self.outage.is_none()
    }

    /// Ends all faults.
    pub(super) fn end(&self) {
        self.active.store(false, Ordering::SeqCst);
    }

    /// Returns how many faults of each kind have happened.
    pub(super) fn counts(&self) -> BTreeMap<FaultKind, usize> {
        self.progress().counts.clone()
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request and returns what to do to it.
    pub(super) fn request(&self, seen: &Seen, work: Option<&Work>) -> Option<Action> {
        if !self.active.load(Ordering::SeqCst) {
            return None;
        }
        let mut progress = self.progress();
        let sent = counted(&mut progress.sent, &seen.identity);
        let state = work.map_or("", |work| work.state.as_str());
        let number = counted(&mut progress.requests, state);
        let kind = self.kind(seen, state, sent, number)?;
        *progress.counts.entry(kind).or_default() += 1;
        let kill = self.kills.iter().find(|kill| kill.state == state && kill.request == number && kill.after);
        let detail = draw(self.seed, &["detail", &seen.identity, &sent.to_string()]);
        Some(Action { kind, detail, after: kill.map(|kill| kill.delay) })
    }

    fn kind(&self, seen: &Seen, state: &str, sent: u32, number: u32) -> Option<FaultKind> {
        if let Some(outage) = self.outage
            && let Some(kind) = outage.kind(self.seed, seen, state, sent)
        {
            return Some(kind);
        }
        if self.kills.iter().any(|kill| kill.state == state && kill.request == number) {
            return Some(FaultKind::Kill);
        }
        let draw = |what| below(self.seed, &[what, &seen.identity, &sent.to_string()], 1000);
        let earlier =
            sent.checked_sub(1).map(|sent| below(self.seed, &["fault", &seen.identity, &sent.to_string()], 1000));
        // A request that met a fault is likely to meet another one.
        let rate = if earlier.is_some_and(|drawn| drawn < self.rate) { AGAIN } else { self.rate };
        if sent >= DISTURBED_AT_MOST || draw("fault") >= rate {
            return None;
        }
        let kinds = applicable(seen);
        kinds.get((draw("kind") as usize) % kinds.len().max(1)).copied()
    }

    /// Counts an invocation. Returns after how long the engine gives up waiting for it, if it does.
    pub(super) fn invocation(&self, work: &Work) -> Option<Duration> {
        if !self.active.load(Ordering::SeqCst) {
            return None;
        }
        let mut progress = self.progress();
        let number = counted(&mut progress.invocations, &work.state);
        let found = self.given_up.iter().find(|one| one.state == work.state && number == 0)?;
        *progress.counts.entry(FaultKind::GivenUp).or_default() += 1;
        Some(found.delay)
    }

    /// Returns how a message is delivered.
    pub(super) fn delivery(&self, job: u32) -> Delivery {
        let ways = [Delivery::Once, Delivery::Once, Delivery::Beside, Delivery::Again];
        self.choose("delivery", &job.to_string(), ways, Delivery::Once)
    }

    /// Returns how the events of a job are delivered.
    pub(super) fn events(&self, source: &str) -> EventOrder {
        let ways = [EventOrder::InOrder, EventOrder::Twice, EventOrder::FinalFirst, EventOrder::AtOnce];
        self.choose("events", source, ways, EventOrder::InOrder)
    }

    fn choose<T: Copy + PartialEq>(&self, what: &str, which: &str, ways: [T; 4], usual: T) -> T {
        if !self.active.load(Ordering::SeqCst) {
            return usual;
        }
        let chosen = ways[below(self.seed, &[what, which], 4) as usize];
        if chosen != usual {
            *self.progress().counts.entry(FaultKind::Events).or_default() += 1;
        }
        chosen
    }
}

/// Counts one more; returns how many there were before.
fn counted(counts: &mut HashMap<String, u32>, name: &str) -> u32 {
    let count = counts.entry(name.to_owned()).or_default();
    *count += 1;
    *count - 1
}

impl Outage {
    fn kind(self, seed: u64, seen: &Seen, state: &str, sent: u32) -> Option<FaultKind> {
        let refusals = [FaultKind::InternalError, FaultKind::Throttled, FaultKind::Refused, FaultKind::SlowDown];
        let refusal = || refusals[below(seed, &["outage", &seen.identity, &sent.to_string()], 4) as usize];
        let writes = |part: &str| {
            let below_part = seen.key.as_ref().is_some_and(|key| key.contains(&format!("/{part}/")));
            // An upload begins, so that it must be aborted.
            below_part && seen.writes() && seen.operation != "CreateMultipartUpload"
        };
        match self {
            Self::Backend => (seen.service == Called::Backend).then(refusal),
            Self::Writes(part) => (writes(part) && sent < OUTAGE_AT_MOST).then_some(FaultKind::SlowDown),
            Self::Host(killed) => (state == killed).then_some(FaultKind::Kill),
            Self::Start => (seen.operation == "StartExecution").then_some(FaultKind::Throttled),
            Self::Jobs => (seen.operation == "CreateJob").then_some(FaultKind::Throttled),
        }
    }
}

/// Returns the kinds of fault that a request can meet.
fn applicable(seen: &Seen) -> Vec<FaultKind> {
    use FaultKind::{AnswerLost, Conflict, Cut, InternalError, Refused, Reset, Slow, SlowDown, Throttled};
    let mut kinds = vec![Refused, Reset, Slow, AnswerLost, InternalError, SlowDown];
    match seen.service {
        Called::S3 if seen.operation == "GetObject" => kinds.extend([Cut, Cut]),
        Called::S3 if seen.conditional => kinds.extend([Conflict; 4]),
        Called::S3 => {}
        _ => kinds.extend([Throttled, Throttled, Cut]),
    }
    kinds
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {} of 1000 requests disturbed", self.rate)?;
        for Arrival { variant, listing, job } in &self.arrivals {
            writeln!(f, "  job {job}: listing {listing}, {variant:?}")?;
        }
        if let Some(outage) = self.outage {
            writeln!(f, "  outage: {outage:?}")?;
        }
        for Kill { state, request, after, delay } in &self.kills {
            let when = if *after { format!("{delay:?} after the effect of") } else { "before".to_owned() };
            writeln!(f, "  kill -9 {when} request {request} of {state}")?;
        }
        for GivenUp { state, delay } in &self.given_up {
            writeln!(f, "  the engine gives up the first try of {state} after {delay:?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
