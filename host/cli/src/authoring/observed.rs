//! What the calls of one state's stage did, for the stage's author.

use std::sync::Mutex;

use stagehost_runtime::{AssetEvent, CallReport, Observer, lock};

/// One call.
pub struct TriedCall {
    /// The asset's key; `None` for a batch stage.
    pub key: Option<String>,
    /// The lines of its log, and the end of what it printed.
    pub printed: String,
    /// Time and memory.
    pub report: CallReport,
}

/// Keeps what the calls of a state did until it is taken.
pub struct Observed {
    state: String,
    calls: Mutex<Vec<TriedCall>>,
    /// Lines of the log, with the asset's key, until their call ends.
    logged: Mutex<Vec<(Option<String>, String)>>,
}

impl Observed {
    /// Returns an observer of the calls of a state.
    pub fn of(state: &str) -> Self {
        Self { state: state.to_owned(), calls: Mutex::default(), logged: Mutex::default() }
    }

    /// Returns the calls that have ended, in that order.
    pub fn take(&self) -> Vec<TriedCall> {
        std::mem::take(&mut *lock(&self.calls))
    }
}

impl Observer for Observed {
    fn on(&self, event: AssetEvent<'_>) {
        match event {
            AssetEvent::Logged { scope, key, line } if scope.state == self.state => {
                let fields: String = line.fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
                let text = format!("{} {}{fields}", line.level.name(), line.message);
                lock(&self.logged).push((key.map(str::to_owned), text));
            }
            AssetEvent::Ended { state, key, report, printed, .. } if state == self.state => {
                let mut lines = Vec::new();
                lock(&self.logged).retain(|(of, line)| {
                    let ends = of.as_deref() == key;
                    if ends {
                        lines.push(line.clone());
                    }
                    !ends
                });
                lines.extend(printed.lines().map(str::to_owned));
                let call = TriedCall { key: key.map(str::to_owned), printed: lines.join("\n"), report: *report };
                lock(&self.calls).push(call);
            }
            _ => {}
        }
    }
}
