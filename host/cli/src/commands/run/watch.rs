//! The progress of a run: one line per state, with the files in work.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar};
use stagehost_runtime::{AssetEvent, Observer};

use super::last_output::LastOutput;
use crate::output::printer::Printer;
use crate::output::progress::style;
use crate::output::units::seconds;
use crate::output::untrusted::harmless;
use crate::stage_log::log_line;

/// The state that waits for transcoding jobs.
const TRANSCODING: &str = "ProcessVideos";

/// Of how many failed calls the output is kept.
const OUTPUTS_KEPT: usize = 64;

/// Watches a run.
pub struct Watch {
    printer: Printer,
    screen: MultiProgress,
    states: Mutex<HashMap<String, StateLine>>,
    jobs: Mutex<HashMap<String, Job>>,
    /// What stages printed in calls that failed.
    outputs: Mutex<Vec<LastOutput>>,
}

struct StateLine {
    bar: ProgressBar,
    since: Instant,
    done: u32,
    failed: u32,
    /// Short names of the files in work, with their percentage.
    running: BTreeMap<String, Option<u64>>,
}

/// A transcoding job.
enum Job {
    Running(Instant),
    Ended,
}

impl Watch {
    /// Returns a watch that shows nothing yet.
    pub fn new(printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
            screen: printer.screen(),
            states: Mutex::default(),
            jobs: Mutex::default(),
            outputs: Mutex::default(),
        }
    }

    /// Shows a state that began.
    pub fn entered(&self, state: &str) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = self.screen.add(ProgressBar::new_spinner());
        bar.set_style(style("  {spinner} {prefix:<28} {wide_msg}"));
        bar.set_prefix(state.to_owned());
        match self.printer {
            Printer::Terminal(_) => bar.enable_steady_tick(Duration::from_millis(100)),
            Printer::Plain => self.printer.note(format_args!("  {state} …")),
            Printer::Silent => {}
        }
        let line = StateLine { bar, since: Instant::now(), done: 0, failed: 0, running: BTreeMap::new() };
        states.insert(state.to_owned(), line);
    }

    /// Shows a state that ended, with its time and its files.
    pub fn exited(&self, state: &str) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(line) = states.remove(state) else { return };
        let summary = line.summary();
        let took = seconds(line.since.elapsed());
        line.bar.set_style(style("  ✓ {prefix:<28} {wide_msg}"));
        line.bar.finish_with_message(format!("{took:>8}  {summary}"));
        if matches!(self.printer, Printer::Plain) {
            self.printer.note(format!("  {state:<28} {took:>8}  {summary}").trim_end());
        }
    }

    /// Removes the bars that still move, before the result is printed.
    pub fn finish(&self) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, line) in states.drain() {
            line.bar.finish_and_clear();
        }
    }

    /// Returns what stages printed in the calls that failed since this was asked, in the order in which they ended.
    pub fn take_outputs(&self) -> Vec<LastOutput> {
        std::mem::take(&mut *self.outputs.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a call that ended. Keeps what the stage printed, if the call failed.
    fn ended(&self, state: &str, key: Option<&str>, failed: bool, printed: &str) {
        self.with_line(state, |line| {
            line.running.remove(&key.map_or_else(|| "batch".into(), short));
            if key.is_some() {
                *(if failed { &mut line.failed } else { &mut line.done }) += 1;
            }
        });
        if failed && !printed.is_empty() {
            let mut outputs = self.outputs.lock().unwrap_or_else(PoisonError::into_inner);
            // Of the others only the number is shown.
            let printed = if outputs.len() < OUTPUTS_KEPT { printed.to_owned() } else { String::new() };
            outputs.push(LastOutput { state: state.to_owned(), file: key.map(short), printed });
        }
    }

    fn with_line(&self, state: &str, change: impl FnOnce(&mut StateLine)) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = states.get_mut(state) {
            change(line);
            line.bar.set_message(line.summary());
        }
    }

    /// Shows the progress of a transcoding job; only a running one has a percentage.
    fn job(&self, id: &str, percent: Option<u64>) {
        let running = percent.filter(|percent| *percent < 100);
        self.with_line(TRANSCODING, |line| {
            match running {
                Some(percent) => line.running.insert(format!("job {id}"), Some(percent)),
                None => line.running.remove(&format!("job {id}")),
            };
        });
        if !matches!(self.printer, Printer::Plain) {
            return;
        }
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        match jobs.get(id) {
            None => {
                self.printer.note(format_args!("  transcoding job {id} …"));
                jobs.insert(id.to_owned(), Job::Running(Instant::now()));
            }
            Some(Job::Running(since)) if percent.is_none() => {
                self.printer.note(format_args!("  transcoding job {id}: {}", seconds(since.elapsed())));
                jobs.insert(id.to_owned(), Job::Ended);
            }
            Some(Job::Running(_) | Job::Ended) => {}
        }
    }
}

impl StateLine {
    fn summary(&self) -> String {
        let mut parts = Vec::new();
        if self.done > 0 {
            parts.push(format!("{} done", self.done));
        }
        if self.failed > 0 {
            parts.push(format!("{} failed", self.failed));
        }
        parts.extend(self.running.iter().take(4).map(|(name, percent)| match percent {
            Some(percent) => format!("{name} {percent}%"),
            None => name.clone(),
        }));
        parts.join(" · ")
    }
}

impl Observer for Watch {
    fn on(&self, event: AssetEvent<'_>) {
        match event {
            AssetEvent::Started { state, key: Some(key) } => self.with_line(state, |line| {
                line.running.insert(short(key), None);
            }),
            AssetEvent::Progress { state, key: Some(key), done, total } if total > 0 => self.with_line(state, |line| {
                line.running.insert(short(key), Some(percent(done, total)));
            }),
            AssetEvent::Progress { state, key: None, done, total } if total > 0 => self.with_line(state, |line| {
                line.running.insert("batch".into(), Some(percent(done, total)));
            }),
            AssetEvent::Logged { scope, key, line } => log_line(scope, key, line),
            AssetEvent::Job { id, percent } => self.job(id, percent),
            AssetEvent::Ended { state, key, failure, printed, .. } => {
                self.ended(state, key, failure.is_some(), printed);
            }
            AssetEvent::Note { state, note } => {
                self.printer.note(format_args!("  {state}: {}", harmless(note)));
            }
            _ => {}
        }
    }
}

fn percent(done: u64, total: u64) -> u64 {
    (u128::from(done.min(total)) * 100 / u128::from(total.max(1))) as u64
}

fn short(key: &str) -> String {
    key.rsplit('/').next().unwrap_or(key).to_owned()
}
