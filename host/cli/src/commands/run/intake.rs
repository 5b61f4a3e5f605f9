//! The input of a run: a folder of media, or a batch document, becomes a batch and the files to upload.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::exit::{read_named, usage};
use crate::local::media_areas::media_segment;

/// A batch to be run.
#[derive(Debug)]
pub struct Intake {
    /// The batch document, as the queue would deliver it.
    pub batch: Value,
    /// Files that must be in the bucket first, by key.
    pub uploads: BTreeMap<String, PathBuf>,
    /// What was left out of a folder, and why.
    pub notes: Vec<String>,
}

/// Reads a folder of media, or a batch document.
///
/// `bucket` is the bucket's folder, perhaps with files of an earlier run; `today` is `YYYY-MM-DD`.
///
/// # Errors
/// If it is neither, or empty.
pub fn read(input: &Path, media: Option<&Path>, listing: &str, bucket: &Path, today: &str) -> Result<Intake> {
    let metadata = std::fs::metadata(input).map_err(|e| usage!("cannot read {}: {e}", input.display()))?;
    if metadata.is_dir() {
        return match media {
            Some(_) => {
                Err(usage!("--media is for a batch document, and {} is a folder; leave it out", input.display()))
            }
            None => folder(input, listing, bucket, today),
        };
    }
    let batch: Value = serde_json::from_slice(&read_named("", input)?)
        .map_err(|e| usage!("{} is neither a folder nor a batch document: {e}", input.display()))?;
    if batch.as_array().is_some_and(Vec::is_empty) {
        return Err(usage!(
            "{} is an empty list; a batch document is an object with a listingId and a list of assets",
            input.display()
        ));
    }
    let mut uploads = BTreeMap::new();
    if let Some(media) = media {
        if !media.is_dir() {
            return Err(usage!("cannot read --media {}: there is no such folder", media.display()));
        }
        let parsed = stagehost_batch::parse(&batch).map_err(|e| usage!("{}: {e}", input.display()))?;
        // A key with a problem, such as one with `..` in it, names no file here. The batch's result says what is wrong.
        for asset in parsed.assets.into_iter().filter(|asset| asset.problem.is_none()) {
            // A file lies in the media folder under its key, or just by its name.
            let name = asset.key.rsplit('/').next().unwrap_or_default().to_owned();
            let found =
                [asset.key.as_str(), &name].map(|part| media.join(part)).into_iter().find(|path| path.is_file());
            if let Some(path) = found {
                uploads.insert(asset.key, path);
            }
        }
    }
    Ok(Intake { batch, uploads, notes: Vec::new() })
}

fn folder(input: &Path, listing: &str, bucket: &Path, today: &str) -> Result<Intake> {
    let (mut files, mut notes) = (Vec::new(), Vec::new());
    collect(input, &mut files, &mut notes)?;
    files.sort();
    if files.is_empty() {
        return Err(usage!("there is no file to process in {}", input.display()));
    }
    let mut uploads = BTreeMap::new();
    let mut assets = Vec::new();
    let mut names = Names::default();
    for (sequence, file) in files.into_iter().enumerate() {
        let relative = file.strip_prefix(input).unwrap_or(&file);
        // `kitchen/1.jpg` and `bath/1.jpg` are two files.
        let wanted = relative.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("-");
        let name = names.claim(&wanted);
        if name != wanted || relative.to_str().is_none() {
            notes.push(format!("{} is uploaded as {name}", file.display()));
        }
        let media = media_segment(&file, &file);
        let key = earlier_key(bucket, listing, media, &name)
            .unwrap_or_else(|| format!("{listing}/raw/{media}/{today}/{name}"));
        assets.push(json!({"key": key, "sequence": sequence + 1}));
        uploads.insert(key, file);
    }
    let id = |text: &str| text.parse::<u64>().map_or_else(|_| json!(text), |number| json!(number));
    notes.sort();
    let batch = json!({"jobId": 1, "batchId": 1, "listingId": id(listing), "assets": assets, "retry": 0});
    Ok(Intake { batch, uploads, notes })
}

/// The names of the files of a folder in their keys.
#[derive(Default)]
struct Names(std::collections::HashSet<String>);

impl Names {
    /// Returns `wanted`, or what is nearest to it: without characters that no key has, and with a number if another file has
    /// the name already, as `kitchen-1.jpg` and `kitchen/1.jpg` would.
    fn claim(&mut self, wanted: &str) -> String {
        let plain: String = wanted.chars().map(|c| if c == '\\' || c.is_control() { '_' } else { c }).collect();
        let (stem, extension) = match plain.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => (stem, format!(".{extension}")),
            _ => (plain.as_str(), String::new()),
        };
        let numbered = (2_u32..).map(|number| format!("{stem}-{number}{extension}"));
        let free = std::iter::once(plain.clone()).chain(numbered).find(|name| !self.0.contains(name));
        let name = free.unwrap_or_else(|| plain.clone());
        self.0.insert(name.clone());
        name
    }
}

/// Files that desktops leave in folders, in lower case; they are not media.
const DESKTOP_FILES: [&str; 5] = ["thumbs.db", "ehthumbs.db", "desktop.ini", ".ds_store", "icon\r"];

/// Collects the files below a folder. Links to files are followed, hidden files are not media.
fn collect(folder: &Path, files: &mut Vec<PathBuf>, notes: &mut Vec<String>) -> Result<()> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        let mut left_out = |why: &str| notes.push(format!("left out: {}: {why}", path.display()));
        if DESKTOP_FILES.contains(&name.to_lowercase().as_str()) {
            left_out("a file of the desktop");
            continue;
        }
        if name.starts_with('.') {
            left_out("a hidden file");
            continue;
        }
        let is_link = entry.file_type()?.is_symlink();
        match std::fs::metadata(&path) {
            Ok(target) if target.is_file() => files.push(path),
            // It may lead back to a folder around it.
            Ok(target) if target.is_dir() && is_link => left_out("a link to a folder"),
            Ok(target) if target.is_dir() => collect(&path, files, notes)?,
            Ok(_) => left_out("not a file"),
            Err(error) if is_link => left_out(&format!("a link that leads nowhere ({error})")),
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }
    Ok(())
}

/// Returns the key under which an earlier run stored the file, so that another day does not make a second file of it.
fn earlier_key(bucket: &Path, listing: &str, media: &str, name: &str) -> Option<String> {
    let prefix = format!("{listing}/raw/{media}");
    let dates = std::fs::read_dir(bucket.join(&prefix)).ok()?;
    let mut found: Vec<String> = dates
        .flatten()
        .filter(|date| date.path().join(name).is_file())
        .map(|date| format!("{prefix}/{}/{name}", date.file_name().to_string_lossy()))
        .collect();
    found.sort();
    found.pop()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PORTRAIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/listing/staircase.jpg");

    #[test]
    fn a_folder_becomes_a_batch_with_keys_and_types_derived_from_the_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let input = dir.path().join("in");
        std::fs::create_dir_all(input.join("bath")).unwrap();
        std::fs::copy(PORTRAIT, input.join("bath/1.png")).unwrap();
        std::fs::write(input.join("plan.pdf"), b"%PDF-1.4\n").unwrap();
        std::fs::write(input.join(".hidden"), b"x").unwrap();
        let bucket = dir.path().join("bucket");
        let intake = read(&input, None, "51", &bucket, "2026-01-02").unwrap();
        let keys: Vec<_> = intake.uploads.keys().map(String::as_str).collect();
        assert_eq!(keys, ["51/raw/photo/vertical/2026-01-02/bath-1.png", "51/raw/project/doc/2026-01-02/plan.pdf"]);
        assert_eq!(intake.batch["listingId"], 51);

        let stored = bucket.join("51/raw/project/doc/2025-12-31");
        std::fs::create_dir_all(&stored).unwrap();
        std::fs::write(stored.join("plan.pdf"), b"%PDF-1.4\n").unwrap();
        let again = read(&input, None, "51", &bucket, "2026-01-02").unwrap();
        assert!(again.uploads.contains_key("51/raw/project/doc/2025-12-31/plan.pdf"), "an earlier day's key is kept");
    }

    #[test]
    fn files_of_the_desktop_are_left_out_and_links_to_photos_are_followed() {
        let dir = tempfile::tempdir().unwrap();
        let input = dir.path().join("in");
        std::fs::create_dir(&input).unwrap();
        for name in ["Thumbs.db", "desktop.ini", ".DS_Store"] {
            std::fs::write(input.join(name), b"x").unwrap();
        }
        std::fs::write(input.join("plan.pdf"), b"%PDF-1.4\n").unwrap();
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(PORTRAIT, input.join("linked.jpg")).unwrap();
            std::os::unix::fs::symlink(&input, input.join("loop")).unwrap();
            std::os::unix::fs::symlink("nowhere", input.join("lost.jpg")).unwrap();
        }
        let intake = read(&input, None, "51", dir.path(), "2026-01-02").unwrap();
        let files: Vec<_> = intake.uploads.keys().map(|key| key.rsplit('/').next().unwrap()).collect();
        let left_out = |name: &str| intake.notes.iter().any(|note| note.contains(name));
        assert!(["Thumbs.db", "desktop.ini", ".DS_Store"].into_iter().all(left_out), "{:?}", intake.notes);
        #[cfg(unix)]
        {
            assert_eq!(files, ["linked.jpg", "plan.pdf"]);
            assert!(["loop", "lost.jpg"].into_iter().all(left_out), "{:?}", intake.notes);
        }
        #[cfg(not(unix))]
        assert_eq!(files, ["plan.pdf"]);
    }

    #[test]
    fn files_whose_names_become_one_are_all_there_and_the_new_name_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let input = dir.path().join("in");
        std::fs::create_dir_all(input.join("sub")).unwrap();
        for name in ["sub/front.jpg", "sub-front.jpg", "C:\\fakepath\\hall.jpg"] {
            std::fs::copy(PORTRAIT, input.join(name)).unwrap();
        }
        let intake = read(&input, None, "51", dir.path(), "2026-01-02").unwrap();
        let files: Vec<_> = intake.uploads.keys().map(|key| key.rsplit('/').next().unwrap()).collect();
        assert_eq!(files, ["C:_fakepath_hall.jpg", "sub-front-2.jpg", "sub-front.jpg"]);
        assert_eq!(intake.batch["assets"].as_array().unwrap().len(), 3);
        assert!(intake.uploads.values().all(|path| path.is_file()));
        for name in ["sub-front-2.jpg", "C:_fakepath_hall.jpg"] {
            assert!(intake.notes.iter().any(|note| note.ends_with(name)), "{:?}", intake.notes);
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn names_that_are_not_utf_8_do_not_become_one_file() {
        use std::os::unix::ffi::OsStrExt as _;
        let dir = tempfile::tempdir().unwrap();
        let input = dir.path().join("in");
        std::fs::create_dir(&input).unwrap();
        for name in [b"a\xff.jpg".as_slice(), b"a\xfe.jpg"] {
            std::fs::copy(PORTRAIT, input.join(std::ffi::OsStr::from_bytes(name))).unwrap();
        }
        let intake = read(&input, None, "51", dir.path(), "2026-01-02").unwrap();
        assert_eq!((intake.uploads.len(), intake.notes.len()), (2, 2), "{:?}", intake.notes);
    }

    #[test]
    fn a_key_that_leads_out_of_the_media_folder_reads_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let media = dir.path().join("media");
        std::fs::create_dir_all(media.join("51/raw")).unwrap();
        std::fs::copy(PORTRAIT, dir.path().join("secret.jpg")).unwrap();
        std::fs::copy(PORTRAIT, media.join("good.jpg")).unwrap();
        let good = "51/raw/photo/vertical/2026-01-02/good.jpg";
        let absolute = dir.path().join("secret.jpg").display().to_string();
        let assets = [good, "../secret.jpg", "51/raw/../../../secret.jpg", &absolute];
        let file = dir.path().join("batch.json");
        std::fs::write(&file, json!({"listingId": 51, "assets": assets}).to_string()).unwrap();
        let intake = read(&file, Some(&media), "1", dir.path(), "2026-01-02").unwrap();
        assert_eq!(intake.uploads.keys().collect::<Vec<_>>(), [good]);
    }

    #[test]
    fn media_without_a_batch_document_and_a_missing_media_folder_are_wrong_usage() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("batch.json");
        std::fs::write(&file, json!({"listingId": 51, "assets": []}).to_string()).unwrap();
        let nowhere = dir.path().join("nowhere");
        for (input, media) in [(dir.path(), dir.path()), (file.as_path(), nowhere.as_path())] {
            let error = read(input, Some(media), "1", dir.path(), "2026-01-02").unwrap_err();
            assert!(error.to_string().contains("--media"), "{error}");
            assert!(error.downcast_ref::<crate::exit::UsageError>().is_some(), "{error}");
        }
    }

    #[test]
    fn an_empty_list_is_not_a_batch_document() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), " []\n").unwrap();
        let error = read(file.path(), None, "1", file.path(), "2026-01-02").unwrap_err();
        assert!(error.to_string().contains("empty list"), "{error}");
    }

    #[test]
    fn an_empty_folder_and_a_missing_one_are_wrong_usage() {
        let dir = tempfile::tempdir().unwrap();
        for input in [dir.path().to_owned(), dir.path().join("nowhere")] {
            let error = read(&input, None, "1", dir.path(), "2026-01-02").unwrap_err();
            assert!(error.downcast_ref::<crate::exit::UsageError>().is_some(), "{error}");
        }
    }
}
