//! What a stage lets others hear: its lines, numbers, progress, and what it prints.

use std::sync::Mutex;

use stagehost_runtime::{AssetEvent, Measure, Observer, StageLogLevel};

/// A line of the log with its fields.
pub type Line = (StageLogLevel, String, Vec<(String, String)>);

#[derive(Debug, Default)]
pub struct Heard {
    pub lines: Mutex<Vec<Line>>,
    pub measures: Mutex<Vec<Measure>>,
    pub progress: Mutex<Vec<(u64, u64)>>,
    pub printed: Mutex<String>,
}

impl Observer for Heard {
    fn on(&self, event: AssetEvent<'_>) {
        match event {
            AssetEvent::Logged { line, .. } => {
                self.lines.lock().unwrap().push((line.level, line.message.to_owned(), line.fields.to_vec()));
            }
            AssetEvent::Measured { measures, .. } => self.measures.lock().unwrap().extend_from_slice(measures),
            AssetEvent::Progress { done, total, .. } => self.progress.lock().unwrap().push((done, total)),
            AssetEvent::Ended { printed, .. } => *self.printed.lock().unwrap() = printed.to_owned(),
            _ => {}
        }
    }
}
