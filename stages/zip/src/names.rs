//! Names of the files inside an archive.
//!
//! A name comes from an upload, so it is text from outside, and it becomes a path on an unknown desktop. A character that is
//! harmless on one system means a drive, a device or a parent directory on another. So names are made safe for all of them:
//! the result is a relative path with forward slashes, every segment is allowed on Windows, macOS and Linux, and no two
//! names of an archive are equal on a file system that ignores case or Unicode's normal forms.
//!
//! Names are not converted to a normal form: an archive keeps the spelling of the upload. But an `é` of one character and an
//! `é` of two are equal on macOS, so the second of two such names is renamed.

use std::collections::{HashMap, HashSet};

use unicode_normalization::UnicodeNormalization as _;

/// The longest segment of a path, in bytes: the limit of ext4, APFS (255 bytes) and NTFS (255 UTF-16 units).
pub const SEGMENT_LIMIT: usize = 255;

/// The longest path of an entry, in UTF-16 units. Windows opens paths of at most 259 (MAX_PATH), which leaves 79 for the folder
/// that the archive is unpacked into.
pub const PATH_LIMIT: usize = 180;

/// The length of a name, in UTF-16 units, that the names of directories leave to it at least.
const SHORTEST_ROOM: usize = 64;

/// The characters at the end of a stem that are kept when a name is shortened: pictures of one camera, and the renditions of
/// one picture, differ there.
const END_KEPT: usize = 16;

/// The longest extension, in bytes, that is kept when a name is shortened. A longer one counts as part of the name.
const EXTENSION_LIMIT: usize = 32;

/// The name of a file whose own name has no safe character.
const NAMELESS: &str = "unnamed";

/// Returns any text as one safe segment of a path: never empty, never longer than [`SEGMENT_LIMIT`].
pub fn safe_segment(text: &str) -> String {
    let replaced: String = text.chars().map(|c| if is_unsafe(c) { '_' } else { c }).collect();
    // Windows drops dots and spaces at the end, so `a.` and `a` would be one file. This also removes `.` and `..`.
    let trimmed = trim(&replaced);
    let mut segment = if trimmed.is_empty() { NAMELESS.to_owned() } else { trimmed.to_owned() };
    if is_device(&segment) {
        segment.insert(0, '_');
    }
    shorten(&segment, "", SEGMENT_LIMIT)
}

/// The names of one archive. No two are equal when case and Unicode's normal forms are ignored.
#[derive(Debug, Default)]
pub struct Names {
    taken: HashSet<String>,
    /// The next number to try for a name that was claimed before, so that ten thousand equal names take ten thousand tries.
    next: HashMap<String, u64>,
}

impl Names {
    /// Returns an empty set of names.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a safe name for the file `name` in the directory `segments`, never longer than [`PATH_LIMIT`] unless the directory
    /// is. The second file of a name gets ` (2)` before its extension.
    pub fn claim(&mut self, segments: &[&str], name: &str) -> String {
        let mut directory = String::new();
        for segment in segments {
            directory.push_str(&safe_segment(segment));
            directory.push('/');
        }
        let room = PATH_LIMIT.saturating_sub(units(&directory)).max(SHORTEST_ROOM);
        let file = shorten(&safe_segment(name), "", room);
        let wanted = format!("{directory}{file}");
        let folded = fold(&wanted);
        if self.taken.insert(folded.clone()) {
            return wanted;
        }
        let mut number = self.next.get(&folded).copied().unwrap_or(2);
        loop {
            let candidate = format!("{directory}{}", shorten(&file, &format!(" ({number})"), room));
            number += 1;
            if self.taken.insert(fold(&candidate)) {
                self.next.insert(folded, number);
                return candidate;
            }
        }
    }
}

/// Returns the form in which names are compared. Upper case comes first, so that letters with two lower-case forms (`ς` and
/// `σ`) or with a longer upper-case form (`ß`) are equal, too. Letters are taken apart from their marks before and after that.
/// An unnecessary rename does no harm.
fn fold(name: &str) -> String {
    name.nfd().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfd().collect()
}

/// Returns whether some desktop refuses this character, treats it as a separator, or displays it misleadingly.
fn is_unsafe(c: char) -> bool {
    matches!(c, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*')
        || c.is_control()
        // Marks that reorder the text around them, so that `gpj.exe` is displayed as `exe.jpg`, and line separators.
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        // Byte-order marks and noncharacters.
        || matches!(c, '\u{feff}' | '\u{fdd0}'..='\u{fdef}')
        || u32::from(c) & 0xfffe == 0xfffe
}

fn trim(text: &str) -> &str {
    text.trim_start().trim_end_matches(|c: char| c == '.' || c.is_whitespace())
}

/// Returns whether Windows would open a device instead of a file. The part before the first dot decides, without trailing
/// spaces.
fn is_device(segment: &str) -> bool {
    let base = segment.split('.').next().unwrap_or_default().trim_end();
    let base = base.to_ascii_uppercase();
    match base.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$" => true,
        _ => match base.strip_prefix("COM").or_else(|| base.strip_prefix("LPT")) {
            // Windows treats the superscript digits of Latin-1 as digits.
            Some(port) => {
                let mut digits = port.chars();
                matches!((digits.next(), digits.next()), (Some('0'..='9' | '¹' | '²' | '³'), None))
            }
            None => false,
        },
    }
}

/// Returns the length of a text in UTF-16 units, in which Windows counts.
fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Returns `name` with `suffix` before its extension. If that has more than [`SEGMENT_LIMIT`] bytes or `room` UTF-16 units, a
/// `~` takes the place of the stem's middle.
fn shorten(name: &str, suffix: &str, room: usize) -> String {
    let (stem, extension) = match name.rfind('.') {
        // `.profile` is a name without an extension.
        Some(dot) if dot > 0 && name.len() - dot <= EXTENSION_LIMIT => name.split_at(dot),
        _ => (name, ""),
    };
    let most_bytes = SEGMENT_LIMIT.saturating_sub(suffix.len() + extension.len());
    let most_units = room.saturating_sub(units(suffix) + units(extension));
    if stem.len() <= most_bytes && units(stem) <= most_units {
        return format!("{stem}{suffix}{extension}");
    }
    let end = stem.char_indices().rev().nth(END_KEPT - 1).map_or(stem, |(at, _)| stem.split_at(at).1);
    let (mut bytes, mut wide) = (1 + end.len(), 1 + units(end));
    let beginning: String = stem
        .chars()
        .take_while(|c| {
            bytes += c.len_utf8();
            wide += c.len_utf16();
            bytes <= most_bytes && wide <= most_units
        })
        .collect();
    format!("{beginning}~{end}{suffix}{extension}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// Checks the rules of the strictest desktop, written independently of the code under test.
    pub(crate) fn assert_safe(name: &str) {
        assert!(!name.starts_with('/'), "{name:?} is absolute");
        for segment in name.split('/') {
            assert!(!segment.is_empty(), "{name:?} has an empty segment");
            assert!(segment.len() <= 255, "{name:?} has a segment of {} bytes", segment.len());
            assert!(segment != "." && segment != "..", "{name:?} climbs");
            assert!(!segment.contains(['<', '>', ':', '"', '\\', '|', '?', '*']), "{name:?} has a forbidden character");
            assert!(!segment.chars().any(char::is_control), "{name:?} has a control character");
            assert!(!segment.ends_with(['.', ' ']), "{name:?} ends in a dot or a space");
            let base = segment.split('.').next().unwrap().trim_end().to_uppercase();
            for device in ["CON", "PRN", "AUX", "NUL", "COM1", "COM9", "LPT1", "LPT9", "COM²"] {
                assert_ne!(base, device, "{name:?} is a device");
            }
        }
    }

    #[test]
    fn an_ordinary_name_is_kept_as_it_is() {
        for name in ["IMG_0001.jpg", "Wohnzimmer Süd.jpg", "居間.png", "a.b.c.tar.gz", ".profile", "no-extension"] {
            assert_eq!(safe_segment(name), name);
        }
    }

    #[test]
    fn characters_that_some_desktop_refuses_are_replaced() {
        for (name, safe) in [
            ("..", "unnamed"),
            ("", "unnamed"),
            (" . ", "unnamed"),
            ("../../etc/passwd", ".._.._etc_passwd"),
            ("C:\\autoexec.bat", "C__autoexec.bat"),
            ("what?.jpg", "what_.jpg"),
            ("tab\there.jpg", "tab_here.jpg"),
            ("dots...", "dots"),
            ("photo.jpg .", "photo.jpg"),
            ("CON", "_CON"),
            ("nul.txt", "_nul.txt"),
            ("com1.tar.gz", "_com1.tar.gz"),
            ("LPT³ .x", "_LPT³ .x"),
            ("COM10", "COM10"),
            ("console.log", "console.log"),
            ("\u{202e}gpj.exe", "_gpj.exe"),
        ] {
            assert_eq!(safe_segment(name), safe, "for {name:?}");
            assert_safe(&safe_segment(name));
        }
    }

    #[test]
    fn a_long_name_is_cut_between_characters_and_keeps_its_extension() {
        let long = format!("{}.jpeg", "é".repeat(200));
        let safe = safe_segment(&long);
        assert!(safe.len() <= SEGMENT_LIMIT && safe.len() > SEGMENT_LIMIT - 3, "{} bytes", safe.len());
        assert!(safe.ends_with("é.jpeg"));
        let mut names = Names::new();
        names.claim(&[], &long);
        let second = names.claim(&[], &long);
        assert!(second.ends_with("é (2).jpeg") && second.len() <= SEGMENT_LIMIT, "{second}");
    }

    #[test]
    fn a_path_is_short_enough_for_windows_and_tells_renditions_apart() {
        let mut names = Names::new();
        let directory = ["thumbnails", "photo", "horizontal"];
        for long in ["x", "é", "居", "😀"] {
            let stem: String = std::iter::repeat_n(long, 400).collect();
            let claimed = ["320x240", "640x480"].map(|size| names.claim(&directory, &format!("{stem}_{size}.jpg")));
            let again = names.claim(&directory, &format!("{stem}_320x240.jpg"));
            for (path, end) in claimed.iter().chain([&again]).zip(["_320x240.jpg", "_640x480.jpg", "_320x240 (2).jpg"])
            {
                assert!(units(path) <= PATH_LIMIT && path.ends_with(end), "{path}");
                assert!(path.starts_with(&format!("thumbnails/photo/horizontal/{long}{long}")), "{path}");
                assert_safe(path);
            }
        }
        let exact = format!("{}.jpg", "x".repeat(PATH_LIMIT - "photo/vertical/.jpg".len()));
        assert_eq!(names.claim(&["photo", "vertical"], &exact), format!("photo/vertical/{exact}"), "it fits");
    }

    #[test]
    fn names_that_differ_in_case_only_are_told_apart() {
        let mut names = Names::new();
        assert_eq!(names.claim(&["photo", "vertical"], "A.jpg"), "photo/vertical/A.jpg");
        assert_eq!(names.claim(&["photo", "vertical"], "a.JPG"), "photo/vertical/a (2).JPG");
        assert_eq!(names.claim(&["photo", "vertical"], "a.jpg"), "photo/vertical/a (3).jpg");
        assert_eq!(names.claim(&["photo", "horizontal"], "a.jpg"), "photo/horizontal/a.jpg");
        assert_eq!(names.claim(&[], "STRASSE"), "STRASSE");
        assert_eq!(names.claim(&[], "Straße"), "Straße (2)");
    }

    #[test]
    fn a_number_in_an_uploads_own_name_is_not_used_again() {
        let mut names = Names::new();
        assert_eq!(names.claim(&[], "a (2).jpg"), "a (2).jpg");
        assert_eq!(names.claim(&[], "a.jpg"), "a.jpg");
        assert_eq!(names.claim(&[], "a.jpg"), "a (3).jpg");
        assert_eq!(names.claim(&[], "a (2).jpg"), "a (2) (2).jpg");
    }

    #[test]
    fn ten_thousand_equal_names_become_ten_thousand_different_ones() {
        let mut names = Names::new();
        let all: HashSet<String> = (0..10_000).map(|_| names.claim(&["x"], "same.jpg")).collect();
        assert_eq!(all.len(), 10_000);
        assert!(all.contains("x/same (10000).jpg"));
    }

    #[test]
    fn names_that_are_one_file_on_macos_are_renamed_and_keep_their_spelling() {
        let mut names = Names::new();
        assert_eq!(names.claim(&["p"], "caf\u{e9}.jpg"), "p/caf\u{e9}.jpg");
        assert_eq!(names.claim(&["p"], "cafe\u{301}.jpg"), "p/cafe\u{301} (2).jpg");
        assert_eq!(names.claim(&["p"], "CAFE\u{301}.JPG"), "p/CAFE\u{301} (3).JPG");
        assert_eq!(names.claim(&["p"], "cafe.jpg"), "p/cafe.jpg");
    }

    proptest! {
        #[test]
        fn any_text_becomes_a_safe_segment_that_stays_unchanged(text in any::<String>()) {
            let safe = safe_segment(&text);
            prop_assert!(!safe.contains('/'));
            assert_safe(&safe);
            prop_assert_eq!(safe_segment(&safe), safe.clone());
        }

        #[test]
        fn any_names_become_ones_that_differ_in_more_than_their_normal_form(
            texts in prop::collection::vec("[aAeéÉ\u{301}Å\u{30a}\u{212b}]{0,5}", 0..40),
        ) {
            let mut names = Names::new();
            let mut seen = HashSet::new();
            for text in &texts {
                let name = names.claim(&["d"], text);
                prop_assert!(seen.insert(name.nfc().collect::<String>().to_lowercase()), "{} twice", name);
            }
        }

        #[test]
        fn any_names_become_different_ones(texts in prop::collection::vec("[aA.ßSs ()2é]{0,5}", 0..60)) {
            let mut names = Names::new();
            let mut seen = HashSet::new();
            for text in &texts {
                let name = names.claim(&["d"], text);
                assert_safe(&name);
                prop_assert!(seen.insert(name.to_lowercase()), "{} twice", name);
            }
        }
    }
}
