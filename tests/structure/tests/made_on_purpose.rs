//! Small crates with and without circles of imports.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;

use stagehost_structure::{Circle, Graph, Tree, circles, exported, graph};

/// Writes the files of a crate, whose root is `lib.rs`, and reads them.
fn read(folder: &Path, files: &[(&str, &str)]) -> Tree {
    for (name, text) in files {
        let file = folder.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    Tree::read(&folder.join("lib.rs")).unwrap()
}

fn found(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let graph = graph(&read(folder.path(), files));
    circles(&graph).iter().map(|circle| circle.describe(&graph, folder.path())).collect()
}

#[test]
fn two_files_that_import_each_other_are_a_circle() {
    let said = found(&[
        ("lib.rs", "mod a;\nmod b;"),
        ("a.rs", "\nuse crate::b::B;\npub struct A;"),
        ("b.rs", "pub struct B;\nfn f(_: super::a::A) {}"),
    ]);
    assert_eq!(said, ["2 files in a circle: a.rs, b.rs\n    a.rs:2 -> b.rs (B); b.rs:2 -> a.rs (A)"]);
}

#[test]
fn a_circle_around_three_corners_is_spelled_out_file_by_file() {
    let said = found(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use super::b::{B, make}; pub struct A;"),
        ("b/mod.rs", "use crate::c as other; pub struct B; pub fn make(_: other::C) {}"),
        ("c.rs", "pub struct C; impl C { fn f() -> crate::a::A { todo!() } }"),
        ("d.rs", "use crate::a::A;"),
    ]);
    let expected = "3 files in a circle: a.rs, b/mod.rs, c.rs\n    \
                    a.rs:1 -> b/mod.rs (B, make); b/mod.rs:1 -> c.rs (C); c.rs:1 -> a.rs (A)";
    assert_eq!(said, [expected]);
}

#[test]
fn a_child_that_uses_an_item_of_a_parent_that_uses_the_child_is_in_a_circle() {
    let parent = "mod child; pub use child::Y; pub struct Thing;";
    for child in
        ["use super::Thing; pub struct Y;", "use super::*; pub struct Y(Thing);", "pub struct Y(crate::Thing);"]
    {
        let said = found(&[("lib.rs", parent), ("child.rs", child)]);
        assert_eq!(said.len(), 1, "{child}: {said:?}");
        assert!(said[0].contains("child.rs:1 -> lib.rs (Thing); lib.rs:1 -> child.rs (Y)"), "{said:?}");
    }
    // The declaration alone is no use of the child.
    assert_eq!(found(&[("lib.rs", "mod child; pub struct Thing;"), ("child.rs", "use super::Thing;")]), [""; 0]);
}

#[test]
fn an_item_that_a_parent_re_exports_is_imported_from_the_file_that_defines_it() {
    let files = [
        ("lib.rs", "mod a; mod b; pub use a::A; pub use b::B;"),
        ("a.rs", "pub struct A;"),
        ("b.rs", "use crate::A; pub struct B(A);"),
    ];
    assert_eq!(found(&files), [""; 0]);
    let folder = tempfile::tempdir().unwrap();
    let graph: Graph = graph(&read(folder.path(), &files));
    let imports: Vec<_> = graph[&folder.path().join("b.rs")].keys().cloned().collect();
    assert_eq!(imports, [folder.path().join("a.rs")]);
}

#[test]
fn a_name_that_only_a_macro_can_define_counts_for_the_file_of_the_macro() {
    let stage = "generate!({ world: \"x\" }); mod run; fn process() { run::run() }";
    let said = found(&[("lib.rs", stage), ("run.rs", "use crate::toq::types::Asset; pub fn run() {}")]);
    assert!(said.len() == 1 && said[0].contains("run.rs:1 -> lib.rs (toq)"), "{said:?}");
    let mended = found(&[
        ("lib.rs", "mod bindings; mod run; fn process() { run::run() }"),
        ("bindings.rs", "generate!({ world: \"x\" });"),
        ("run.rs", "use crate::bindings::toq::types::Asset; pub fn run() {}"),
    ]);
    assert_eq!(mended, [""; 0]);
}

#[test]
fn imports_of_tests_comments_and_strings_do_not_count() {
    let said = found(&[
        ("lib.rs", "mod a;\nmod b;\n#[cfg(test)]\nmod tests;\n#[cfg(test)] mod missing_is_fine;"),
        ("tests.rs", "use crate::a::A; pub struct T;"),
        ("a.rs", "use crate::b::B; pub struct A; #[cfg(test)] mod tests { use crate::tests::T; }"),
        (
            "b.rs",
            "//! use crate::a::A;\npub struct B;\nconst S: &str = \"crate::a::A\"; /* crate::a::A */\n\
             #[cfg(test)] use crate::a::A;\n#[cfg(test)]\nmod tests { use super::B; use crate::a::A; }",
        ),
    ]);
    assert_eq!(said, [""; 0]);
}

#[test]
fn every_import_between_the_files_of_a_circle_is_in_one_of_its_rounds() {
    let folder = tempfile::tempdir().unwrap();
    let tree = read(
        folder.path(),
        &[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b::B; use crate::c::C; pub struct A;"),
            ("b.rs", "use crate::a::A; pub struct B;"),
            ("c.rs", "use crate::b::B; pub struct C;"),
        ],
    );
    let graph = graph(&tree);
    let [Circle { files, rounds }] = &circles(&graph)[..] else { panic!("{graph:?}") };
    assert_eq!(files.len(), 3);
    let used: BTreeSet<_> = rounds
        .iter()
        .flat_map(|round| round.iter().zip(round.iter().cycle().skip(1)).map(|(from, to)| (from.clone(), to.clone())))
        .collect();
    let all = graph.iter().flat_map(|(from, to)| to.keys().map(|to| (from.clone(), to.clone())));
    assert_eq!(used, all.collect());
}

#[test]
fn exported_types_are_those_that_another_crate_can_name() {
    let folder = tempfile::tempdir().unwrap();
    let tree = read(
        folder.path(),
        &[
            ("lib.rs", "mod a; pub mod b; pub use a::A; pub struct Root; struct Private; pub fn function() {}"),
            ("a.rs", "pub struct A; pub struct NotExported;"),
            ("b.rs", "pub trait B {} pub(crate) enum Inner {} mod c; pub use c::*;"),
            ("b/c.rs", "pub enum C {}"),
        ],
    );
    assert_eq!(exported(&tree).keys().collect::<Vec<_>>(), ["A", "B", "C", "Root"]);
}
