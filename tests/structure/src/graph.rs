//! Which file of a crate imports what of which other.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::resolve::Target;
use crate::tree::Tree;

/// What one file takes from another: names, and the line on which each stands first.
pub type Import = BTreeMap<String, usize>;

/// The imports of each file, by the file that they come from.
pub type Graph = BTreeMap<PathBuf, BTreeMap<PathBuf, Import>>;

/// Collects the imports of a crate's files.
pub fn graph(tree: &Tree) -> Graph {
    let mut graph = Graph::new();
    for (at, module) in tree.modules.iter().enumerate() {
        let mut add = |target: Target, line: usize| {
            let (Target::Item(from, name) | Target::Generated(from, name)) = target else { return };
            let from = &tree.modules[from].file;
            if *from != module.file {
                let imports = graph.entry(module.file.clone()).or_default().entry(from.clone()).or_default();
                let first = imports.entry(name).or_insert(line);
                *first = line.min(*first);
            }
        };
        for import in &module.content.uses {
            let target = tree.resolve_import(at, &import.path, import.name.as_deref());
            match (&import.name, &target) {
                (Some(_), _) => add(target, import.line),
                (None, Target::Module(all)) => {
                    // Of `*`, what the module's words name.
                    for (word, line) in &module.content.words {
                        if tree.has(*all, word) {
                            add(tree.resolve(*all, &["self".to_owned(), word.clone()]), *line);
                        }
                    }
                }
                (None, _) => {}
            }
        }
        for (path, line) in &module.content.paths {
            add(tree.resolve(at, path), *line);
        }
    }
    graph
}

impl Tree {
    fn has(&self, module: usize, name: &str) -> bool {
        let content = &self.modules[module].content;
        content.items.contains_key(name) || content.uses.iter().any(|import| import.name.as_deref() == Some(name))
    }
}

/// A path without the folder that it is in.
pub(crate) fn within<'a>(folder: &Path, file: &'a Path) -> std::path::Display<'a> {
    file.strip_prefix(folder).unwrap_or(file).display()
}
