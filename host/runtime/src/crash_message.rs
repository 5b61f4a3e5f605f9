//! Finds the message of a crash in what a guest printed: the panic of Rust, the exception of an interpreter.
//!
//! Interpreters print more than that. Python prints a stack of calls, whose last line is the exception, and then the
//! panic of the runtime around it, which says only that there was an exception.

/// The longest message, in characters.
const LONGEST: usize = 300;
/// How a stack of calls begins in Python.
const TRACEBACK: &str = "Traceback (most recent call last)";

/// Returns why a guest broke, by what it printed, in one line; `None` if it printed nothing.
pub(crate) fn crash_message(printed: &str) -> Option<String> {
    let lines: Vec<&str> = printed.lines().filter(|line| !line.trim().is_empty() && !is_noise(line)).collect();
    let words = match lines.iter().rposition(|line| line.trim_start().starts_with(TRACEBACK)) {
        Some(traceback) => exception(lines.get(traceback + 1..)?),
        None => lines.get(lines.len().saturating_sub(2)..)?.join(" "),
    };
    let text: String = words.trim().chars().take(LONGEST).collect();
    (!text.is_empty()).then_some(text)
}

/// Returns whether a line says nothing about the guest: the hint about backtraces after a panic in Rust.
fn is_noise(line: &str) -> bool {
    line.contains("RUST_BACKTRACE")
}

/// Returns the exception below a traceback and the innermost place of the author's own code:
/// `ValueError: no such colour (File "app.py", line 12, in process)`.
fn exception(below: &[&str]) -> String {
    let end = below.iter().position(|line| !line.starts_with(char::is_whitespace)).unwrap_or(below.len());
    let (stack, rest) = below.split_at(end);
    let place = stack.iter().rfind(|line| line.trim_start().starts_with("File \"")).map(|line| line.trim());
    match (rest.first(), place) {
        (Some(exception), Some(place)) => format!("{exception} ({place})"),
        (Some(exception), None) => (*exception).to_owned(),
        (None, place) => place.unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_about_backtraces_is_left_out() {
        let printed =
            "thread '<unnamed>' panicked at src/lib.rs:7:5:\nno such tile\nnote: run with `RUST_BACKTRACE=1` ...";
        assert_eq!(
            crash_message(printed).as_deref(),
            Some("thread '<unnamed>' panicked at src/lib.rs:7:5: no such tile")
        );
        assert_eq!(crash_message(""), None);
        assert_eq!(crash_message("\n  \n"), None);
    }

    #[test]
    fn a_python_exception_is_named_with_its_place_and_not_the_panic_of_the_interpreter_around_it() {
        let printed = "reading\nTraceback (most recent call last):\n  File \"/0/app.py\", line 9, in process\n    f()\n  \
                       File \"/0/app.py\", line 12, in f\n    raise ValueError('no such colour')\nValueError: no such \
                       colour\n\nthread '<unnamed>' panicked at runtime/src/lib.rs:436:13:\nPython function threw an \
                       unexpected exception\nnote: run with `RUST_BACKTRACE=1` environment variable";
        let words = crash_message(printed);
        assert_eq!(words.as_deref(), Some("ValueError: no such colour (File \"/0/app.py\", line 12, in f)"));
    }

    #[test]
    fn a_traceback_that_is_cut_off_still_gives_its_place() {
        let printed = "Traceback (most recent call last):\n  File \"/0/app.py\", line 9, in process";
        assert_eq!(crash_message(printed).as_deref(), Some("File \"/0/app.py\", line 9, in process"));
        assert_eq!(crash_message("Traceback (most recent call last):"), None);
    }

    #[test]
    fn the_words_are_short_whatever_was_printed() {
        assert_eq!(crash_message(&"ö".repeat(4000)).map(|words| words.chars().count()), Some(LONGEST));
    }
}
