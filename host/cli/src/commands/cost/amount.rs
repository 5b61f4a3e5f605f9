//! How quantities are written.

/// Returns a number with two decimals below 100, else as a whole one in groups of three digits.
pub fn amount(quantity: f64) -> String {
    match quantity {
        small if small < 100.0 => format!("{small:.2}"),
        large => {
            let digits = format!("{large:.0}");
            let mut grouped = String::new();
            for (at, digit) in digits.chars().enumerate() {
                if at > 0 && (digits.len() - at).is_multiple_of(3) {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            grouped
        }
    }
}
