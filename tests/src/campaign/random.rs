//! Numbers that depend on a seed and on texts only, so that neither threads nor the order of requests change them.

/// Returns a number for a seed and what it is drawn for.
pub(super) fn draw(seed: u64, what: &[&str]) -> u64 {
    // FNV-1a over the texts, each followed by a byte that no text has, then the finaliser of SplitMix64.
    let mut hash = seed ^ 0xcbf2_9ce4_8422_2325;
    for text in what {
        for byte in text.bytes().chain([0xff]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// Returns a number below `end` in the same way; zero if `end` is zero.
pub(super) fn below(seed: u64, what: &[&str], end: u64) -> u64 {
    draw(seed, what).checked_rem(end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_depends_on_the_seed_and_on_every_text() {
        let all = [draw(1, &["a", "b"]), draw(2, &["a", "b"]), draw(1, &["ab"]), draw(1, &["a", "c"])];
        assert_eq!(draw(1, &["a", "b"]), all[0]);
        assert!((1..all.len()).all(|at| !all[..at].contains(&all[at])), "{all:?}");
    }

    #[test]
    fn numbers_below_an_end_are_spread_evenly() {
        let mut counts = [0; 10];
        for seed in 0..10_000 {
            counts[below(seed, &["x"], 10) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (850..1150).contains(count)), "{counts:?}");
    }
}
