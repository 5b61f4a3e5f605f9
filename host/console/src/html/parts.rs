//! Small parts of pages.

use maud::{Markup, html};
use time::OffsetDateTime;

use super::format::{clipped, moment, pretty, rfc3339};
use crate::source::error::SourceError;
use crate::source::executions::ExecutionStatus;
use crate::source::pins::PinsSigner;

/// The longest document on a page, in bytes.
const LONGEST: usize = 256 << 10;

/// The longest explanation of an error that is shown, in bytes. Step Functions keeps 32,768 characters of one.
const LONGEST_CAUSE: usize = 32 << 10;

/// The longest name, title or error that is shown, in bytes.
pub const LONGEST_LINE: usize = 512;

/// Shows a status as a word in its colour.
pub fn badge(status: ExecutionStatus) -> Markup {
    let (class, word) = match status {
        ExecutionStatus::Running => ("run", "running"),
        ExecutionStatus::Succeeded => ("ok", "succeeded"),
        ExecutionStatus::Failed => ("bad", "failed"),
        ExecutionStatus::TimedOut => ("bad", "timed out"),
        ExecutionStatus::Aborted => ("off", "stopped"),
        ExecutionStatus::Other => ("off", "waits for a redrive"),
    };
    html! { span class={ "badge " (class) } { (word) } }
}

/// Shows a time in UTC.
pub fn time(at: OffsetDateTime) -> Markup {
    html! { time datetime=(rfc3339(at)) { (moment(at)) " UTC" } }
}

/// Shows a text or a JSON document, with a button that copies it. `name` is unique on the page.
pub fn document(name: &str, title: &str, text: &str) -> Markup {
    beginning(name, title, text, LONGEST)
}

/// Shows a text or a JSON document as [`document`] does, at most `most` bytes of it.
pub fn beginning(name: &str, title: &str, text: &str, most: usize) -> Markup {
    let (text, cut) = pretty(text, most);
    html! {
        div.document {
            div.bar {
                strong { (title) }
                button type="button" hidden data-copy=(name) { "Copy" }
            }
            pre id=(name) tabindex="0" aria-label=(title) { (text) }
            @if cut { p.note { "Only the beginning is shown." } }
        }
    }
}

/// Shows a command for a shell, with a button that copies it.
pub fn command(name: &str, text: &str) -> Markup {
    html! {
        div.command {
            pre id=(name) tabindex="0" aria-label="Command" { (text) }
            button type="button" hidden data-copy=(name) { "Copy" }
        }
    }
}

/// Shows a key that signed pins: its name among the person's keys, with its id.
pub fn signer(key: &PinsSigner) -> Markup {
    html! { @if let Some(name) = &key.name { strong { (name) } " " } code { (key.id) } }
}

/// Says why the calls of stages are not shown.
pub fn no_calls(error: &SourceError) -> Markup {
    html! { p.problem { "The calls of stages cannot be read: " (error.to_string()) } }
}

/// Shows an error with its explanation, which may be long.
pub fn fault(error: &str, cause: &str) -> Markup {
    html! {
        @if !error.is_empty() { strong { (clipped(error, LONGEST_LINE)) } }
        @if !cause.is_empty() { pre tabindex="0" { (clipped(cause, LONGEST_CAUSE)) } }
    }
}

/// Shows a sentence where nothing else is to be shown.
pub fn empty(sentence: &str) -> Markup {
    html! { p.empty { (sentence) } }
}
