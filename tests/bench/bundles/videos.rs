//! Videos of a given size, made from one of the sample listing: a `free` box of noise at the end, which every reader of MP4 skips
//! (ISO/IEC 14496-12, 8.1.2). Noise, because zeros would be deflated to nothing.

use anyhow::{Context, Result, ensure};
use stagehost_tests::file;

/// Returns a video of exactly so many bytes. Each number makes another one, always the same.
pub fn make(number: u64, bytes: usize) -> Result<Vec<u8>> {
    let mut video = std::fs::read(file("samples/listing/staircase.mp4"))?;
    let room = bytes.checked_sub(video.len()).context("the video is larger than that")?;
    ensure!(room >= 8, "a box has at least 8 bytes");
    video.extend(u32::try_from(room)?.to_be_bytes());
    video.extend(b"free");
    let mut noise = 0x5eed ^ (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    while video.len() < bytes {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        let left = (bytes - video.len()).min(8);
        video.extend(&noise.to_le_bytes()[..left]);
    }
    Ok(video)
}
