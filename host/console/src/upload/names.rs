//! The keys of uploaded files.

use time::Date;

/// The longest name of a file in a key, in bytes; keys have at most 1,024.
const LONGEST: usize = 400;

/// Returns the name of a file in its key: the path in the folder in one piece, without characters that no key has.
/// `None` if nothing of it is left.
pub(super) fn plain(path: &str) -> Option<String> {
    let joined: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
    let name: String = joined.join("-").chars().map(|c| if c == '\\' || c.is_control() { '_' } else { c }).collect();
    (!name.is_empty() && name.len() <= LONGEST).then_some(name)
}

/// Returns the name for the file that is the `number`th of its name: `hall.jpg`, `hall-2.jpg`.
pub(super) fn numbered(name: &str, number: usize) -> String {
    match name.rsplit_once('.') {
        _ if number < 2 => name.to_owned(),
        Some((stem, extension)) if !stem.is_empty() => format!("{stem}-{number}.{extension}"),
        _ => format!("{name}-{number}"),
    }
}

/// Returns whether an id can be a listing's: it is one part of a key.
pub(super) fn is_listing(id: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !id.is_empty() && id.len() <= 64 && id.chars().all(allowed) && !id.starts_with('.')
}

/// Returns the key of a file: `{listing}/raw/{area}/{YYYY-MM-DD}/{name}`.
pub(super) fn key(listing: &str, area: &str, today: Date, name: &str) -> String {
    format!("{listing}/raw/{area}/{today}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_listing() {
        assert_eq!(plain("house/../../etc/hall.jpg").as_deref(), Some("house-etc-hall.jpg"));
        assert_eq!(plain("C:\\hall.jpg").as_deref(), Some("C:_hall.jpg"));
        assert_eq!([plain(""), plain("../.."), plain(&"x".repeat(500))], [None, None, None]);
        let names = [("hall.jpg", 1), ("hall.jpg", 2), ("a.b.jpg", 10), ("hall", 3), (".jpg", 2)];
        let numbered = names.map(|(name, number)| numbered(name, number));
        assert_eq!(numbered, ["hall.jpg", "hall-2.jpg", "a.b-10.jpg", "hall-3", ".jpg-2"]);
        assert!(is_listing("51") && is_listing("a-b"));
        assert!(["", "..", "5/1", "5 1", "<b>"].iter().all(|id| !is_listing(id)));
    }
}
