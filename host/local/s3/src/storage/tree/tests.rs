#![allow(clippy::unwrap_used)]
use std::os::unix::fs::symlink;

use proptest::prelude::*;

use super::*;

struct All(Vec<String>);

impl Visitor for All {
    fn enter(&mut self, _: &str) -> bool {
        true
    }
    fn object(&mut self, key: String) -> bool {
        self.0.push(key);
        true
    }
}

struct Disk {
    folder: tempfile::TempDir,
    tree: Tree,
    bucket: PathBuf,
}

impl Disk {
    fn new(folds_case: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir(&root).unwrap();
        let tree = Tree::new(root, folds_case);
        assert!(tree.create_bucket("media").unwrap());
        let bucket = tree.bucket("media").unwrap().unwrap();
        Self { folder, tree, bucket }
    }

    /// Writes an object and returns its path.
    fn write(&self, key: &str, text: &str) -> PathBuf {
        let file = self.folder.path().join("unfinished");
        fs::write(&file, text).unwrap();
        self.tree.publish(&file, &self.bucket, key).unwrap();
        self.tree.locate(&self.bucket, key).unwrap().unwrap().path
    }

    fn read(&self, key: &str) -> Option<String> {
        let (file, _) = self.tree.open(&self.bucket, key).unwrap()?;
        Some(io::read_to_string(file).unwrap())
    }

    fn keys(&self) -> Vec<String> {
        let mut all = All(Vec::new());
        self.tree.walk(&self.bucket, &mut all).unwrap();
        all.0.sort();
        all.0
    }
}

#[test]
fn a_key_may_be_the_directory_of_another_in_either_order() {
    let disk = Disk::new(false);
    disk.write("a", "first");
    disk.write("a/b", "below");
    assert_eq!(disk.read("a").as_deref(), Some("first"));
    disk.write("a", "second");
    assert_eq!(disk.read("a").as_deref(), Some("second"));
    assert_eq!(disk.read("a/b").as_deref(), Some("below"));
    assert_eq!(disk.keys(), ["a", "a/b"]);

    assert!(disk.tree.remove(&disk.bucket, "a/b").unwrap());
    assert_eq!(disk.write("a", "third"), disk.bucket.join("a"), "the plain name again, once it is free");
    assert_eq!(disk.keys(), ["a"]);
}

#[test]
fn removing_an_object_removes_the_directories_that_become_empty() {
    let disk = Disk::new(false);
    disk.write("x/y/z", "");
    disk.write("x/other", "");
    assert!(disk.tree.remove(&disk.bucket, "x/y/z").unwrap());
    assert!(!disk.bucket.join("x/y").exists());
    assert!(disk.bucket.join("x/other").exists());
    assert!(!disk.tree.remove(&disk.bucket, "x/y/z").unwrap());
}

#[test]
fn links_are_neither_read_nor_listed_nor_written_through() {
    let disk = Disk::new(false);
    let outside = disk.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    symlink(&outside, disk.bucket.join("dir")).unwrap();
    symlink(outside.join("secret"), disk.bucket.join("file")).unwrap();
    symlink(&outside, disk.folder.path().join("root/linked")).unwrap();

    assert_eq!(disk.read("dir/secret"), None);
    assert_eq!(disk.read("file"), None);
    assert!(disk.keys().is_empty());
    assert!(disk.tree.bucket("linked").unwrap().is_none());
    let file = disk.folder.path().join("unfinished");
    fs::write(&file, "x").unwrap();
    let error = disk.tree.publish(&file, &disk.bucket, "dir/new").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);

    // Writing an object in the place of a link replaces the link and not its target.
    disk.write("file", "mine");
    assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "secret");
    assert_eq!(disk.read("file").as_deref(), Some("mine"));
}

#[test]
fn names_that_differ_only_by_case_are_two_objects_on_a_disk_that_folds_case() {
    let disk = Disk::new(true);
    assert_eq!(disk.write("Photos/IMG.JPG", "upper"), disk.bucket.join("Photos/IMG.JPG"));
    let other = disk.write("Photos/img.jpg", "lower");
    assert_eq!(other, disk.bucket.join("Photos/%69%6D%67%2E%6A%70%67"));
    disk.write("photos/IMG.JPG", "elsewhere");
    assert_eq!(disk.read("Photos/IMG.JPG").as_deref(), Some("upper"));
    assert_eq!(disk.read("Photos/img.jpg").as_deref(), Some("lower"));
    assert_eq!(disk.keys(), ["Photos/IMG.JPG", "Photos/img.jpg", "photos/IMG.JPG"]);

    // The second keeps its file when the first is removed.
    assert!(disk.tree.remove(&disk.bucket, "Photos/IMG.JPG").unwrap());
    assert_eq!(disk.read("Photos/img.jpg").as_deref(), Some("lower"));
    assert_eq!(disk.read("Photos/IMG.JPG"), None);
}

#[test]
fn a_file_whose_name_belongs_to_no_key_is_not_an_object() {
    let disk = Disk::new(false);
    fs::write(disk.bucket.join("%41.jpg"), "").unwrap();
    fs::write(disk.bucket.join("plain.jpg"), "").unwrap();
    assert_eq!(disk.keys(), ["plain.jpg"]);
}

#[test]
fn a_bucket_is_removed_only_if_it_contains_nothing_but_empty_directories() {
    let disk = Disk::new(false);
    disk.write("a", "");
    fs::create_dir_all(disk.bucket.join("empty/nested")).unwrap();
    assert!(!disk.tree.remove_bucket(&disk.bucket).unwrap());
    disk.tree.remove(&disk.bucket, "a").unwrap();
    assert!(disk.tree.remove_bucket(&disk.bucket).unwrap());
    assert!(disk.tree.bucket("media").unwrap().is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn every_set_of_keys_can_be_written_read_and_listed(
        keys in prop::collection::btree_set("([abA.%]|%o|%2E|/|Ü|\u{0}){1,9}", 1..12),
        folds_case in any::<bool>(),
    ) {
        let disk = Disk::new(folds_case);
        for key in &keys {
            let path = disk.write(key, key);
            prop_assert!(path.starts_with(&disk.bucket));
        }
        for key in &keys {
            let text = disk.read(key);
            prop_assert_eq!(text.as_ref(), Some(key));
        }
        prop_assert_eq!(disk.keys(), keys.into_iter().collect::<Vec<_>>());
    }
}
