//! What a stage printed before it failed on a file, for its author.

use std::fmt::Write as _;

use crate::output::untrusted::harmless;

/// How many calls are shown, and how many lines of each.
const CALLS: usize = 5;
const LINES: usize = 12;

/// The end of what one failed call printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastOutput {
    /// The state whose stage it was.
    pub state: String,
    /// The file's name; `None` for a batch stage.
    pub file: Option<String>,
    /// The text.
    pub printed: String,
}

/// Returns the last lines of the first calls, each indented below its file.
pub fn last_outputs(outputs: &[LastOutput]) -> String {
    let mut text = String::new();
    for LastOutput { state, file, printed } in outputs.iter().take(CALLS) {
        let of = file.as_ref().map(|file| format!(" on {file}")).unwrap_or_default();
        let _ = writeln!(text, "The last output of {state}{of}:");
        let lines: Vec<_> = printed.lines().collect();
        for line in lines.iter().skip(lines.len().saturating_sub(LINES)) {
            let _ = writeln!(text, "  | {}", harmless(line));
        }
    }
    if outputs.len() > CALLS {
        let _ = writeln!(text, "and of {} more calls; --log stagehost_runtime=info has all", outputs.len() - CALLS);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(printed: &str) -> LastOutput {
        LastOutput { state: "AddNotes".into(), file: Some("a.jpg".into()), printed: printed.into() }
    }

    #[test]
    fn the_last_lines_are_indented_below_the_file() {
        assert_eq!(
            last_outputs(&[output("one\ntwo\u{1b}[2J")]),
            "The last output of AddNotes on a.jpg:\n  | one\n  | two\u{fffd}[2J\n"
        );
        assert_eq!(last_outputs(&[]), "");
    }

    #[test]
    fn neither_many_lines_nor_many_calls_bury_the_result() {
        let long: String = (0..100).map(|line| format!("line {line}\n")).collect();
        let text = last_outputs(&vec![output(&long); 7]);
        assert_eq!(text.lines().count(), 5 * 13 + 1, "{text}");
        assert!(text.contains("| line 99") && !text.contains("| line 87\n"), "{text}");
        assert!(text.contains("and of 2 more calls"), "{text}");
    }
}
