//! Black-point compensation: the darkest colour that inks can print becomes black, and not the dark gray that it is on paper.
//!
//! Inks on paper reflect some light even where all of them are printed. A profile says how much, and a screen that shows it
//! as it is looks washed out. So the light is stretched, as other programs for pictures do (Adobe Systems'
//! *Implementation of Black Point Compensation*, 2006; ISO 18619).

use std::sync::Arc;

use moxcms::{ColorProfile, DataColorSpace, ProfileVersion, Transform16BitExecutor};

use super::curve::{srgb_encoded, srgb_light};

/// The luminance of black in the perceptual intent of version 4 (ICC.1:2010, table 5).
const PERCEPTUAL_BLACK: f64 = 0.003_473_1;

/// The lightest black that is compensated: the luminance of L* 50.
const LIGHTEST: f64 = 0.184_2;

/// A conversion to sRGB and the bytes of its results, with black as the darkest.
pub(super) struct Compensated {
    transform: Arc<Transform16BitExecutor>,
    bytes: Vec<u8>,
}

impl Compensated {
    /// Returns `transform`, the conversion of the profile `source`, with compensation. `None` if the profile has no tables for
    /// the perceptual intent, or its darkest colour is black already.
    pub(super) fn new(source: &ColorProfile, transform: Arc<Transform16BitExecutor>) -> Option<Self> {
        source.lut_a_to_b_perceptual.as_ref()?;
        let old = matches!(
            source.version(),
            ProfileVersion::V2_0
                | ProfileVersion::V2_1
                | ProfileVersion::V2_2
                | ProfileVersion::V2_3
                | ProfileVersion::V2_4
        );
        let black = match (old, source.color_space) {
            (false, _) => PERCEPTUAL_BLACK,
            (true, DataColorSpace::Cmyk) => {
                // The darkest colour is that of all inks together.
                let mut darkest = [0; 3];
                transform.transform(&[u16::MAX; 4], &mut darkest).ok()?;
                let [r, g, b] = darkest.map(|sample| srgb_light(f64::from(sample) / 65_535.0));
                (0.2126 * r + 0.7152 * g + 0.0722 * b).min(LIGHTEST)
            }
            (true, _) => return None,
        };
        if black < 1e-5 {
            return None;
        }
        let byte = |sample: u16| {
            let light = (srgb_light(f64::from(sample) / 65_535.0) - black) / (1.0 - black);
            (srgb_encoded(light.max(0.0)) * 255.0).round() as u8
        };
        Some(Self { transform, bytes: (0..=u16::MAX).map(byte).collect() })
    }

    /// Converts pixels of `from` samples to pixels of `to` samples. With `alpha`, the last one is opacity.
    ///
    /// # Errors
    /// If the conversion fails.
    pub(super) fn apply(
        &self,
        samples: &[u8],
        from: usize,
        to: usize,
        alpha: bool,
    ) -> Result<Vec<u8>, moxcms::CmsError> {
        /// Pixels that are converted at once: the samples of 16 bits of a whole picture would take twice its memory.
        const PIXELS: usize = 4096;
        let mut converted = Vec::with_capacity(samples.len() / from * to);
        let mut wide = Vec::with_capacity(PIXELS * from);
        let mut results = Vec::new();
        for part in samples.chunks(PIXELS * from) {
            wide.clear();
            wide.extend(part.iter().map(|sample| u16::from(*sample) * 257));
            results.clear();
            results.resize(part.len() / from * to, 0u16);
            self.transform.transform(&wide, &mut results)?;
            converted.extend(results.iter().enumerate().map(|(at, sample)| {
                if alpha && at % to == to - 1 {
                    (sample >> 8) as u8
                } else {
                    self.bytes.get(usize::from(*sample)).copied().unwrap_or(u8::MAX)
                }
            }));
        }
        Ok(converted)
    }
}
