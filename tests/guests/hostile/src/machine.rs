//! Time, memory, the stack and the standard streams.

use std::io::Write as _;

use crate::exports::toq::media::asset_stage::Failure;
use crate::toq::media::progress;

/// The size of a page of linear memory in bytes.
const PAGE: usize = 64 << 10;

#[inline(never)]
pub fn loop_forever() {
    let mut number = 1u64;
    while std::hint::black_box(number) != 0 {
        number = number.wrapping_mul(3) | 1;
    }
}

/// Allocates and writes until the allocator gives up, which aborts.
pub fn take_all_memory() {
    let mut all = Vec::new();
    loop {
        all.push(std::hint::black_box(vec![1u8; 1 << 20]));
    }
}

/// Takes and writes memory until that is refused, and returns how much it got. Unlike the allocation of a `Vec` that
/// aborts, the refusal does not trap.
pub fn grow_to_the_limit() -> Failure {
    let mut all: Vec<Vec<u8>> = Vec::with_capacity(1 << 16);
    loop {
        let mut block = Vec::new();
        if block.try_reserve_exact(PAGE).is_err() {
            break;
        }
        block.resize(PAGE, 1);
        all.push(block);
    }
    let mib = (all.len() * PAGE) >> 20;
    // The message takes memory, too.
    drop(all);
    Failure::Internal(format!("got {mib} MiB and not more"))
}

#[inline(never)]
#[allow(unconditional_recursion)]
pub fn overflow(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    overflow(depth + 1) + frame[depth as usize % 64]
}

pub fn flood() {
    for line in 0..10_000 {
        eprintln!("line {line} of a flood");
    }
}

/// Writes so many bytes to standard error and standard output, in pieces of 1 MiB without a line's end.
pub fn write_to_the_log(bytes: usize) {
    let piece = vec![b'x'; 1 << 20];
    for _ in 0..bytes / piece.len() / 2 {
        let _ = std::io::stderr().write_all(&piece);
        let _ = std::io::stdout().write_all(&piece);
    }
}

/// Writes so many bytes with one call of WASI, past what the stream says that it takes.
pub fn write_one_line(bytes: usize) {
    let line = vec![b'x'; bytes];
    let _ = wasip2::cli::stderr::get_stderr().write(&line);
}

pub fn report_progress(reports: u64) {
    for done in 0..reports {
        progress::report(done, u64::MAX);
    }
}

/// Asks for 64 MiB of random bytes again and again. They are made on the host before they are copied.
pub fn take_random_bytes() {
    loop {
        std::hint::black_box(wasip2::random::random::get_random_bytes(64 << 20));
    }
}
