//! `cabi_realloc`, by which the host asks for memory for what it passes.

use std::alloc::{Layout, alloc, realloc};
use std::sync::atomic::Ordering;

use crate::{REALLOC, imports};

/// Returns memory.
pub const HONEST: u8 = 0;
/// Traps.
pub const TRAPS: u8 = 1;
/// Returns a place beyond the memory.
pub const BEYOND: u8 = 2;
/// Calls the host, which waits for this function.
pub const CALLS_AGAIN: u8 = 3;
/// Never returns.
pub const LOOPS: u8 = 4;

#[unsafe(export_name = "cabi_realloc")]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_size: usize, align: usize, size: usize) -> *mut u8 {
    match REALLOC.load(Ordering::Relaxed) {
        TRAPS => core::arch::wasm32::unreachable(),
        BEYOND => return 0xffff_0000 as *mut u8,
        CALLS_AGAIN => imports::stat_bytes(b"51/raw/photo/vertical/again.jpg"),
        LOOPS => loop_forever(),
        _ => {}
    }
    if size == 0 {
        return align as *mut u8;
    }
    // SAFETY: the host passes what it got from this function.
    unsafe {
        if old_size == 0 {
            alloc(Layout::from_size_align_unchecked(size, align))
        } else {
            realloc(old, Layout::from_size_align_unchecked(old_size, align), size)
        }
    }
}

#[inline(never)]
pub fn loop_forever() {
    let mut number = 1u64;
    while std::hint::black_box(number) != 0 {
        number = number.wrapping_mul(3) | 1;
    }
}
