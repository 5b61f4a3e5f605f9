//! The player: the recorded answers, and what the stage has done in this replay.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{Capabilities, ObjectInfo, ObjectPage, Objects};
use stagehost_runtime::{HostBudget, lock};

use super::questions::{question, questions};
use crate::budget::Share;
use crate::pictures::{MadePicture, PictureRoom};
use crate::record_format::{HostCall, Part, Record};
use crate::recorded_bytes::Contents;

/// The most divergences that are noted, so that a stage in an endless loop cannot fill the memory.
const MAX_DIVERGENCES: usize = 50;

/// The longest text of a divergence, in characters.
const MAX_DIVERGENCE: usize = 300;

/// Answers host calls that are not in the record.
pub(crate) enum Fallback {
    /// Refuses them and notes a divergence. For replays.
    Refuse,
    /// Reads the real objects, and answers everything else with a plausible success. For shadows.
    Shadow {
        objects: Arc<dyn Objects>,
        /// Keys that the stage in service has written meanwhile. They look missing unless the record has them, because the
        /// candidate must see the store as it was before.
        hidden: HashSet<String>,
    },
}

/// An object that the stage has written or deleted in this replay.
#[derive(Clone, Debug)]
pub(super) struct WrittenObject {
    pub(super) count: u32,
    /// Whether every write of it equalled the record, so that recorded answers about it apply.
    pub(super) as_recorded: bool,
    pub(super) info: ObjectInfo,
    /// Whether it was deleted last.
    pub(super) gone: bool,
}

impl WrittenObject {
    /// Returns the facts of the object. Errors: `Missing` if it was deleted.
    pub(super) fn found(self) -> Result<ObjectInfo, Failure> {
        if self.gone {
            return Err(Failure::new(Case::Missing, format!("there is no object {:?}", self.info.key)));
        }
        Ok(self.info)
    }
}

#[derive(Default)]
pub(super) struct State {
    /// Which recorded answers were used, by their number in the record.
    used: Vec<bool>,
    pub(super) written: HashMap<String, WrittenObject>,
    divergences: Vec<String>,
    pub(super) jobs: u32,
    /// Pictures that the stage made otherwise than the record has them, by key; the last one of each.
    pub(super) pictures: BTreeMap<String, MadePicture>,
}

/// Answers one stage from one record.
pub(crate) struct Player {
    record: Arc<Record>,
    pub(super) contents: Contents,
    pub(super) fallback: Fallback,
    /// The real objects, charged to the budget of the repeated call. A player answers one call.
    charged: OnceLock<Arc<dyn Objects>>,
    /// The numbers of recorded answers by their questions.
    questions: HashMap<String, Vec<usize>>,
    /// Versions of objects from which the recorded call copied.
    pub(super) copied: HashSet<(String, Option<String>)>,
    state: Mutex<State>,
    /// What is kept about the objects that the stage writes is charged here.
    pub(super) kept: Arc<Share>,
    /// What is left for pictures; `None` if none are kept.
    pub(super) picture_room: Option<PictureRoom>,
}

/// The capabilities of a stage in a replay.
#[derive(Clone)]
pub(super) struct ReplayCapabilities(pub(super) Arc<Player>);

impl Player {
    /// Pictures are kept if there is a `picture_room`.
    pub(crate) fn new(
        record: Arc<Record>,
        contents: Contents,
        fallback: Fallback,
        kept: Share,
        picture_room: Option<PictureRoom>,
    ) -> Arc<Self> {
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
        let charged = OnceLock::new();
        let questions = by_question;
        let kept = Arc::new(kept);
        Arc::new(Self { record, contents, fallback, charged, questions, copied, state, kept, picture_room })
    }

    /// Returns the pictures that the stage made otherwise than the record has them, by key.
    pub(crate) fn pictures(&self) -> BTreeMap<String, MadePicture> {
        std::mem::take(&mut self.state().pictures)
    }

    pub(crate) fn capabilities(self: &Arc<Self>) -> Capabilities {
        let all = Arc::new(ReplayCapabilities(self.clone()));
        Capabilities { objects: all.clone(), transcoder: all.clone(), webhook: all.clone(), http: all }
    }

    /// Returns the host calls that the record has no answer for.
    pub(crate) fn divergences(&self) -> Vec<String> {
        self.state().divergences.clone()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Returns the next recorded answer to this question that was not used yet.
    pub(super) fn take(&self, question: &str) -> Option<&HostCall> {
        let numbers = self.questions.get(question)?;
        let mut state = self.state();
        let number = *numbers.iter().find(|number| !state.used.get(**number).copied().unwrap_or(true))?;
        *state.used.get_mut(number)? = true;
        self.record.calls.get(number)
    }

    /// Returns the next recorded answer, or the last one again.
    pub(super) fn ask(&self, question: &str) -> Option<&HostCall> {
        self.take(question).or_else(|| self.record.calls.get(*self.questions.get(question)?.last()?))
    }

    /// Returns the recorded facts about an object, from any host call.
    pub(super) fn info(&self, key: &str, written: u32) -> Option<Result<ObjectInfo, Failure>> {
        let number = *self.questions.get(&question(&["info", &written.to_string(), key]))?.first()?;
        match self.record.calls.get(number)? {
            HostCall::Stat { answer, .. } | HostCall::Open { answer, .. } => Some(answer.to_result()),
            _ => None,
        }
    }

    /// Returns the object that the stage has written or deleted under this key, if it has.
    pub(super) fn written(&self, key: &str) -> Option<WrittenObject> {
        self.state().written.get(key).cloned()
    }

    /// Notes that the stage has deleted an object.
    ///
    /// # Errors
    /// If there is no room.
    pub(super) fn delete(&self, key: &str, if_match: &str, as_recorded: bool) -> Result<(), Failure> {
        self.keep((size_of::<WrittenObject>() + 2 * key.len() + if_match.len()) as u64)?;
        let mut state = self.state();
        let before = state.written.get(key);
        let info = ObjectInfo {
            key: key.to_owned(),
            bytes: 0,
            etag: if_match.to_owned(),
            content_type: None,
            crc32: None,
            fingerprint: None,
        };
        let gone = WrittenObject {
            count: before.map_or(0, |own| own.count).saturating_add(1),
            as_recorded: as_recorded && before.is_none_or(|own| own.as_recorded),
            info,
            gone: true,
        };
        state.written.insert(key.to_owned(), gone);
        Ok(())
    }

    /// Returns a page of the real objects, without those that the candidate must not see.
    ///
    /// # Errors
    /// In a replay, which has no real objects; and as the store's.
    pub(super) async fn real_page(&self, prefix: &str, after: Option<&str>, most: u16) -> Result<ObjectPage, Failure> {
        let Fallback::Shadow { objects, hidden } = &self.fallback else {
            let after = after.map(|key| format!(" after {key}")).unwrap_or_default();
            return Err(self.diverges(format!("list {prefix}{after}")));
        };
        let mut page = self.charged.get().unwrap_or(objects).list(prefix, after, most).await?;
        page.objects.retain(|object| !hidden.contains(&object.key));
        Ok(page)
    }

    /// Charges what is to be kept about an object that the stage writes.
    ///
    /// # Errors
    /// If there is no room.
    pub(super) fn keep(&self, bytes: u64) -> Result<(), Failure> {
        if self.kept.take_memory(bytes) {
            return Ok(());
        }
        Err(self.diverges("write more objects, or in more parts, than a repeated call may"))
    }

    /// Notes that the record has no answer; returns the failure for the stage.
    pub(super) fn diverges(&self, what: impl Into<String>) -> Failure {
        let mut what = what.into();
        if let Some((end, _)) = what.char_indices().nth(MAX_DIVERGENCE) {
            what.truncate(end);
            what.push('…');
        }
        let failure = Failure::new(Case::Internal, format!("not in the record: {what}"));
        let mut state = self.state();
        if state.divergences.len() < MAX_DIVERGENCES && !state.divergences.contains(&what) {
            state.divergences.push(what);
        }
        failure
    }

    /// Returns the failure for reading an object that this stage wrote differently from the record.
    pub(super) fn not_kept(&self, key: &str) -> Failure {
        let what = format!("the bytes of {key} as they are written now, which are not kept");
        match &self.fallback {
            Fallback::Refuse => self.diverges(what),
            Fallback::Shadow { .. } => Failure::new(Case::Internal, format!("in the shadow: {what}")),
        }
    }

    /// Charges what is buffered of the real objects to the budget of the repeated call.
    pub(super) fn charge_to(&self, budget: &HostBudget) {
        if let Fallback::Shadow { objects, .. } = &self.fallback
            && let Some(charged) = objects.charged_to(budget)
        {
            let _ = self.charged.set(charged);
        }
    }

    /// Returns the real objects, for a host call about `key` that is not in the record.
    pub(super) fn real(&self, key: &str, what: impl FnOnce() -> String) -> Result<&Arc<dyn Objects>, Failure> {
        match &self.fallback {
            Fallback::Refuse => Err(self.diverges(what())),
            Fallback::Shadow { hidden, .. } if hidden.contains(key) => {
                Err(Failure::new(Case::Missing, format!("there is no object {key:?}")))
            }
            Fallback::Shadow { objects, .. } => Ok(self.charged.get().unwrap_or(objects)),
        }
    }
}

/// Returns the failure of an `if_match` that does not match.
pub(super) fn mismatch(key: &str, expected: &str, found: &str) -> Failure {
    Failure::new(Case::Mismatch, format!("{key:?} is version {found:?} and not {expected:?}"))
}
