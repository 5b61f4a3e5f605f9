//! How a key is written as a path, and read back.
//!
//! A key is nearly any string of at most 1,024 bytes; a path is not. The rules below change only what a file system
//! cannot hold, so that `51/raw/photo/vertical/2025-11-27/photo-001.jpg` is exactly that path, and every path that they
//! produce leads back to its key and to no other:
//!
//! | in the key's segment | on disk |
//! |---|---|
//! | `.` or `..` | `%2E`, `%2E%2E` |
//! | nothing (`a//b`, `/a`, `a/`) | `%empty` |
//! | NUL | `%00` |
//! | a `%` that would read as one of these escapes | `%25` |
//! | more than [`NAME_MAX`] bytes | several directories, each but the last ending in `%+` |
//! | the object `a` beside the directory of `a/b` | `a%o` (see [`object_form`]) |
//! | `IMG.jpg` beside `img.jpg` on a disk that folds case | every byte as `%XX` (see [`spelt_out`]) |
//!
//! The last two depend on what is already there; `tree` decides them. A name that looks like an escape which is never
//! written (`%41.jpg`) is no object: two paths would lead to one key.

/// The longest name of a file that is written, in bytes. Two less than file systems take: room for [`OBJECT`].
pub const NAME_MAX: usize = 253;

/// The longest key that S3 accepts, in bytes.
pub const KEY_MAX: usize = 1024;

/// The name of an empty segment.
const EMPTY: &str = "%empty";
/// Ends the name of a directory whose segment goes on in the next name.
const CONTINUED: &str = "%+";
/// Ends the name of an object whose plain name is taken by a directory.
const OBJECT: &str = "%o";
/// How much of a long segment goes into one directory.
const PIECE_MAX: usize = 240;

/// One segment of a key as the names of nested directories and, at the end, of a directory or file. Most often one.
pub fn segment_names(segment: &str) -> Vec<String> {
    pieces(&escape(segment))
}

/// As [`segment_names`], every byte escaped: for a disk where the plain name means another key's file.
pub fn spelt_out(segment: &str) -> Vec<String> {
    pieces(&segment.bytes().map(percent).collect::<String>())
}

/// The name of an object where a directory has the plain one.
pub fn object_form(name: &str) -> String {
    format!("{name}{OBJECT}")
}

/// A key as a relative path, one name an element, before `tree` looks at what is there.
pub fn names(key: &str) -> Vec<String> {
    key.split('/').flat_map(segment_names).collect()
}

/// What a directory's name adds to the keys below it: the decoded name and, unless the segment goes on, a slash.
pub fn directory_prefix(name: &str, continued: bool) -> Option<String> {
    if let Some(piece) = name.strip_suffix(CONTINUED) {
        return unescape(piece);
    }
    let mut prefix = segment_of(name, continued)?;
    prefix.push('/');
    Some(prefix)
}

/// What a file's name adds to its directory's prefix. A name in the object form reads as the plain one.
pub fn file_suffix(name: &str, continued: bool) -> Option<String> {
    segment_of(name.strip_suffix(OBJECT).unwrap_or(name), continued)
}

/// Whether a directory's segment goes on in the names below it.
pub fn is_continued(name: &str) -> bool {
    name.ends_with(CONTINUED)
}

fn segment_of(name: &str, continued: bool) -> Option<String> {
    if name == EMPTY && !continued { Some(String::new()) } else { unescape(name) }
}

fn escape(segment: &str) -> String {
    if segment.is_empty() {
        return EMPTY.to_owned();
    }
    let bytes = segment.as_bytes();
    let mut out = String::with_capacity(segment.len());
    for (at, c) in segment.char_indices() {
        match c {
            '\0' => out.push_str("%00"),
            '%' if reads_as_escape(segment, bytes, at) => out.push_str("%25"),
            _ => out.push(c),
        }
    }
    out
}

fn reads_as_escape(segment: &str, bytes: &[u8], at: usize) -> bool {
    let rest = bytes.get(at + 1..).unwrap_or_default();
    escape_at(bytes, at).is_some() || matches!(rest, b"o" | b"+") || segment == EMPTY
}

fn pieces(escaped: &str) -> Vec<String> {
    let mut names = Vec::with_capacity(1);
    let mut rest = escaped;
    while rest.len() > NAME_MAX {
        let mut cut = PIECE_MAX;
        while !rest.is_char_boundary(cut) || cuts_escape(rest.as_bytes(), cut) {
            cut -= 1;
        }
        names.push(format!("{}{CONTINUED}", &rest[..cut]));
        rest = &rest[cut..];
    }
    names.push(match rest {
        "." => "%2E".to_owned(),
        ".." => "%2E%2E".to_owned(),
        other => other.to_owned(),
    });
    names
}

/// Whether an escape begins before `cut` and ends after it, or an escaped character does.
fn cuts_escape(bytes: &[u8], cut: usize) -> bool {
    (1..=2).any(|back| escape_at(bytes, cut - back).is_some())
        || escape_at(bytes, cut).is_some_and(|byte| byte & 0xC0 == 0x80)
}

fn unescape(name: &str) -> Option<String> {
    let bytes = name.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match escape_at(bytes, at) {
            Some(escaped) => {
                out.push(escaped);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).ok()
}

/// The byte that the escape at this place stands for.
fn escape_at(bytes: &[u8], at: usize) -> Option<u8> {
    match bytes.get(at..)? {
        [b'%', high, low, ..] if is_hex(*high) && is_hex(*low) => Some(nibble(*high) << 4 | nibble(*low)),
        _ => None,
    }
}

/// Only capitals: `%2e` in a key or a file's name stands for itself.
fn is_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'F')
}

fn nibble(hex: u8) -> u8 {
    if hex.is_ascii_digit() { hex - b'0' } else { hex - b'A' + 10 }
}

fn percent(byte: u8) -> String {
    format!("%{byte:02X}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    fn read_back(names: &[String]) -> Option<String> {
        let (file, directories) = names.split_last()?;
        let (mut key, mut continued) = (String::new(), false);
        for name in directories {
            key.push_str(&directory_prefix(name, continued)?);
            continued = is_continued(name);
        }
        key.push_str(&file_suffix(file, continued)?);
        Some(key)
    }

    fn path(key: &str) -> String {
        names(key).join("/")
    }

    #[test]
    fn an_ordinary_key_is_its_own_path() {
        for key in
            ["51/raw/photo/vertical/2025-11-27/photo-001.jpg", "Ünï – 100%.pdf", "a b/c+d&e=f", ".hidden", "50%off"]
        {
            assert_eq!(path(key), key);
        }
    }

    #[test]
    fn what_a_file_system_cannot_hold_is_escaped() {
        assert_eq!(path("../../etc/passwd"), "%2E%2E/%2E%2E/etc/passwd");
        assert_eq!(path("/etc"), "%empty/etc");
        assert_eq!(path("a//b/"), "a/%empty/b/%empty");
        assert_eq!(path("."), "%2E");
        assert_eq!(path("nul\0"), "nul%00");
    }

    #[test]
    fn a_key_that_looks_like_an_escape_is_escaped_itself() {
        assert_eq!(path("%2E%2E"), "%252E%252E");
        assert_eq!(path("%empty"), "%25empty");
        assert_eq!(path("a%o"), "a%25o");
        assert_eq!(path("a%+"), "a%25+");
        assert_eq!(path("a%2e"), "a%2e");
    }

    #[test]
    fn a_long_segment_is_continued_in_a_directory() {
        let key = format!("{}..", "a".repeat(PIECE_MAX + PIECE_MAX));
        let names = names(&key);
        assert!(names.len() > 1, "{names:?}");
        assert_eq!(read_back(&names).unwrap(), key);
    }

    fn awkward_key() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("/".to_owned()),
            Just("..".to_owned()),
            Just(".".to_owned()),
            Just("%".to_owned()),
            Just("%2E".to_owned()),
            Just("%empty".to_owned()),
            Just("%o".to_owned()),
            Just("%+".to_owned()),
            Just("\0".to_owned()),
            Just("é".repeat(130)),
            Just("a".repeat(239)),
            "[A-F0-9o+%.]{1,6}",
            "\\PC{0,20}",
        ];
        prop::collection::vec(part, 1..8)
            .prop_map(|parts| parts.concat())
            .prop_filter("a key", |key| !key.is_empty() && key.len() <= KEY_MAX)
    }

    proptest! {
        #[test]
        fn a_path_leads_back_to_its_key(key in awkward_key()) {
            prop_assert_eq!(read_back(&names(&key)), Some(key));
        }

        #[test]
        fn a_path_spelt_out_leads_back_too(key in awkward_key()) {
            let names: Vec<String> = key
                .split('/')
                .flat_map(|segment| if segment.is_empty() { segment_names(segment) } else { spelt_out(segment) })
                .collect();
            prop_assert_eq!(read_back(&names), Some(key));
        }

        #[test]
        fn no_key_leaves_its_folder_or_makes_a_name_too_long(key in awkward_key()) {
            for name in names(&key) {
                prop_assert!(!name.is_empty() && name != "." && name != "..");
                prop_assert!(!name.contains('/') && !name.contains('\0'));
                prop_assert!(object_form(&name).len() <= 255);
            }
        }

        #[test]
        fn two_keys_never_share_a_path(a in awkward_key(), b in awkward_key()) {
            prop_assume!(a != b);
            prop_assert_ne!(names(&a), names(&b));
        }

        #[test]
        fn reading_any_name_does_not_panic(name in "\\PC{0,40}") {
            let _ = (directory_prefix(&name, false), file_suffix(&name, true));
        }
    }
}
