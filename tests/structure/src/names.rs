//! The types that a crate exports.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::items::Sort;
use crate::resolve::Target;
use crate::tree::Tree;

/// Where an exported type is defined.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exported {
    /// The file.
    pub file: PathBuf,
    /// The line of its definition.
    pub line: usize,
}

/// Returns the structs, enums and traits that other crates can name, by name.
pub fn exported(tree: &Tree) -> BTreeMap<String, Vec<Exported>> {
    let mut found = BTreeMap::new();
    let mut next = vec![0];
    let mut seen = Vec::new();
    while let Some(at) = next.pop() {
        if seen.contains(&at) {
            continue;
        }
        seen.push(at);
        let module = &tree.modules[at];
        next.extend(module.children.values().filter(|child| tree.modules[**child].public));
        for name in module.content.items.keys() {
            add(tree, at, name, &mut found);
        }
        for import in module.content.uses.iter().filter(|import| import.public) {
            match tree.resolve_import(at, &import.path, import.name.as_deref()) {
                Target::Module(all) => next.push(all),
                Target::Item(from, name) => add(tree, from, &name, &mut found),
                Target::Generated(..) | Target::Outside => {}
            }
        }
    }
    found
}

fn add(tree: &Tree, module: usize, name: &str, found: &mut BTreeMap<String, Vec<Exported>>) {
    let module = &tree.modules[module];
    let Some(item) = module.content.items.get(name) else { return };
    let exported = Exported { file: module.file.clone(), line: item.line };
    let places = found.entry(name.to_owned()).or_default();
    if item.public && item.sort == Sort::Type && !places.contains(&exported) {
        places.push(exported);
    }
    if places.is_empty() {
        found.remove(name);
    }
}
