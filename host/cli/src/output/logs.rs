//! Logs, on standard error.

use std::io::{IsTerminal as _, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::printer::Printer;
use super::terminal;

/// The S3 service's library logs every answer that is an error, whether a key does not exist or the disk is full. The
/// client that gets the answer says so in a sentence.
const ANSWERS_OFF: &str = "s3s=off";

/// Starts logging what `filter` lets through.
pub fn start(filter: &str, printer: &Printer) {
    let filter = EnvFilter::try_new(with_answers_off(filter)).unwrap_or_else(|error| {
        printer.problem(format_args!("--log {filter:?} is not a filter ({error}); only errors are logged"));
        EnvFilter::new(with_answers_off("error"))
    });
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal() && terminal::has_colour())
        // It would write to standard error, and panic if that is gone.
        .log_internal_errors(false)
        .with_writer(BetweenBars(printer.clone()))
        .init();
}

/// Adds what is not logged unless the filter names that library itself.
fn with_answers_off(filter: &str) -> String {
    match filter.trim() {
        "" => ANSWERS_OFF.to_owned(),
        filter if filter.contains("s3s") => filter.to_owned(),
        filter => format!("{filter},{ANSWERS_OFF}"),
    }
}

/// Writes log lines where no bar is drawn over them.
struct BetweenBars(Printer);

impl Write for &BetweenBars {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut written = Ok(bytes.len());
        self.0.between_bars(|| written = std::io::stderr().lock().write_all(bytes).map(|()| bytes.len()));
        written
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for BetweenBars {
    type Writer = &'a BetweenBars;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_clients_are_logged_only_if_the_filter_names_the_library() {
        assert_eq!(with_answers_off("error"), format!("error,{ANSWERS_OFF}"));
        assert_eq!(with_answers_off(""), ANSWERS_OFF);
        assert_eq!(with_answers_off("warn,s3s=debug"), "warn,s3s=debug");
    }
}
