//! Never ends its start: a constructor of the module loops, before the host has called anything.
#![cfg(target_arch = "wasm32")]

wit_bindgen::generate!({ world: "thumbnails", path: "../../../wit" });

use exports::toq::media::asset_stage::{Asset, Context, Failure, Guest};

struct SlowStart;
export!(SlowStart);

#[used]
#[unsafe(link_section = ".init_array")]
static START: extern "C" fn() = start;

extern "C" fn start() {
    let mut number = 1u64;
    while std::hint::black_box(number) != 0 {
        number = number.wrapping_mul(3) | 1;
    }
}

impl Guest for SlowStart {
    fn process(_: Context, asset: Asset) -> Result<Asset, Failure> {
        Ok(asset)
    }
}
