//! The documentation is true: every block of README.md, docs/ and the references is run, or says why it cannot be; every
//! file and heading that a page names exists.

#![allow(clippy::unwrap_used, missing_docs)]

mod blocks;
mod callback;
mod links;
mod pages;
mod reader;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use stagehost_pins::Pin;
use stagehost_tests::file;

use crate::blocks::Note;
use crate::pages::{PAGES, blocks_of};
use crate::reader::Reader;

/// Does what a page says, from its first block to its last.
fn follow(page: &str, reader: &mut Reader) -> Result<()> {
    let mut run = 0;
    for block in blocks_of(page)? {
        if let Note::NotRun(reason) = &block.note {
            println!("not run: {block}: {reason}");
            continue;
        }
        if block.note == Note::Given {
            give(page, reader).with_context(|| block.to_string())?;
        }
        reader.follow(&block).with_context(|| block.to_string())?;
        run += 1;
    }
    println!("{page}: {run} blocks run");
    Ok(())
}

/// What a page speaks of and cannot make by itself.
fn give(page: &str, reader: &Reader) -> Result<()> {
    match page {
        "docs/operate.md" => {
            let photos = reader.path("photos");
            fs::create_dir_all(&photos)?;
            fs::copy(file("samples/listing/kitchen.jpg"), photos.join("kitchen.jpg"))?;
            reader.run_shell(&format!("stagehost run {} --out /tmp/out --record records", photos.display()), 0)
        }
        other => anyhow::bail!("this test has nothing to give to {other}"),
    }
}

/// A built thumbnails stage, as the packaged command uses it.
fn built_thumbnails(reader: &Reader) -> Result<()> {
    // A run builds the stages, if their sources have changed.
    let photos = reader.path("one-photo");
    fs::create_dir_all(&photos)?;
    fs::copy(file("samples/listing/kitchen.jpg"), photos.join("kitchen.jpg"))?;
    let run = format!("stagehost run {} --out {}", photos.display(), reader.path("one-photo-out").display());
    reader.run_shell(&run, 0)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| file("target"), Into::into);
    let built = file("").join(target).join("wasm32-wasip2/release/stage_thumbnails.wasm");
    fs::copy(&built, reader.checkout().join("my_thumbnails.wasm")).with_context(|| built.display().to_string())?;
    Ok(())
}

#[test]
fn the_readme_does_what_it_says() -> Result<()> {
    follow("README.md", &mut Reader::new()?)
}

#[test]
fn pipelines_run_and_a_backend_is_developed_as_the_guide_says() -> Result<()> {
    follow("docs/run-pipelines.md", &mut Reader::new()?)
}

#[test]
fn a_stage_is_written_and_gets_a_state_of_its_own_as_the_guide_says() -> Result<()> {
    let mut reader = Reader::new()?;
    follow("docs/write-stages.md", &mut reader)?;
    // The last build runs in the state of its own, with its settings; the first one ran in place of the thumbnails.
    let note = fs::read_dir(reader.path("sidecar/out/toq-listing-medias/1/thumb/photo/horizontal"))?
        .flatten()
        .map(|date| fs::read_to_string(date.path().join("kitchen_note.txt")))
        .next()
        .context("there is no note")??;
    assert!(note.ends_with("bytes are zero, noted by Ada\n"), "{note}");
    Ok(())
}

#[test]
fn stages_are_published_pinned_tried_and_taken_back_as_the_guide_says() -> Result<()> {
    let mut reader = Reader::new()?;
    built_thumbnails(&reader)?;
    follow("docs/operate.md", &mut reader)
}

#[test]
fn the_references_do_what_they_say() -> Result<()> {
    for page in &PAGES[4..] {
        follow(page, &mut Reader::new()?)?;
    }
    Ok(())
}

#[test]
fn every_page_of_docs_is_tested() -> Result<()> {
    for entry in fs::read_dir(file("docs"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let page = format!("docs/{name}");
        assert!(!name.ends_with(".md") || PAGES.contains(&page.as_str()), "{page} is not in PAGES of this test");
    }
    Ok(())
}

#[test]
fn a_block_that_is_not_run_gives_a_reason() -> Result<()> {
    for page in PAGES {
        for block in blocks_of(page)? {
            if let Note::NotRun(reason) = &block.note {
                println!("not run: {block}: {reason}");
                assert!(reason.split(' ').count() > 3, "{block}: {reason:?} is no reason");
            }
        }
    }
    Ok(())
}

#[test]
fn the_pin_in_the_reference_is_one_that_hosts_read() -> Result<()> {
    let pins = blocks_of("host/pins/README.md")?;
    let pin = pins.iter().find(|block| block.language == "json").context("there is no pin")?;
    let _: Pin = serde_json::from_str(&pin.text)?;
    Ok(())
}

#[test]
fn the_batch_in_the_guide_is_one_that_the_host_reads() -> Result<()> {
    let pages = blocks_of("docs/run-pipelines.md")?;
    let batch = pages.iter().find(|block| block.file() == Some("batch.json")).context("there is no batch.json")?;
    let parsed = stagehost_batch::parse(&serde_json::from_str(&batch.text)?)?;
    ensure!(parsed.assets.iter().all(|asset| asset.problem.is_none()), "{:?}", parsed.assets);
    Ok(())
}

#[test]
fn every_file_and_heading_that_a_page_names_exists() -> Result<()> {
    let mut missing = Vec::new();
    let further = [
        "ARCHITECTURE.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "tests/README.md",
        "tests/bench/README.md",
        "tests/conformance/README.md",
        "tests/fuzz/README.md",
        "tests/scenarios/README.md",
    ];
    for page in PAGES.iter().chain(&further) {
        let text = fs::read_to_string(file(page))?;
        missing.extend(links::missing(Path::new(page), &text));
    }
    ensure!(missing.is_empty(), "{}", missing.join("\n"));
    Ok(())
}
