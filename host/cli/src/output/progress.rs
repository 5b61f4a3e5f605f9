//! Work that takes a while: a spinner on a terminal, elsewhere a line when it begins and one when it ends.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::printer::Printer;
use super::units::seconds;

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(120);

/// Work in progress. Dropped before [`Work::done`], it was given up: the spinner disappears.
pub struct Work {
    printer: Printer,
    what: String,
    since: Instant,
    bar: ProgressBar,
}

impl Printer {
    /// Begins a piece of work.
    pub fn begin(&self, what: impl Into<String>) -> Work {
        let what = what.into();
        let bar = self.screen().add(ProgressBar::new_spinner());
        bar.set_style(style("  {spinner} {wide_msg} {elapsed}"));
        bar.set_message(what.clone());
        match self {
            Self::Terminal(_) => bar.enable_steady_tick(TICK),
            Self::Plain => self.note(format_args!("  {what} …")),
            Self::Silent => {}
        }
        Work { printer: self.clone(), what, since: Instant::now(), bar }
    }

    /// Begins the transfer of so many bytes.
    pub fn transfer(&self, what: &'static str, bytes: u64) -> ProgressBar {
        let bar = self.screen().add(ProgressBar::new(bytes));
        bar.set_style(style("  {spinner} {msg} {wide_bar} {bytes}/{total_bytes}"));
        bar.set_message(what);
        bar
    }
}

impl Work {
    /// Ends it well.
    pub fn done(self) {
        if matches!(self.printer, Printer::Plain) {
            self.printer.note(format_args!("  {}: {}", self.what, seconds(self.since.elapsed())));
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Returns the style of a bar.
pub fn style(template: &str) -> ProgressStyle {
    // The templates are constants of this program; a mistake in one costs its layout only.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
