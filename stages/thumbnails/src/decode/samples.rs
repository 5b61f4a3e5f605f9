//! Samples of 16 bits.

/// Returns samples of 16 bits, in the machine's byte order, rounded to 8 bits. Works in place.
pub(super) fn narrow(mut samples: Vec<u8>) -> Vec<u8> {
    let count = samples.len() / 2;
    for i in 0..count {
        let wide = u32::from(u16::from_ne_bytes([samples[2 * i], samples[2 * i + 1]]));
        // 65535 / 255 is 257: exact at both ends, rounded between.
        samples[i] = ((wide + 128) / 257) as u8;
    }
    samples.truncate(count);
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_are_rounded_to_eight() {
        let wide: Vec<u8> =
            [0u16, 128, 129, 257, 32_896, 65_534, 65_535].iter().flat_map(|s| s.to_ne_bytes()).collect();
        assert_eq!(narrow(wide), [0, 0, 1, 1, 128, 255, 255]);
    }
}
