//! Comparison of JSON numbers.

use std::cmp::Ordering;

use serde_json::Number;

/// Compares two numbers by value: integers exactly, everything else as floating point.
pub(crate) fn compare(left: &Number, right: &Number) -> Option<Ordering> {
    let whole = |number: &Number| number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => Some(left.cmp(&right)),
        _ => left.as_f64()?.partial_cmp(&right.as_f64()?),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn number(text: &str) -> Number {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn large_integers_are_compared_exactly_and_a_zero_fraction_does_not_count() {
        let cases = [
            ("9007199254740993", "9007199254740992", Ordering::Greater),
            ("18446744073709551615", "-1", Ordering::Greater),
            ("1", "1.0", Ordering::Equal),
            ("1.5", "2", Ordering::Less),
        ];
        for (left, right, order) in cases {
            assert_eq!(compare(&number(left), &number(right)), Some(order), "{left} {right}");
        }
    }
}
