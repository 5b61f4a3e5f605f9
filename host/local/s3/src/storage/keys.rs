//! The mapping between keys and paths.
//!
//! A key is nearly any string of at most 1,024 bytes; a path is not. These rules change only what a file system cannot
//! store: the path of `51/raw/photo/vertical/2025-11-27/photo-001.jpg` is the same text. Every path belongs to exactly
//! one key:
//!
//! | in a segment of the key | on disk |
//! |---|---|
//! | `.` or `..` | `%2E`, `%2E%2E` |
//! | empty (`a//b`, `/a`, `a/`) | `%empty` |
//! | NUL | `%00` |
//! | a `%` that would be read as one of these escapes | `%25` |
//! | more than [`NAME_MAX`] bytes | several directories, each but the last ending in `%+` |
//! | the object `a` beside the directory of `a/b` | `a%o` (see [`object_form`]) |
//! | `IMG.jpg` beside `img.jpg` on a disk that folds case | every byte as `%XX` (see [`escape_all`]) |
//!
//! The last two depend on existing files; `tree` selects them. A file whose name has an escape that is never written
//! (`%41.jpg`) is not an object: otherwise two paths would belong to one key.

/// The longest name of a file, in bytes: the limit of file systems minus the length of [`OBJECT`].
pub const NAME_MAX: usize = 253;

/// The longest key that S3 accepts, in bytes.
pub const KEY_MAX: usize = 1024;

/// The name of an empty segment.
const EMPTY: &str = "%empty";
/// The end of a directory's name whose segment continues in the next name.
const CONTINUED: &str = "%+";
/// The end of an object's name whose plain name belongs to a directory.
pub const OBJECT: &str = "%o";
/// The bytes of a long segment in the name of one directory.
const PIECE_MAX: usize = 240;

/// Returns the names of a segment: nested directories and, last, a directory or file. Usually one name.
pub fn segment_names(segment: &str) -> Vec<String> {
    pieces(&escape(segment))
}

/// Returns the names of a segment with every byte escaped, for a disk where the plain name is the file of another key.
pub fn escape_all(segment: &str) -> Vec<String> {
    pieces(&segment.bytes().map(percent).collect::<String>())
}

/// Returns the name of an object whose plain name belongs to a directory.
pub fn object_form(name: &str) -> String {
    format!("{name}{OBJECT}")
}

/// Returns the names in the path of a key on an empty disk.
pub fn names(key: &str) -> Vec<String> {
    key.split('/').flat_map(segment_names).collect()
}

/// Returns the text that a directory adds to the keys below it: the decoded name and, unless the segment continues, a
/// slash. `None` if the name belongs to no key.
pub fn directory_prefix(name: &str, continued: bool) -> Option<String> {
    if let Some(piece) = name.strip_suffix(CONTINUED) {
        return unescape(piece);
    }
    let mut prefix = segment_of(name, continued)?;
    prefix.push('/');
    Some(prefix)
}

/// Returns the text that a file adds to the prefix of its directory. `None` if the name belongs to no key.
pub fn file_suffix(name: &str, continued: bool) -> Option<String> {
    segment_of(name.strip_suffix(OBJECT).unwrap_or(name), continued)
}

/// Returns whether the segment of a directory continues in the names below it.
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

/// Returns whether `cut` is inside of an escape or of an escaped character.
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

/// Returns the byte of the escape at this position.
fn escape_at(bytes: &[u8], at: usize) -> Option<u8> {
    match bytes.get(at..)? {
        [b'%', high, low, ..] if is_hex(*high) && is_hex(*low) => Some(nibble(*high) << 4 | nibble(*low)),
        _ => None,
    }
}

/// Upper case only: `%2e` is not an escape.
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
    fn names_that_a_file_system_cannot_store_are_escaped() {
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
        fn a_path_is_mapped_back_to_its_key(key in awkward_key()) {
            prop_assert_eq!(read_back(&names(&key)), Some(key));
        }

        #[test]
        fn an_escaped_path_is_mapped_back_too(key in awkward_key()) {
            let names: Vec<String> = key
                .split('/')
                .flat_map(|segment| if segment.is_empty() { segment_names(segment) } else { escape_all(segment) })
                .collect();
            prop_assert_eq!(read_back(&names), Some(key));
        }

        #[test]
        fn no_key_leaves_its_folder_or_has_a_name_that_is_too_long(key in awkward_key()) {
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
