//! Numbers, times and names as people read them.

use std::borrow::Cow;
use std::io::{self, Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

/// Everything except what is the same in every part of a path.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Returns a part of a path, encoded.
pub fn encoded(part: &str) -> String {
    utf8_percent_encode(part, IN_PATH).to_string()
}

/// Returns where the console shows an object of the bucket.
pub fn media_url(key: &str) -> String {
    let parts: Vec<_> = key.split('/').map(encoded).collect();
    format!("/console/media/{}", parts.join("/"))
}

/// Returns where the console shows an execution.
pub fn batch_url(name: &str) -> String {
    format!("/console/batch/{}", encoded(name))
}

/// Returns `12.3 MB`.
pub fn bytes(count: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    if count < 1000 {
        return format!("{count} B");
    }
    let mut value = count as f64;
    let mut unit = "B";
    for next in units {
        if value < 1000.0 {
            break;
        }
        (value, unit) = (value / 1000.0, next);
    }
    if value < 10.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// Returns `340 ms`, `2.5 s`, `3 min 20 s`, `2 h 5 min`.
pub fn duration(millis: f64) -> String {
    let seconds = (millis / 1000.0).max(0.0);
    let whole = seconds.round() as u64;
    match () {
        () if millis < 1000.0 => format!("{:.0} ms", millis.max(0.0)),
        () if seconds < 10.0 => format!("{seconds:.1} s"),
        () if whole < 60 => format!("{whole} s"),
        () if whole < 3600 => format!("{} min {} s", whole / 60, whole % 60),
        () => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

/// Returns the time between two moments, in milliseconds.
pub fn between(from: OffsetDateTime, to: OffsetDateTime) -> f64 {
    (to - from).as_seconds_f64() * 1000.0
}

/// Returns `28 Nov 2026, 21:03:12`, in UTC.
pub fn moment(at: OffsetDateTime) -> String {
    let format = format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute]:[second]");
    at.format(format).unwrap_or_default()
}

/// Returns `21:03:12.345`, in UTC.
pub fn clock(at: OffsetDateTime) -> String {
    at.format(format_description!("[hour]:[minute]:[second].[subsecond digits:3]")).unwrap_or_default()
}

/// Returns the time for programs.
pub fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

/// Returns the last part of a key.
pub fn file_name(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

/// Returns a text as one argument of a shell.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// Returns a text, or the beginning of one that is longer than `most` bytes.
pub fn clipped(text: &str, most: usize) -> Cow<'_, str> {
    match text.len() > most {
        true => Cow::Owned(format!("{}…", &text[..text.floor_char_boundary(most)])),
        false => Cow::Borrowed(text),
    }
}

/// Returns JSON in lines; a text that is no JSON stays as it is. At most `most` bytes are kept, and no more are made: the indentation
/// of deep JSON can be a hundred times as long as itself. Also returns whether something is missing.
pub fn pretty(text: &str, most: usize) -> (String, bool) {
    let mut lines = Lines { kept: Vec::new(), most };
    // What is much longer than the page can show is not read as JSON.
    let value = Some(text).filter(|text| text.len() <= most.saturating_mul(4));
    let value = value.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
    let cut = match value {
        Some(value) => serde_json::to_writer_pretty(&mut lines, &value).is_err(),
        None => lines.write_all(text.as_bytes()).is_err(),
    };
    let mut kept = lines.kept;
    // A character may have been cut through.
    let whole = std::str::from_utf8(&kept).map_or_else(|error| error.valid_up_to(), str::len);
    kept.truncate(whole);
    (String::from_utf8(kept).unwrap_or_default(), cut)
}

/// Takes what fits into `most` bytes.
struct Lines {
    kept: Vec<u8>,
    most: usize,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.most - self.kept.len();
        if room == 0 && !bytes.is_empty() {
            return Err(io::Error::other("the page has no room for more"));
        }
        let taken = &bytes[..bytes.len().min(room)];
        self.kept.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_short() {
        assert_eq!([bytes(0), bytes(999), bytes(1500), bytes(24_300_000)], ["0 B", "999 B", "1.5 kB", "24 MB"]);
        let texts = [12.4, 2_520.0, 59_700.0, 200_000.0, 7_500_000.0].map(duration);
        assert_eq!(texts, ["12 ms", "2.5 s", "1 min 0 s", "3 min 20 s", "2 h 5 min"]);
    }

    #[test]
    fn a_name_from_outside_stays_one_part_of_an_address_and_one_word_of_a_command() {
        assert_eq!(media_url("51/raw/a b#?<.jpg"), "/console/media/51/raw/a%20b%23%3F%3C.jpg");
        assert_eq!(batch_url("a/../b"), "/console/batch/a%2F..%2Fb");
        assert_eq!(quoted("it's; rm"), r"'it'\''s; rm'");
        assert_eq!(quoted(""), "''");
        assert_eq!(pretty("ääää", 3), ("ä".to_owned(), true));
        assert_eq!(pretty("ä", 2), ("ä".to_owned(), false));
        assert_eq!(clipped("ääää", 3), "ä…");
        assert_eq!(clipped("ä", 2), "ä");
    }

    #[test]
    fn json_is_shown_in_lines_and_no_more_of_it_is_made_than_is_shown() {
        assert_eq!(pretty(r#"{"a":[1]}"#, 100), ("{\n  \"a\": [\n    1\n  ]\n}".to_owned(), false));
        let deep = format!("{}{}{}", "[".repeat(120), vec!["0"; 50_000].join(","), "]".repeat(120));
        let (shown, cut) = pretty(&deep, 100_000);
        assert!(cut && shown.len() == 100_000, "{}", shown.len());
        assert_eq!(pretty(&"[".repeat(1_000), 10), ("[".repeat(10), true));
    }
}
