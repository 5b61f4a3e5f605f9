//! Handles that are kept, each of which stands for something on the host.

use crate::exports::toq::media::asset_stage::{Asset, Failure};
use crate::toq::media::keys;
use crate::toq::media::object_writer::Writer;
use crate::toq::media::objects::Object;

/// More handles than any honest stage needs.
const MANY: usize = 2_000_000;
/// An hour in nanoseconds.
const HOUR: u64 = 3_600_000_000_000;

/// Keeps what `make` returns, without dropping any handle at the end.
fn keep<T>(make: impl Fn() -> T) {
    for _ in 0..MANY {
        std::mem::forget(make());
    }
}

pub fn keep_timers() {
    keep(|| wasip2::clocks::monotonic_clock::subscribe_duration(HOUR));
}

pub fn keep_streams() {
    keep(wasip2::cli::stdout::get_stdout);
}

pub fn keep_networks() {
    keep(wasip2::sockets::instance_network::instance_network);
}

/// Waits for a timer that is named so many times in one list.
pub fn poll_one_timer_many_times(times: usize) {
    let timer = wasip2::clocks::monotonic_clock::subscribe_duration(HOUR);
    wasip2::io::poll::poll(&vec![&timer; times]);
}

/// Opens the file 400 times and reads two adjacent pieces from each, which starts the read-ahead.
pub fn keep_readers(asset: &Asset) -> Result<(), Failure> {
    let mut open = Vec::new();
    for _ in 0..400 {
        let object = Object::open(&asset.key, None)?;
        object.read(0, 1000)?;
        object.read(1000, 1000)?;
        open.push(object);
    }
    Ok(())
}

pub fn keep_writers(asset: &Asset) -> Result<(), Failure> {
    let mut writers = Vec::new();
    for number in 0..1000 {
        let key = keys::derive(&asset.key, keys::Area::Thumb, &format!("hoard{number}"), "jpg")?;
        writers.push(Writer::create(&key, "image/jpeg", None)?);
    }
    Ok(())
}

/// Leaves sixteen begun objects behind and answers as if all were well.
pub fn abandon_writers(asset: &Asset) -> Result<(), Failure> {
    for number in 0..16 {
        let key = keys::derive(&asset.key, keys::Area::Thumb, &format!("abandoned{number}"), "jpg")?;
        let writer = Writer::create(&key, "image/jpeg", None)?;
        writer.append(&[0; 1000])?;
        std::mem::forget(writer);
    }
    Ok(())
}
