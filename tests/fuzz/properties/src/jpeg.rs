//! The JPEG decoder, compared with the library on pictures that are written from the bytes.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use stage_thumbnails::decode::{Decoded, Limits, WantedScale, decode, interleaved};
use stage_thumbnails::error::PictureError;
use stage_thumbnails::format::Format;
use stage_thumbnails::geometry::Size;

const LIMITS: Limits = Limits { pixels: 1 << 20, memory: 32 << 20, held: 0 };

/// Below this quality, the library is not right about every sample.
const COARSE: u8 = 25;

/// How a picture is written.
struct Recipe {
    width: u16,
    height: u16,
    gray: bool,
    progressive: bool,
    sampling: SamplingFactor,
    restart: u16,
    quality: u8,
}

/// Any picture is decoded as the library decodes it, at its full size, and has the right size at every other. A file that
/// ends early is refused, also if an end mark was put behind the rest.
pub fn check(bytes: &[u8]) {
    let Some(([width, height, kind, restart, quality, cut, cut_fraction], pixels)) = bytes.split_first_chunk::<7>()
    else {
        return;
    };
    let recipe = Recipe {
        width: 1 + u16::from(width % 61),
        height: 1 + u16::from(height % 61),
        gray: kind & 1 == 1,
        progressive: kind & 2 == 2,
        sampling: match kind >> 2 & 3 {
            0 => SamplingFactor::F_1_1,
            1 => SamplingFactor::F_2_1,
            2 => SamplingFactor::F_1_2,
            _ => SamplingFactor::F_2_2,
        },
        restart: u16::from(restart % 9),
        quality: 1 + quality % 100,
    };
    let samples = recipe.samples(pixels);
    let file = recipe.written(&samples);
    recipe.sizes_are_right(&file);
    if recipe.gray || matches!(recipe.sampling, SamplingFactor::F_1_1) {
        same_as_the_library(&file, recipe.quality);
    }
    a_cut_picture_is_refused(&file, usize::from(*cut) << 8 | usize::from(*cut_fraction));
}

impl Recipe {
    fn channels(&self) -> usize {
        if self.gray { 1 } else { 3 }
    }

    /// Returns as many samples as the picture needs: the bytes, repeated.
    fn samples(&self, pixels: &[u8]) -> Vec<u8> {
        let count = usize::from(self.width) * usize::from(self.height) * self.channels();
        if pixels.is_empty() { vec![128; count] } else { pixels.iter().copied().cycle().take(count).collect() }
    }

    fn written(&self, samples: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, self.quality);
        encoder.set_progressive(self.progressive);
        encoder.set_sampling_factor(self.sampling);
        if self.restart > 0 {
            encoder.set_restart_interval(self.restart);
        }
        let colour = if self.gray { ColorType::Luma } else { ColorType::Rgb };
        if let Err(error) = encoder.encode(samples, self.width, self.height, colour) {
            panic!("the picture was not written: {error}");
        }
        file
    }

    fn sizes_are_right(&self, file: &[u8]) {
        let full = Size::new(self.width.into(), self.height.into());
        for eighths in [1, 2, 4, 8] {
            let side = |side: u32| (side * eighths / 8).max(1);
            let wanted = Size::new(side(full.width), side(full.height));
            match decoded(file, &|_| wanted) {
                Ok(decoded) => {
                    assert_eq!(decoded.full, full);
                    let size = decoded.pixels.size();
                    assert!(size.covers(wanted), "{size} for {wanted}");
                    assert!(full.covers(size));
                    match interleaved(decoded.pixels) {
                        Ok((raster, extent)) => {
                            assert_eq!(raster.size(), size);
                            assert!(extent.0 <= size.width.into() && extent.1 <= size.height.into());
                        }
                        Err(error) => panic!("planes of {size} are not put together: {error}"),
                    }
                }
                Err(error) => panic!("a picture of {full} pixels is refused for {wanted}: {error}"),
            }
        }
    }
}

fn decoded(file: &[u8], wanted: &dyn Fn(Size) -> Size) -> Result<Decoded, PictureError> {
    let wanted = |size| WantedScale { size: wanted(size), halved_chroma: false };
    decode(Format::Jpeg, file.to_vec(), LIMITS, &wanted)
}

fn same_as_the_library(file: &[u8], quality: u8) {
    let ours = match decoded(file, &|size| size).and_then(|decoded| interleaved(decoded.pixels)) {
        Ok((raster, _)) => raster.into_samples(),
        Err(error) => panic!("refused: {error}"),
    };
    let theirs = match jpeg_decoder::Decoder::new(file).decode() {
        Ok(samples) => samples,
        Err(error) => panic!("the library refuses it: {error}"),
    };
    assert_eq!(ours.len(), theirs.len());
    let far = ours.iter().zip(&theirs).enumerate().filter(|(_, (one, other))| one.abs_diff(**other) > 4);
    let far: Vec<_> = far.collect();
    // With coarse tables, sums in the library's transform do not fit its 16 bits: some samples are far off, where libjpeg-turbo agrees
    // with this project (`gray-at-quality-1` in the corpus).
    let off = if quality < COARSE { ours.len() / 64 } else { 0 };
    if let Some((at, (one, other))) = far.get(off) {
        panic!("{} samples differ; sample {at} is {one} here and {other} in the library", far.len());
    }
}

fn a_cut_picture_is_refused(file: &[u8], place: usize) {
    let Some(start) = last_scan(file) else { panic!("no scan was written") };
    // The two bytes of the end mark may be missing.
    let end = file.len() - 2;
    if end <= start {
        return;
    }
    let cut = file.get(..start + place % (end - start)).unwrap_or_default();
    for (what, file) in [("", cut.to_vec()), (" and ended by a mark", [cut, b"\xff\xd9"].concat())] {
        match decoded(&file, &|size| size) {
            Ok(_) => panic!("cut to {} of {end} bytes{what}, it is decoded all the same", cut.len()),
            Err(PictureError::Corrupt(_)) => {}
            Err(other) => panic!("cut{what}, it is refused for another reason: {other}"),
        }
    }
}

/// Returns the offset after the header of the last scan.
fn last_scan(file: &[u8]) -> Option<usize> {
    let header = file.windows(2).rposition(|pair| pair == b"\xff\xda")?;
    let length = file.get(header + 2..header + 4)?;
    Some(header + 2 + usize::from(u16::from_be_bytes([length[0], length[1]])))
}
