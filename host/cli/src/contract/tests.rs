#![allow(clippy::unwrap_used)]
use stagehost_runtime::Finding;
use wit_parser::{Resolve, SourceMap};

use super::comparison::compare;
use super::published_wit::{FILES, contract};

/// Compares a component of the world `custom` that was built for the contract with one change in its text.
fn built_with(from: &str, to: &str) -> Vec<Finding> {
    let mut sources = SourceMap::default();
    let changed = FILES.iter().filter(|(_, text)| text.contains(from)).count();
    assert_eq!(changed, 1, "{from:?} is in one file");
    for (name, text) in FILES {
        sources.push_str(name, text.replacen(from, to, 1));
    }
    let mut resolve = Resolve::default();
    let package = resolve.push_group(sources.parse().map_err(|(_, error)| error).unwrap()).unwrap();
    let world = resolve.packages[package].worlds["custom"];
    let (ours, package) = contract().unwrap();
    compare(&ours, package, &resolve, world)
}

fn told(from: &str, to: &str) -> Vec<String> {
    built_with(from, to).iter().map(|finding| format!("{}: {}", finding.item, finding.problem)).collect()
}

#[test]
fn the_contract_fits_itself() {
    assert!(
        built_with("bytes: u64,\n    /// The object's entity tag", "bytes: u64,\n    /// Its entity tag").is_empty()
    );
}

#[test]
fn a_missing_field_is_told_once_and_at_its_record_although_others_contain_it() {
    let pixels = "    pixels: option<pixel-size>,\n    /// Length in bytes.\n    bytes: u64,\n    /// The object's entity tag without quotes.\n    etag: string,\n    /// CRC-32";
    let without = pixels.replace("pixels: option<pixel-size>,", "");
    assert_eq!(told(pixels, &without), ["types.rendition: yours lacks the field `pixels: option<pixel-size>`"]);
}

#[test]
fn a_field_that_the_contract_does_not_have_is_told() {
    assert_eq!(
        told("    attempt: u32,", "    attempt: u32,\n    deadline: u64,"),
        ["types.context: yours has the field `deadline: u64`, which the contract does not have"]
    );
}

#[test]
fn a_renamed_field_is_one_finding() {
    assert_eq!(
        told("    started-at: string,", "    began-at: string,"),
        [
            "types.context: yours lacks the field `started-at: string`; yours has the field `began-at: string`, which the \
          contract does not have"
        ]
    );
}

#[test]
fn fields_in_another_order_are_told() {
    let told = told(
        "    name: string,\n    /// The object's key in the media bucket.\n    key: string,\n    /// MIME type.",
        "    key: string,\n    /// The object's key in the media bucket.\n    name: string,\n    /// MIME type.",
    );
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("types.rendition: yours has its fields in the order `key`, `name`, "), "{told:?}");
}

#[test]
fn a_field_of_another_type_is_told_with_both_types() {
    assert_eq!(
        told("    attempt: u32,", "    attempt: u64,"),
        ["types.context, field `attempt`: yours is `u64`, the contract's `u32`"]
    );
}

#[test]
fn a_case_that_is_not_there_is_told() {
    assert_eq!(
        told("    mismatch(string),", "    different(string),"),
        ["types.failure: yours lacks the case `mismatch: string`; yours has the case `different: string`, which the \
          contract does not have"]
    );
}

#[test]
fn a_function_that_the_contract_does_not_have_is_told() {
    assert_eq!(
        told(
            "  report: func(done: u64, total: u64);",
            "  report: func(done: u64, total: u64);\n  log: func(text: string);"
        ),
        ["import progress.log: the contract 1.0.0 has no such function"]
    );
}

#[test]
fn a_function_with_other_parameters_or_another_result_is_told() {
    assert_eq!(
        told("report: func(done: u64, total: u64)", "report: func(done: u64)"),
        ["progress.report: yours takes 1 parameters, the contract's 2"]
    );
    assert_eq!(
        told("report: func(done: u64, total: u64)", "report: func(done: u64, all: u64)"),
        ["progress.report: yours has the parameter `all`, the contract `total`"]
    );
    assert_eq!(
        told("report: func(done: u64, total: u64)", "report: func(done: u64, total: u64) -> bool"),
        ["progress.report: yours returns bool, the contract's nothing"]
    );
}

#[test]
fn a_changed_export_is_told() {
    assert_eq!(
        told("process: func(ctx: context, asset: asset)", "process: func(asset: asset, ctx: context)")[0],
        "asset-stage.process: yours has the parameter `asset`, the contract `ctx`"
    );
    let missing = "process: func(ctx: context, asset: asset)";
    assert!(
        told(missing, "handle: func(ctx: context, asset: asset)")
            .contains(&"export asset-stage.process: missing".to_owned())
    );
}

#[test]
fn bytes_that_are_not_a_component_say_what_they_are() {
    let said = super::fit(b"\0asm\x01\0\0\0", None).unwrap_err();
    assert!(said.starts_with("a core WebAssembly module, not a component"), "{said}");
    for (bytes, said) in [
        (&b"hello"[..], "not a WebAssembly component: it does not begin as WebAssembly does"),
        (b"", "not a WebAssembly component: the file is empty"),
    ] {
        assert_eq!(super::fit(bytes, None).unwrap_err(), said);
    }
}
