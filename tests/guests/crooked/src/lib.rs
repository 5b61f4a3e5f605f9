//! Breaks the rules of the canonical ABI as the file's name asks, up to its first dot. The export is written by hand: it
//! returns texts that are no UTF-8, cases that do not exist and lists beyond its memory, as no generated code would.
#![cfg(target_arch = "wasm32")]

// For the component's type only. `export!` is not called.
wit_bindgen::generate!({ world: "thumbnails", path: "../../../wit" });

mod answer;
mod imports;
mod memory;

use std::sync::atomic::{AtomicU8, Ordering};

use answer::Answer;

/// What the next call of `cabi_realloc` does, one of [`memory`]'s constants.
static REALLOC: AtomicU8 = AtomicU8::new(memory::HONEST);
/// What `cabi_post_…#process` does.
static AFTERWARDS: AtomicU8 = AtomicU8::new(NOTHING);
const NOTHING: u8 = 0;
const TRAP: u8 = 1;
const LOOP: u8 = 2;

/// Implements `process: func(ctx: context, asset: asset) -> result<asset, failure>`.
///
/// # Safety
/// The host passes a pointer to the arguments.
#[unsafe(export_name = "toq:media/asset-stage@1.0.0#process")]
unsafe extern "C" fn process(arguments: *const u8) -> usize {
    // SAFETY: the host has put the arguments there.
    let key = unsafe { answer::key_of(arguments) };
    let name = key.rsplit('/').next().unwrap_or_default();
    let mut answer = Answer::of(key);
    match name.split('.').next().unwrap_or_default() {
        "text" => answer.set_title(b"\xff\xfe\xfd"),
        "surrogate" => answer.set_title(b"\xed\xa0\x80"),
        "beyond" => answer.set_title_at(0xffff_fff0, 1000),
        "endless" => answer.set_title_at(1024, u32::MAX),
        "type" => answer.set_media_type(77),
        "option" => answer.set_title_case(9),
        "result" => answer.set_result(3),
        "failure" => answer.set_failure(200),
        "unaligned" => answer.set_renditions_at(1025, 1),
        "outside" => answer.set_renditions_at(0xffff_ff00, 1000),
        "count" => answer.set_renditions_at(1024, u32::MAX),
        "million" => answer.repeat_empty_rendition(1_000_000),
        "attributes" => answer.repeat_empty_attribute(1_000_000),
        "short" => answer.repeat_short_rendition(25_000),
        "echo" => answer.repeat_long_rendition(1000, 1 << 20),
        "nowhere" => return 0xffff_fff0,
        "crooked" => return answer.pointer() + 1,
        "post-trap" => AFTERWARDS.store(TRAP, Ordering::Relaxed),
        "post-loop" => AFTERWARDS.store(LOOP, Ordering::Relaxed),
        "realloc-trap" => imports::stat_with_realloc(key, memory::TRAPS),
        "realloc-beyond" => imports::stat_with_realloc(key, memory::BEYOND),
        "realloc-again" => imports::stat_with_realloc(key, memory::CALLS_AGAIN),
        "realloc-loop" => imports::stat_with_realloc(key, memory::LOOPS),
        "import-beyond" => imports::stat_at(0xffff_ff00, 1000),
        "import-endless" => imports::stat_at(0, u32::MAX),
        "import-text" => imports::stat_bytes(b"51/raw/\xff\xfe"),
        "import-type" => imports::derive_into_area(key, 99),
        "handle" => imports::read_handle(4242),
        "twice" => imports::drop_handle_twice(key),
        "stranger" => imports::append_to_reader(key),
        _ => {}
    }
    answer.pointer()
}

/// Called by the host when it has read the answer.
#[unsafe(export_name = "cabi_post_toq:media/asset-stage@1.0.0#process")]
extern "C" fn afterwards(_: usize) {
    match AFTERWARDS.load(Ordering::Relaxed) {
        TRAP => core::arch::wasm32::unreachable(),
        LOOP => memory::loop_forever(),
        _ => {}
    }
}
