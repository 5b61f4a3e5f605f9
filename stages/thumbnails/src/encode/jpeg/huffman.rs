//! Huffman codes made for the symbols of one scan.

/// A code for up to 256 symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The number of codes of each length from 1 to 16.
    pub counts: [u8; 16],
    /// The symbols, the shortest code first.
    pub symbols: Vec<u8>,
}

/// The longest code that a JPEG may have.
const LONGEST: usize = 16;

impl Code {
    /// Returns the code that is shortest for symbols that occur `frequencies` times, as ITU-T T.81 allows codes: none is
    /// longer than 16 bits, and none is all ones.
    pub fn new(frequencies: &[u32]) -> Self {
        let mut used: Vec<(u64, usize)> = frequencies
            .iter()
            .enumerate()
            .filter(|(_, times)| **times > 0)
            .map(|(symbol, times)| (u64::from(*times), symbol))
            .collect();
        // The most frequent first; among equals the smaller symbol, so that the bytes do not depend on chance.
        used.sort_unstable_by_key(|&(times, symbol)| (std::cmp::Reverse(times), symbol));
        used.truncate(256);
        let mut counts = lengths(&used);
        shorten(&mut counts);
        // At most 256 codes in all; those of one length are fewer because of the one that is left out.
        let counts = std::array::from_fn(|i| counts[i + 1].min(255) as u8);
        Self { counts, symbols: used.iter().map(|&(_, symbol)| symbol as u8).collect() }
    }

    /// Calls `each` with every symbol, its bits and their number.
    pub fn assign(&self, mut each: impl FnMut(u8, u16, u8)) {
        let (mut bits, mut symbols) = (0u32, self.symbols.iter());
        for (length, &count) in (1..).zip(&self.counts) {
            for &symbol in symbols.by_ref().take(count.into()) {
                // Within 16 bits, as the counts form a code.
                each(symbol, bits as u16, length);
                bits += 1;
            }
            bits <<= 1;
        }
    }
}

/// Returns how many codes of each length a Huffman code for `used`, the most frequent first, has. One more symbol, which is
/// rarer than all, gets the code of ones and is taken out again by [`shorten`].
fn lengths(used: &[(u64, usize)]) -> Vec<u32> {
    // Nodes: the rarest first, the reserved one before all; then the joined ones in the order in which they are made, which
    // is also that of their weights.
    let leaves = used.len() + 1;
    let mut weights: Vec<u64> = std::iter::once(0).chain(used.iter().rev().map(|&(times, _)| times)).collect();
    let mut parents = vec![0usize; 2 * leaves];
    let (mut leaf, mut joined) = (0, leaves);
    while weights.len() < 2 * leaves - 1 {
        let parent = weights.len();
        let mut sum = 0;
        for _ in 0..2 {
            let rarest = match (weights.get(leaf).filter(|_| leaf < leaves), weights.get(joined)) {
                (Some(one), Some(other)) if other < one => &mut joined,
                (None, _) => &mut joined,
                _ => &mut leaf,
            };
            sum += weights[*rarest];
            parents[*rarest] = parent;
            *rarest += 1;
        }
        weights.push(sum);
    }
    let mut depths = vec![0usize; weights.len()];
    let mut counts = vec![0; weights.len().max(LONGEST) + 1];
    for node in (0..weights.len().saturating_sub(1)).rev() {
        depths[node] = depths[parents[node]] + 1;
        if node < leaves {
            counts[depths[node]] += 1;
        }
    }
    counts
}

/// Limits the lengths to 16 as ITU-T T.81, K.3 does, and takes out the reserved code, which is one of the longest.
fn shorten(counts: &mut [u32]) {
    for length in (LONGEST + 1..counts.len()).rev() {
        while counts[length] > 0 {
            // Two codes of this length: one becomes their common beginning, the other one branches off a shorter code.
            let Some(shorter) = (1..length - 1).rev().find(|&shorter| counts[shorter] > 0) else { break };
            counts[length] -= 2;
            counts[length - 1] += 1;
            counts[shorter] -= 1;
            counts[shorter + 1] += 2;
        }
    }
    if let Some(longest) = counts.iter_mut().take(LONGEST + 1).rfind(|count| **count > 0) {
        *longest -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn assigned(code: &Code) -> Vec<(u8, u16, u8)> {
        let mut all = Vec::new();
        code.assign(|symbol, bits, length| all.push((symbol, bits, length)));
        all
    }

    #[test]
    fn the_most_frequent_symbol_has_the_shortest_code() {
        let mut frequencies = [0; 256];
        (frequencies[7], frequencies[9], frequencies[200]) = (100, 10, 1);
        assert_eq!(assigned(&Code::new(&frequencies)), [(7, 0b0, 1), (9, 0b10, 2), (200, 0b110, 3)]);
    }

    #[test]
    fn a_single_symbol_has_a_code_of_one_bit_and_no_symbol_none() {
        let mut frequencies = [0; 256];
        assert!(assigned(&Code::new(&frequencies)).is_empty());
        frequencies[3] = 5;
        assert_eq!(assigned(&Code::new(&frequencies)), [(3, 0, 1)]);
    }

    #[test]
    fn frequencies_that_grow_as_fibonacci_numbers_need_no_more_than_sixteen_bits() {
        let mut frequencies = [0u32; 256];
        let (mut one, mut two) = (1, 1);
        for frequency in frequencies.iter_mut().take(40) {
            *frequency = one;
            (one, two) = (two, one + two);
        }
        check(&frequencies);
    }

    fn check(frequencies: &[u32]) {
        let code = Code::new(frequencies);
        let all = assigned(&code);
        assert_eq!(all.len(), frequencies.iter().filter(|times| **times > 0).count());
        // None begins another, and none is all ones.
        let mut room = 1u64 << LONGEST;
        for window in all.windows(2) {
            assert!(
                window[0].2 <= window[1].2
                    && frequencies[usize::from(window[0].0)] >= frequencies[usize::from(window[1].0)]
            );
        }
        for &(_, bits, length) in &all {
            assert!(u32::from(bits) + 1 < 1 << length, "all ones");
            room -= 1 << (LONGEST as u8 - length);
        }
        assert!(room > 0);
    }

    proptest! {
        #[test]
        fn every_code_is_one_that_a_jpeg_may_have(
            frequencies in proptest::collection::vec(prop_oneof![Just(0u32), 1..10u32, 1..100_000_000u32], 256)
        ) {
            check(&frequencies);
        }
    }
}
