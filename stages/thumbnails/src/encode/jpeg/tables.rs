//! The order of a block's coefficients, and the quantisation tables.

/// For each position in zigzag order, the coefficient's place in a transformed block, which holds columns: eight times the
/// horizontal frequency plus the vertical one.
pub const PLACES: [u8; 64] = places();

/// The quantisation tables of ITU-T T.81, annex K.1, for lightness and for colour, row by row.
#[rustfmt::skip]
const BASE: [[u8; 64]; 2] = [
    [
        16, 11, 10, 16,  24,  40,  51,  61,
        12, 12, 14, 19,  26,  58,  60,  55,
        14, 13, 16, 24,  40,  57,  69,  56,
        14, 17, 22, 29,  51,  87,  80,  62,
        18, 22, 37, 56,  68, 109, 103,  77,
        24, 35, 55, 64,  81, 104, 113,  92,
        49, 64, 78, 87, 103, 121, 120, 101,
        72, 92, 95, 98, 112, 100, 103,  99,
    ],
    [
        17, 18, 24, 47, 99, 99, 99, 99,
        18, 21, 26, 66, 99, 99, 99, 99,
        24, 26, 56, 99, 99, 99, 99, 99,
        47, 66, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99,
        99, 99, 99, 99, 99, 99, 99, 99,
    ],
];

/// Which table of [`BASE`] a channel uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Y.
    Lightness,
    /// Cb and Cr.
    Colour,
}

/// Returns the quantisation steps for a quality of 1 to 100, row by row: the scale of libjpeg, which everybody uses.
pub fn steps(kind: Kind, quality: u8) -> [u8; 64] {
    let quality = u32::from(quality.clamp(1, 100));
    let percent = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    // At most 255.
    BASE[kind as usize].map(|step| ((u32::from(step) * percent + 50) / 100).clamp(1, 255) as u8)
}

/// Returns the horizontal and the vertical frequency at each position in zigzag order.
pub const fn zigzag() -> [(u8, u8); 64] {
    let mut order = [(0, 0); 64];
    let (mut u, mut v, mut k) = (0u8, 0u8, 0);
    while k < 64 {
        order[k] = (u, v);
        if (u + v) % 2 == 0 {
            // Up and to the right.
            if u == 7 {
                v += 1;
            } else if v == 0 {
                u += 1;
            } else {
                u += 1;
                v -= 1;
            }
        } else if v == 7 {
            u += 1;
        } else if u == 0 {
            v += 1;
        } else {
            u -= 1;
            v += 1;
        }
        k += 1;
    }
    order
}

const fn places() -> [u8; 64] {
    let (order, mut places, mut k) = (zigzag(), [0; 64], 0);
    while k < 64 {
        places[k] = 8 * order[k].0 + order[k].1;
        k += 1;
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_the_standard() {
        // ITU-T T.81, figure A.6: the first and the last ten, as rows and columns.
        let rows: Vec<u8> = zigzag().iter().map(|(u, v)| 8 * v + u).collect();
        assert_eq!(rows[..10], [0, 1, 8, 16, 9, 2, 3, 10, 17, 24]);
        assert_eq!(rows[54..], [39, 46, 53, 60, 61, 54, 47, 55, 62, 63]);
        let mut sorted = rows;
        sorted.sort_unstable();
        assert!(sorted.iter().copied().eq(0..64));
    }

    #[test]
    fn a_quality_scales_the_tables_as_libjpeg_does() {
        // The first steps in files that libjpeg-turbo wrote.
        assert_eq!(steps(Kind::Lightness, 85)[..8], [5, 3, 3, 5, 7, 12, 15, 18]);
        assert_eq!(steps(Kind::Colour, 85)[..4], [5, 5, 7, 14]);
        assert_eq!(steps(Kind::Lightness, 50), BASE[0]);
        assert_eq!(steps(Kind::Lightness, 100), [1; 64]);
        assert_eq!(steps(Kind::Lightness, 1), [255; 64]);
    }
}
