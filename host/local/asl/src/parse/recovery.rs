//! `Retry` and `Catch`.

use serde_json::Value;

use super::fields::Fields;
use crate::definition::language::QueryLanguage;
use crate::definition::model::Recovery;
use crate::definition::retry::{Catcher, ErrorEquals, Retrier};
use crate::definition::settings::ResultPath;
use crate::error::names;
use crate::findings::{Code, Collector};
use crate::limits::SECONDS;

/// The longest `MaxDelaySeconds`: a year.
const MOST_DELAY: u64 = 31_622_399;

/// Reads both lists.
pub(super) fn read(fields: &mut Fields<'_>, language: QueryLanguage, notes: &mut Collector) -> Recovery {
    let catcher = |fields: &mut Fields<'_>, errors, notes: &mut Collector| catcher(fields, language, errors, notes);
    Recovery { retry: entries(fields, "Retry", notes, retrier), catch: entries(fields, "Catch", notes, catcher) }
}

/// Reads the entries of one list. `States.ALL` must be the only name of its entry, and its entry the last one.
fn entries<T>(
    fields: &mut Fields<'_>,
    name: &'static str,
    notes: &mut Collector,
    read: impl Fn(&mut Fields<'_>, ErrorEquals, &mut Collector) -> Option<T>,
) -> Vec<T> {
    let list = match fields.raw(name) {
        None => return Vec::new(),
        Some(Value::Array(list)) => list,
        Some(_) => {
            notes.at(name, |notes| notes.error(Code::Schema, format!("'{name}' must be an array")));
            return Vec::new();
        }
    };
    let mut found = Vec::new();
    for (at, entry) in list.iter().enumerate() {
        notes.at(name, |notes| {
            notes.at(at, |notes| {
                let Some(entry) = entry.as_object() else {
                    notes.error(Code::Schema, format!("an entry of '{name}' must be an object"));
                    return;
                };
                let mut fields = Fields::new(entry);
                let required: &[&str] = if name == "Catch" { &["ErrorEquals", "Next"] } else { &["ErrorEquals"] };
                fields.required(required, notes);
                let errors = error_equals(&mut fields, at + 1 == list.len(), notes);
                found.extend(read(&mut fields, errors, notes));
                fields.finish(notes);
            });
        });
    }
    found
}

fn error_equals(fields: &mut Fields<'_>, last: bool, notes: &mut Collector) -> ErrorEquals {
    let name = "ErrorEquals";
    let list = fields.list(name, notes).unwrap_or_default();
    let errors: Vec<String> = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    notes.at(name, |notes| {
        if errors.len() != list.len() {
            notes.error(Code::Schema, "'ErrorEquals' must hold error names, which are strings");
        }
        if errors.iter().any(|error| error == names::ALL) && (errors.len() > 1 || !last) {
            notes.error(Code::Schema, "States.ALL must appear alone and at end of list");
        }
    });
    ErrorEquals(errors)
}

fn retrier(fields: &mut Fields<'_>, errors: ErrorEquals, notes: &mut Collector) -> Option<Retrier> {
    let interval = fields.whole("IntervalSeconds", 1, SECONDS, notes).unwrap_or(1);
    let max_attempts = fields.whole("MaxAttempts", 0, SECONDS, notes).unwrap_or(3);
    let backoff = fields.number("BackoffRate", notes).unwrap_or(2.0);
    if !(1.0..=f64::MAX).contains(&backoff) {
        notes.at("BackoffRate", |notes| notes.error(Code::Schema, "'BackoffRate' must be at least 1.0"));
    }
    let max_delay = fields.whole("MaxDelaySeconds", 1, MOST_DELAY, notes);
    if max_delay.is_some_and(|delay| delay <= interval) {
        let message = "'MaxDelaySeconds' must be greater than 'IntervalSeconds'";
        notes.at("MaxDelaySeconds", |notes| notes.error(Code::Schema, message));
    }
    let jitter = fields.choice("JitterStrategy", &["NONE", "FULL"], notes) == Some("FULL");
    Some(Retrier { errors, interval, max_attempts, backoff, max_delay, jitter })
}

fn catcher(
    fields: &mut Fields<'_>,
    language: QueryLanguage,
    errors: ErrorEquals,
    notes: &mut Collector,
) -> Option<Catcher> {
    let (result_path, output) = match language {
        QueryLanguage::JsonPath => {
            fields.foreign(&["Output"], language, notes);
            (fields.result_path(notes), None)
        }
        QueryLanguage::Jsonata => {
            fields.foreign(&["ResultPath"], language, notes);
            (ResultPath::Replace, fields.query("Output", true, notes))
        }
    };
    let assign = fields.assign(language, true, notes);
    let next = fields.text("Next", notes)?.to_owned();
    Some(Catcher { errors, next, result_path, assign, output })
}
