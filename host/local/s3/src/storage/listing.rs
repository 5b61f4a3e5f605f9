//! One page of a listing, with memory that does not depend on the size of the bucket.
//!
//! S3 lists keys in the order of their bytes. Directories have another order (`a.txt` is before `a/b`, and `%`-escapes
//! sort differently from their characters). So a page is the set of the smallest keys after the marker, which never has
//! more than one page of items. Directories that cannot contribute to it are skipped.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::tree::{Tree, Visitor};

/// The largest number of items on one page.
pub const PAGE_MAX: i32 = 1000;

/// The parameters of a listing.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Query {
    pub prefix: String,
    /// Keys that are equal up to the delimiter (after the prefix) are listed as one item. Empty for no delimiter.
    pub delimiter: String,
    /// The marker: only items after it are listed.
    pub after: String,
    /// `after` is an item of an earlier page. If it is a prefix, none of its keys is listed again.
    pub after_item: bool,
    pub limit: usize,
}

/// An entry of a page.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// An object's key.
    Key(String),
    /// A prefix of several keys.
    Prefix(String),
}

impl Item {
    /// Returns the key or prefix.
    pub fn text(&self) -> &str {
        match self {
            Self::Key(text) | Self::Prefix(text) => text,
        }
    }
}

/// The items of a page in order, and whether more follow.
#[derive(Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Page {
    pub items: Vec<Item>,
    pub truncated: bool,
}

impl Page {
    /// Returns the text of the last item, if another page follows.
    pub fn next(&self) -> Option<&str> {
        self.items.last().filter(|_| self.truncated).map(Item::text)
    }
}

/// Returns a page of the objects in a bucket.
pub fn page(tree: &Tree, bucket: &Path, query: &Query) -> io::Result<Page> {
    if query.limit == 0 {
        return Ok(Page::default());
    }
    let mut collector = Collector { query, smallest: BTreeSet::new() };
    tree.walk(bucket, &mut collector)?;
    let mut items: Vec<Item> = collector.smallest.into_iter().map(|(_, item)| item).collect();
    let truncated = items.len() > query.limit;
    items.truncate(query.limit);
    Ok(Page { items, truncated })
}

struct Collector<'a> {
    query: &'a Query,
    /// At most one item more than the page, to know whether another page follows. Sorted by text; a key and a prefix
    /// may have the same text.
    smallest: BTreeSet<(String, Item)>,
}

impl Collector<'_> {
    fn item(&self, key: &str) -> Option<Item> {
        let rest = key.strip_prefix(self.query.prefix.as_str())?;
        let delimiter = self.query.delimiter.as_str();
        if delimiter.is_empty() {
            return Some(Item::Key(key.to_owned()));
        }
        Some(match rest.find(delimiter) {
            Some(at) => Item::Prefix(key.get(..self.query.prefix.len() + at + delimiter.len())?.to_owned()),
            None => Item::Key(key.to_owned()),
        })
    }

    fn is_after(&self, key: &str, item: &Item) -> bool {
        let listed = if self.query.after_item { item.text() } else { key };
        listed > self.query.after.as_str()
    }
}

impl Visitor for Collector<'_> {
    fn enter(&mut self, below: &str) -> bool {
        let Query { prefix, after, .. } = self.query;
        if !below.starts_with(prefix.as_str()) && !prefix.starts_with(below) {
            return false;
        }
        // All keys below are before the marker or after a full page.
        if below < after.as_str() && !after.starts_with(below) {
            return false;
        }
        if self.smallest.len() > self.query.limit && self.smallest.last().is_some_and(|(last, _)| below > last.as_str())
        {
            return false;
        }
        // All keys below are in one prefix, which is already listed.
        match self.item(below) {
            Some(item @ Item::Prefix(_)) => {
                let listed = self.query.after_item && item.text() <= after.as_str();
                !listed && !self.smallest.contains(&(item.text().to_owned(), item))
            }
            _ => true,
        }
    }

    fn object(&mut self, key: String) -> bool {
        if let Some(item) = self.item(&key).filter(|item| self.is_after(&key, item)) {
            self.smallest.insert((item.text().to_owned(), item));
            if self.smallest.len() > self.query.limit + 1 {
                self.smallest.pop_last();
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    fn disk(keys: &BTreeSet<String>) -> (tempfile::TempDir, Tree) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        fs::create_dir_all(root.join("media")).unwrap();
        let tree = Tree::new(root.clone(), false);
        for key in keys {
            let file = folder.path().join("unfinished");
            fs::write(&file, "").unwrap();
            tree.publish(&file, &root.join("media"), key).unwrap();
        }
        (folder, tree)
    }

    fn list(keys: &[&str], query: Query) -> (Vec<String>, bool) {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        let (folder, tree) = disk(&keys);
        let page = page(&tree, &folder.path().join("root/media"), &query).unwrap();
        (page.items.iter().map(|item| item.text().to_owned()).collect(), page.truncated)
    }

    #[test]
    fn the_order_is_that_of_the_keys_bytes_not_of_the_directories() {
        let (items, truncated) =
            list(&["a/b", "a.txt", "a", "a0", "Z", "é", "a//x"], Query { limit: 10, ..Query::default() });
        assert_eq!(items, ["Z", "a", "a.txt", "a//x", "a/b", "a0", "é"]);
        assert!(!truncated);
    }

    #[test]
    fn a_delimiter_groups_the_keys_after_the_prefix() {
        let keys = ["51/raw/a", "51/raw/b", "51/zip/c", "51/note", "52/raw/d"];
        let query = Query { prefix: "51/".into(), delimiter: "/".into(), limit: 10, ..Query::default() };
        assert_eq!(list(&keys, query).0, ["51/note", "51/raw/", "51/zip/"]);
        let query = Query { delimiter: "w/".into(), limit: 10, ..Query::default() };
        assert_eq!(list(&keys, query).0, ["51/note", "51/raw/", "51/zip/c", "52/raw/"]);
    }

    #[test]
    fn empty_directories_are_not_listed() {
        let (folder, tree) = disk(&BTreeSet::new());
        let bucket = folder.path().join("root/media");
        fs::create_dir_all(bucket.join("empty/nested")).unwrap();
        let query = Query { delimiter: "/".into(), limit: 5, ..Query::default() };
        assert_eq!(page(&tree, &bucket, &query).unwrap(), Page::default());
    }

    /// Returns the items that S3 documents, by a simple implementation.
    fn expected(keys: &BTreeSet<String>, prefix: &str, delimiter: &str) -> Vec<String> {
        let mut items: Vec<String> = Vec::new();
        for key in keys.iter().filter(|key| key.starts_with(prefix)) {
            let rest = &key[prefix.len()..];
            let item = match rest.find(delimiter).filter(|_| !delimiter.is_empty()) {
                Some(at) => key[..prefix.len() + at + delimiter.len()].to_owned(),
                None => key.clone(),
            };
            if items.last() != Some(&item) {
                items.push(item);
            }
        }
        items
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn the_pages_contain_every_item_once_in_the_order_of_bytes(
            keys in prop::collection::btree_set("([ab.%é]|/){1,7}", 1..14),
            prefix in "[ab/]{0,2}",
            delimiter in "[/b]{0,1}",
            limit in 1usize..5,
        ) {
            let (folder, tree) = disk(&keys);
            let bucket = folder.path().join("root/media");
            let mut query = Query { prefix, delimiter, limit, after_item: true, ..Query::default() };
            let mut items = Vec::new();
            loop {
                let page = page(&tree, &bucket, &query).unwrap();
                items.extend(page.items.iter().map(|item| item.text().to_owned()));
                match page.next() {
                    Some(next) => query.after = next.to_owned(),
                    None => break,
                }
            }
            prop_assert_eq!(items, expected(&keys, &query.prefix, &query.delimiter));
        }
    }
}
