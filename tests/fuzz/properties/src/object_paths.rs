//! Keys of the local S3, as paths on a disk.

// The file itself: its crate needs s3s, which takes a minute to compile.
#[allow(dead_code)]
#[path = "../../../../host/local/s3/src/storage/keys.rs"]
mod mapping;

use mapping::{KEY_MAX, directory_prefix, escape_all, file_suffix, is_continued, names, object_form, segment_names};

/// Any key has a path that stays in its folder, fits a file system and is read back as the key, plain and with every byte
/// escaped; two keys have two paths. Any path is read or belongs to no key.
pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (one, other) = text.split_once('\n').unwrap_or((text, ""));
    for key in [one, other].into_iter().filter(|key| is_key(key)) {
        let path = names(key);
        is_lawful(&path);
        assert_eq!(key_of(&path).as_deref(), Some(key), "of {path:?}");
        let escaped: Vec<String> = key
            .split('/')
            .flat_map(|segment| if segment.is_empty() { segment_names(segment) } else { escape_all(segment) })
            .collect();
        is_lawful(&escaped);
        assert_eq!(key_of(&escaped).as_deref(), Some(key), "of {escaped:?}");
    }
    if is_key(one) && is_key(other) {
        assert_eq!(names(one) == names(other), one == other, "{one:?} and {other:?}");
    }
    // A tree that somebody else made.
    let found: Vec<String> = text.split('/').map(str::to_owned).collect();
    if let Some(key) = key_of(&found) {
        let path = names(&key);
        assert_eq!(key_of(&path), Some(key), "of {path:?}, found as {found:?}");
    }
}

fn is_key(text: &str) -> bool {
    (1..=KEY_MAX).contains(&text.len())
}

fn is_lawful(path: &[String]) {
    for name in path {
        assert!(!matches!(name.as_str(), "" | "." | ".."), "{path:?}");
        assert!(!name.contains(['/', '\0']), "{path:?}");
        assert!(object_form(name).len() <= 255, "a name of {} bytes", name.len());
    }
}

fn key_of(path: &[String]) -> Option<String> {
    let (file, directories) = path.split_last()?;
    let (mut key, mut continued) = (String::new(), false);
    for name in directories {
        key.push_str(&directory_prefix(name, continued)?);
        continued = is_continued(name);
    }
    key.push_str(&file_suffix(file, continued)?);
    Some(key)
}
