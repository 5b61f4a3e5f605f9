//! `docs/contract.md` is what the WIT files say. After a change of the contract it is written anew:
//!
//! ```sh
//! STAGEHOST_WRITE_REFERENCE=1 cargo test --release -p stagehost-tests --test contract_reference
//! ```
#![allow(clippy::unwrap_used)]

mod page;
mod type_text;

use std::path::Path;

use stagehost_tests::file;
use wit_parser::Resolve;

const PAGE: &str = "docs/contract.md";

fn reference(wit: &Path) -> String {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit).unwrap();
    page::page(&resolve, package)
}

#[test]
fn the_reference_is_what_the_wit_files_say() {
    let generated = reference(&file("wit"));
    if std::env::var_os("STAGEHOST_WRITE_REFERENCE").is_some() {
        std::fs::write(file(PAGE), &generated).unwrap();
    }
    let written = std::fs::read_to_string(file(PAGE)).unwrap_or_default();
    let same = written.lines().zip(generated.lines()).take_while(|(old, new)| old == new).count();
    assert!(
        written == generated,
        "{PAGE} is not what wit/ says from line {} on, which must be {:?}; write it anew with STAGEHOST_WRITE_REFERENCE=1",
        same + 1,
        generated.lines().nth(same).unwrap_or_default()
    );
}

#[test]
fn every_item_of_the_contract_says_what_it_means() {
    let generated = reference(&file("wit"));
    let silent: Vec<_> = generated.lines().filter(|line| line.contains(page::NOTHING_SAID)).collect();
    assert!(silent.is_empty(), "without a comment in wit/: {silent:#?}");
}
