//! Answers a stage from the record of a call, as the host answered then.
//!
//! A question is matched by what was asked and about what, in order. Questions about the same thing that were asked more
//! often than before get the last answer again. Beyond that, an answer is derived where the record leaves no doubt: an
//! object that was opened can be asked for its size, bytes that were read can be read in other pieces. What is written
//! goes nowhere; the writer hears what the recorded one heard if it writes the same, and what a store would say if not.
//! Whatever remains is answered by [`Beyond`].

mod objects;
mod services;
mod writer;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{Capabilities, ObjectInfo, Objects};

use crate::format::{Answer, HostCall, Part, Record};
use crate::keep::Contents;

/// So many divergences are named; one that loops would name millions.
const DIVERGENCES: usize = 50;

/// What answers a question that was not asked when the call was recorded.
pub(crate) enum Beyond {
    /// Nobody: it fails, and the divergence is noted.
    Refuse,
    /// The real objects, to read only, and for everything else a plausible success. A shadow.
    Shadow {
        objects: Arc<dyn Objects>,
        /// What the stage in service has written meanwhile: the shadow sees what was there before, which is nothing as far
        /// as the record does not know better.
        hidden: HashSet<String>,
    },
}

/// What the stage has written in this replay.
#[derive(Clone, Debug)]
struct Own {
    count: u32,
    /// Whether all of it was as recorded, so that recorded answers about it hold.
    as_recorded: bool,
    info: ObjectInfo,
}

#[derive(Default)]
struct State {
    /// Answers that have been given, by their number in the record.
    used: Vec<bool>,
    own: HashMap<String, Own>,
    divergences: Vec<String>,
    jobs: u32,
}

pub(crate) struct Player {
    record: Arc<Record>,
    contents: Contents,
    beyond: Beyond,
    /// The numbers of recorded answers by what was asked.
    questions: HashMap<String, Vec<usize>>,
    /// Versions of objects that were copied from.
    copied: HashSet<(String, Option<String>)>,
    state: Mutex<State>,
}

/// The player as the host's capabilities.
#[derive(Clone)]
struct Played(Arc<Player>);

fn question(parts: &[&str]) -> String {
    parts.join("\0")
}

/// Everything that a recorded call is an answer to.
fn questions(call: &HostCall) -> Vec<String> {
    match call {
        HostCall::Stat { key, written, answer } => {
            let written = written.to_string();
            let mut all = vec![question(&["stat", &written, key])];
            all.extend(says_what_is_there(answer).then(|| question(&["info", &written, key])));
            all
        }
        HostCall::Digest { key, if_match, written, .. } => {
            vec![question(&["digest", &written.to_string(), if_match.as_deref().unwrap_or("*"), key])]
        }
        HostCall::Open { key, if_match, written, answer, .. } => {
            let written = written.to_string();
            let mut all = vec![question(&["open", &written, if_match.as_deref().unwrap_or("*"), key])];
            all.extend(says_what_is_there(answer).then(|| question(&["info", &written, key])));
            all
        }
        HostCall::Write(write) => vec![question(&["write", &write.key])],
        HostCall::Tag { key, name, value, .. } => vec![question(&["tag", key, name, value])],
        HostCall::Submit { job, .. } => vec![services::about_job(job), "submit".to_owned()],
        HostCall::Deliver { body, .. } => vec![question(&["deliver", &body.sha256]), "deliver".to_owned()],
        HostCall::Http { request, .. } => vec![services::about_request(request)],
    }
}

/// Whether the answer holds for a question without `if_match`, and for good.
fn says_what_is_there(answer: &Answer<ObjectInfo>) -> bool {
    match answer {
        Answer::Ok(_) => true,
        Answer::Failed(problem) => problem.code == Case::Missing.name(),
    }
}

impl Player {
    pub(crate) fn new(record: Arc<Record>, contents: Contents, beyond: Beyond) -> Arc<Self> {
        let mut by_question: HashMap<String, Vec<usize>> = HashMap::new();
        let mut copied = HashSet::new();
        for (number, call) in record.calls.iter().enumerate() {
            for question in questions(call) {
                by_question.entry(question).or_default().push(number);
            }
            if let HostCall::Write(write) = call {
                copied.extend(write.parts.iter().filter_map(|part| match part {
                    Part::Copied { object, if_match, .. } => Some((object.clone(), if_match.clone())),
                    Part::Made { .. } => None,
                }));
            }
        }
        let state = State { used: vec![false; record.calls.len()], ..State::default() };
        let state = Mutex::new(state);
        Arc::new(Self { record, contents, beyond, questions: by_question, copied, state })
    }

    pub(crate) fn capabilities(self: &Arc<Self>) -> Capabilities {
        let played = Arc::new(Played(self.clone()));
        Capabilities { objects: played.clone(), transcoder: played.clone(), webhook: played.clone(), http: played }
    }

    /// What was asked that the record has no answer to.
    pub(crate) fn divergences(&self) -> Vec<String> {
        self.state().divergences.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next recorded answer to this question that has not been given yet.
    fn take(&self, question: &str) -> Option<&HostCall> {
        let numbers = self.questions.get(question)?;
        let mut state = self.state();
        let number = *numbers.iter().find(|number| !state.used.get(**number).copied().unwrap_or(true))?;
        *state.used.get_mut(number)? = true;
        self.record.calls.get(number)
    }

    /// The next recorded answer, or the last one again.
    fn ask(&self, question: &str) -> Option<&HostCall> {
        self.take(question).or_else(|| self.record.calls.get(*self.questions.get(question)?.last()?))
    }

    /// What the record says about an object, whoever asked.
    fn info(&self, key: &str, written: u32) -> Option<Result<ObjectInfo, Failure>> {
        let number = *self.questions.get(&question(&["info", &written.to_string(), key]))?.first()?;
        match self.record.calls.get(number)? {
            HostCall::Stat { answer, .. } | HostCall::Open { answer, .. } => Some(answer.give()),
            _ => None,
        }
    }

    fn own(&self, key: &str) -> Option<Own> {
        self.state().own.get(key).cloned()
    }

    /// Notes that the record has no answer.
    fn diverges(&self, what: impl Into<String>) -> Failure {
        let what = what.into();
        let failure = Failure::new(Case::Internal, format!("not in the record: {what}"));
        let mut state = self.state();
        if state.divergences.len() < DIVERGENCES && !state.divergences.contains(&what) {
            state.divergences.push(what);
        }
        failure
    }

    /// An object that this stage has written otherwise than it was recorded, and wants to read back.
    fn not_kept(&self, key: &str) -> Failure {
        let what = format!("the bytes of {key} as they are written now, which are not kept");
        match &self.beyond {
            Beyond::Refuse => self.diverges(what),
            Beyond::Shadow { .. } => Failure::new(Case::Internal, format!("in the shadow: {what}")),
        }
    }

    /// The real objects, for a question about `key` that was not asked before.
    fn real(&self, key: &str, what: impl FnOnce() -> String) -> Result<&Arc<dyn Objects>, Failure> {
        match &self.beyond {
            Beyond::Refuse => Err(self.diverges(what())),
            Beyond::Shadow { hidden, .. } if hidden.contains(key) => {
                Err(Failure::new(Case::Missing, format!("there is no object {key:?}")))
            }
            Beyond::Shadow { objects, .. } => Ok(objects),
        }
    }
}

fn mismatch(key: &str, expected: &str, found: &str) -> Failure {
    Failure::new(Case::Mismatch, format!("{key:?} is version {found:?} and not {expected:?}"))
}
