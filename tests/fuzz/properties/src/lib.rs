//! What holds for any foreign bytes.
//!
//! Each module has a function `check` for one parser. It takes any bytes and panics if the parser breaks one of its
//! promises: that it returns at all, that two ways to read the same bytes agree, that what is read and written again is
//! unchanged, that its memory stays within its limits. `fuzz_targets/` calls these functions with the bytes of libFuzzer,
//! `tests/corpora.rs` with the files of `corpus/`.

pub mod archive;
pub mod archive_directory;
pub mod batch;
pub mod chunked;
#[cfg(feature = "registry")]
pub mod envelope;
pub mod exif;
pub mod expressions;
mod interpreter;
pub mod jpeg;
pub mod keys;
pub mod memory;
pub mod object_paths;
pub mod pictures;
#[cfg(feature = "registry")]
pub mod pins;
pub mod probe;
pub mod states;
pub mod transcoding;

/// A property: a function that panics if it does not hold for these bytes.
pub type Check = fn(&[u8]);

/// Every target: its name, which is that of its folder in `corpus/` and of its file in `fuzz_targets/`, and its property.
pub const TARGETS: &[(&str, Check)] = &[
    ("archive", archive::check),
    ("archive_directory", archive_directory::check),
    ("batch", batch::check),
    ("chunked", chunked::check),
    #[cfg(feature = "registry")]
    ("envelope", envelope::check),
    ("exif", exif::check),
    ("expressions", expressions::check),
    ("jpeg", jpeg::check),
    ("keys", keys::check),
    ("object_paths", object_paths::check),
    ("pictures", pictures::check),
    #[cfg(feature = "registry")]
    ("pins", pins::check),
    ("probe", probe::check),
    ("states", states::check),
    ("transcoding", transcoding::check),
];

/// Returns the text before the first line break that is followed by `---` and a line break, and the text after it.
fn parts(bytes: &[u8]) -> Option<(&str, &str)> {
    let text = std::str::from_utf8(bytes).ok()?;
    Some(text.split_once("\n---\n").unwrap_or((text, "")))
}
