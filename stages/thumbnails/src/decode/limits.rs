//! How large a source may be.
//!
//! There is one limit of memory: that of the stage's pin. A decoder computes what it needs before it begins, and
//! tries to take that much. If it does not get it, the picture is `TooLarge`; the call does not end in `OutOfMemory`. The
//! setting `maxMemory` can only lower the limit.

use crate::error::PictureError;
use crate::format::Format;
use crate::geometry::Size;

/// What the small renditions and the tables of libraries take beside what is computed, in bytes.
const SPARE: u64 = 8 << 20;

/// How large a source may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most pixels, by the header.
    pub pixels: u64,
    /// The most bytes of memory for decoding, and for writing the largest rendition, as computed from the header.
    /// `u64::MAX` where only the pin limits it.
    pub memory: u64,
    /// The bytes of the source, which are in memory already.
    pub held: u64,
}

impl Limits {
    /// Checks the size in a header.
    pub(super) fn check_size(&self, format: Format, size: Size) -> Result<(), PictureError> {
        let name = format.name();
        if size.pixels() == 0 {
            return Err(PictureError::damaged(name, &format!("its header gives a size of {size} pixels")));
        }
        if size.pixels() > self.pixels {
            return Err(PictureError::TooLarge(format!(
                "is {} of {size} pixels ({:.1} megapixels); at most {:.1} megapixels are accepted (`maxPixels`)",
                format.described(),
                size.pixels() as f64 / 1e6,
                self.pixels as f64 / 1e6
            )));
        }
        Ok(())
    }

    /// Checks the number of bytes that decoding takes at its peak, those of the source included.
    pub(super) fn check_memory(&self, format: Format, size: Size, bytes: u64) -> Result<(), PictureError> {
        self.check(bytes, &format!("is {} of {size} pixels", format.described()), "decode")
    }

    /// Checks the number of bytes that writing the largest rendition takes, which has `size` pixels. The photo and what was
    /// decoded of it are gone by then.
    ///
    /// # Errors
    /// `TooLarge` with need, limit and setting.
    pub fn check_writing(&self, size: Size, bytes: u64) -> Result<(), PictureError> {
        self.check(bytes, &format!("has a rendition of {size} pixels"), "write")
    }

    fn check(&self, bytes: u64, what: &str, step: &str) -> Result<(), PictureError> {
        let more = bytes.saturating_sub(self.held).saturating_add(SPARE);
        let refuse = |limit: u64, setting: &str| {
            let need = bytes.saturating_add(SPARE).div_ceil(1 << 20);
            Err(PictureError::TooLarge(format!(
                "{what}, which takes {need} MiB of memory to {step}; there are {} MiB ({setting})",
                limit >> 20
            )))
        };
        if bytes > self.memory {
            return refuse(self.memory, "`maxMemory`");
        }
        if can_have(more) {
            return Ok(());
        }
        refuse(self.held.saturating_add(most_below(more)), "`limits.memoryMib` of the state's pin")
    }
}

/// Returns whether this much memory can be taken at once. It is freed again; the component's memory does not shrink, so the
/// decoder finds it there.
fn can_have(bytes: u64) -> bool {
    let Ok(bytes) = usize::try_from(bytes) else { return false };
    let mut room = Vec::<u8>::new();
    let had = room.try_reserve_exact(bytes).is_ok();
    // Otherwise the compiler would leave out an allocation that is not used.
    std::hint::black_box(&room);
    had
}

/// Returns the most that can be taken of `refused` bytes, to within a mebibyte.
fn most_below(refused: u64) -> u64 {
    let (mut had, mut refused) = (0, refused);
    while refused - had > 1 << 20 {
        let middle = had + (refused - had) / 2;
        if can_have(middle) { had = middle } else { refused = middle }
    }
    had
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const SIZE: Size = Size { width: 10, height: 10 };

    #[test]
    fn more_than_the_setting_allows_is_refused_with_need_limit_and_setting() {
        let limits = Limits { pixels: 100, memory: 64 << 20, held: 0 };
        assert_eq!(limits.check_memory(Format::Png, SIZE, 64 << 20), Ok(()));
        let refused = limits.check_memory(Format::Png, SIZE, 65 << 20).unwrap_err().to_string();
        assert_eq!(
            refused,
            "is a PNG of 10x10 pixels, which takes 73 MiB of memory to decode; there are 64 MiB (`maxMemory`)"
        );
    }

    /// No process has half of its addresses in one piece.
    #[test]
    fn more_than_can_be_had_is_refused_with_the_pin_s_limit() {
        let limits = Limits { pixels: 100, memory: u64::MAX, held: 5 };
        let refused = limits.check_memory(Format::Png, SIZE, u64::MAX / 2 - (1 << 30)).unwrap_err().to_string();
        assert!(refused.contains("`limits.memoryMib` of the state's pin"), "{refused}");
        assert_eq!(limits.check_memory(Format::Png, SIZE, 1 << 20), Ok(()));
    }
}
