//! What a person sees while a batch runs: a line per state, with the files that are being worked on.

use std::collections::{BTreeMap, HashMap};
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use stagehost_runtime::{AssetEvent, Observer};

use crate::console::units::seconds;

/// How the progress is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// Live, on a terminal.
    Live,
    /// A line for each state that ends: for logs and pipes.
    Lines,
    /// Not at all.
    Silent,
}

impl Telling {
    /// What fits standard error.
    pub fn fitting(quiet: bool) -> Self {
        match (quiet, std::io::stderr().is_terminal()) {
            (true, _) => Telling::Silent,
            (false, true) => Telling::Live,
            (false, false) => Telling::Lines,
        }
    }
}

/// Watches a run.
pub struct Watch {
    telling: Telling,
    screen: MultiProgress,
    states: Mutex<HashMap<String, StateLine>>,
}

struct StateLine {
    bar: ProgressBar,
    since: Instant,
    done: u32,
    failed: u32,
    /// Short names of the files in work, with their percentage.
    running: BTreeMap<String, Option<u64>>,
}

impl Watch {
    /// Nothing happens yet.
    pub fn new(telling: Telling) -> Self {
        let target = if telling == Telling::Live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { telling, screen: MultiProgress::with_draw_target(target), states: Mutex::new(HashMap::new()) }
    }

    /// A bar for work before the batch runs.
    pub fn bar(&self, what: &str, total: u64) -> ProgressBar {
        let style = ProgressStyle::with_template("  {spinner} {msg:<28} {bar:24} {bytes}/{total_bytes}");
        let bar = self.screen.add(ProgressBar::new(total));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(what.to_owned());
        bar
    }

    /// A state began.
    pub fn entered(&self, state: &str) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = self.screen.add(ProgressBar::new_spinner());
        let style = ProgressStyle::with_template("  {spinner} {prefix:<28} {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        bar.set_prefix(state.to_owned());
        if self.telling == Telling::Live {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        let line = StateLine { bar, since: Instant::now(), done: 0, failed: 0, running: BTreeMap::new() };
        states.insert(state.to_owned(), line);
    }

    /// A state ended.
    pub fn exited(&self, state: &str) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(line) = states.remove(state) else { return };
        let summary = line.summary();
        let took = seconds(line.since.elapsed());
        if let Ok(style) = ProgressStyle::with_template("  ✓ {prefix:<28} {wide_msg}") {
            line.bar.set_style(style);
        }
        line.bar.finish_with_message(format!("{took:>8}  {summary}"));
        if self.telling == Telling::Lines {
            eprintln!("  {state:<28} {took:>8}  {summary}");
        }
    }

    /// Removes what is still moving, before the result is printed.
    pub fn finish(&self) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, line) in states.drain() {
            line.bar.finish_and_clear();
        }
    }

    fn with_line(&self, state: &str, change: impl FnOnce(&mut StateLine)) {
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = states.get_mut(state) {
            change(line);
            line.bar.set_message(line.summary());
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
            AssetEvent::Job { id, percent } => self.with_line("ProcessVideos", |line| {
                match percent {
                    Some(percent) if percent < 100 => line.running.insert(format!("job {id}"), Some(percent)),
                    _ => line.running.remove(&format!("job {id}")),
                };
            }),
            AssetEvent::Ended { state, key, failure, .. } => self.with_line(state, |line| {
                line.running.remove(&key.map_or_else(|| "batch".into(), short));
                if key.is_some() {
                    *(if failure.is_some() { &mut line.failed } else { &mut line.done }) += 1;
                }
            }),
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
