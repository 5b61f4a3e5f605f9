//! Colours of rows of samples, in the fixed-point numbers of libjpeg (`jdcolor.c`), so that they are the same as there.

use super::colours::Colours;

/// The number of pixels that are converted at once.
const LANES: usize = 16;

/// Writes pixels of three channels as RGB.
pub fn rgb(colours: Colours, [a, b, c]: [&[u8]; 3], line: &mut [u8]) {
    if colours == Colours::YCbCr {
        three(a, b, c, line, from_ycc);
    } else {
        three(a, b, c, line, |a, b, c| [a, b, c]);
    }
}

/// Writes pixels of four channels as inks, with 255 as full ink.
pub fn inks(colours: Colours, [a, b, c, d]: [&[u8]; 4], line: &mut [u8]) {
    for ((((to, a), b), c), d) in line.chunks_exact_mut(4).zip(a).zip(b).zip(c).zip(d) {
        let all = match colours {
            // Adobe's inverted inks are the complement of what is meant, and these the complement of RGB.
            Colours::Ycck => {
                let [r, g, b] = from_ycc(*a, *b, *c);
                [r, g, b, 255 - *d]
            }
            _ => [*a, *b, *c, *d].map(|ink| 255 - ink),
        };
        to.copy_from_slice(&all);
    }
}

/// Converts YCbCr of JFIF (ITU-R BT.601, full range) to RGB.
#[inline(always)]
fn from_ycc(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let byte = |value: i32| value.clamp(0, 255) as u8;
    [
        byte(y + ((91_881 * cr + HALF) >> 16)),
        byte(y + ((HALF - 22_554 * cb - 46_802 * cr) >> 16)),
        byte(y + ((116_130 * cb + HALF) >> 16)),
    ]
}

/// Writes pixels in groups, which the compiler makes operations on several at once of.
#[inline(always)]
fn three(a: &[u8], b: &[u8], c: &[u8], line: &mut [u8], convert: impl Fn(u8, u8, u8) -> [u8; 3]) {
    let (mut a, mut b, mut c, mut line) = (a, b, c, line);
    while let (Some((a0, a1)), Some((b0, b1)), Some((c0, c1))) =
        (a.split_first_chunk::<LANES>(), b.split_first_chunk::<LANES>(), c.split_first_chunk::<LANES>())
    {
        let (mut first, mut second, mut third) = ([0; LANES], [0; LANES], [0; LANES]);
        for i in 0..LANES {
            [first[i], second[i], third[i]] = convert(a0[i], b0[i], c0[i]);
        }
        let Some((now, later)) = std::mem::take(&mut line).split_first_chunk_mut::<{ 3 * LANES }>() else { return };
        for i in 0..LANES {
            [now[3 * i], now[3 * i + 1], now[3 * i + 2]] = [first[i], second[i], third[i]];
        }
        (a, b, c, line) = (a1, b1, c1, later);
    }
    for (((pixel, a), b), c) in line.chunks_exact_mut(3).zip(a).zip(b).zip(c) {
        pixel.copy_from_slice(&convert(*a, *b, *c));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_are_converted_correctly() {
        // Red, green, blue, white and black as JFIF writes them.
        for (ycc, want) in [
            ([76, 85, 255], [254, 0, 0]),
            ([150, 44, 21], [0, 255, 1]),
            ([29, 255, 107], [0, 0, 254]),
            ([255, 128, 128], [255, 255, 255]),
            ([0, 128, 128], [0, 0, 0]),
        ] {
            // 19 is not a multiple of the lanes, so both loops run.
            let [y, cb, cr] = ycc.map(|sample| vec![sample; 19]);
            let mut line = vec![0; 57];
            rgb(Colours::YCbCr, [&y, &cb, &cr], &mut line);
            for pixel in line.chunks(3) {
                assert!(pixel.iter().zip(want).all(|(a, b)| a.abs_diff(b) <= 1), "{ycc:?} gave {pixel:?}");
            }
            rgb(Colours::Rgb, [&y, &cb, &cr], &mut line);
            assert!(line.chunks(3).all(|pixel| pixel == ycc));
        }
    }

    #[test]
    fn full_ink_is_255_in_every_writers_files() {
        let row = |sample: u8| [sample; 3];
        let inks = |colours, [a, b, c, d]: [u8; 4]| {
            let mut line = [0; 12];
            super::inks(colours, [&row(a), &row(b), &row(c), &row(d)], &mut line);
            assert!(line.chunks(4).all(|pixel| pixel == &line[..4]));
            [line[0], line[1], line[2], line[3]]
        };
        assert_eq!(inks(Colours::Cmyk, [1, 2, 3, 4]), [254, 253, 252, 251]);
        // No ink, as Adobe's programs write it: white, inverted, as YCbCr of black.
        assert_eq!(inks(Colours::Ycck, [0, 128, 128, 255]), [0, 0, 0, 0]);
        assert_eq!(inks(Colours::Ycck, [255, 128, 128, 0]), [255, 255, 255, 255]);
    }
}
