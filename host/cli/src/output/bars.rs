//! Bars of several parts: coloured blocks on a terminal, letters elsewhere.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use super::terminal;

/// ANSI's colours of the parts, by their place: blue, green, yellow, magenta, cyan.
const COLOURS: [u8; 5] = [34, 32, 33, 35, 36];

/// How parts are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// By their letters: in files, pipes and terminals without colours.
    Letters,
    /// By colours.
    Colours,
}

impl Ink {
    /// Returns what fits standard output.
    pub fn of_stdout() -> Self {
        if std::io::stdout().is_terminal() && terminal::has_colour() { Self::Colours } else { Self::Letters }
    }
}

/// Returns a bar: each part is a letter and a number, `most` fills `width` columns. Its place decides the colour.
///
/// A part's end is rounded, not its length, so that the bar is as long as its sum.
pub fn bar(parts: &[(char, f64)], most: f64, width: usize, ink: Ink) -> String {
    let column = |sum: f64| {
        let share = if most > 0.0 { (sum / most).clamp(0.0, 1.0) } else { 0.0 };
        (share * width as f64).round() as usize
    };
    let (mut text, mut sum) = (String::new(), 0.0);
    for ((letter, number), colour) in parts.iter().zip(COLOURS.into_iter().cycle()) {
        let begin = column(sum);
        sum += number.max(0.0);
        let length = column(sum) - begin;
        match ink {
            _ if length == 0 => {}
            Ink::Letters => text.extend(std::iter::repeat_n(*letter, length)),
            Ink::Colours => {
                let _ = write!(text, "\u{1b}[{colour}m{}\u{1b}[0m", "█".repeat(length));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_sum_however_its_parts_are_rounded() {
        let thirds = [('C', 1.0 / 3.0), ('S', 1.0 / 3.0), ('T', 1.0 / 3.0)];
        assert_eq!(bar(&thirds, 1.0, 10, Ink::Letters), "CCCSSSSTTT");
        assert_eq!(bar(&thirds, 2.0, 10, Ink::Letters), "CCSTT");
        assert_eq!(bar(&[('C', 0.0), ('S', 4.0)], 2.0, 3, Ink::Letters), "SSS");
        assert_eq!(bar(&thirds, 0.0, 10, Ink::Letters), "");
    }

    #[test]
    fn on_a_terminal_parts_have_colours_instead_of_letters() {
        let text = bar(&[('C', 1.0), ('S', 1.0)], 2.0, 4, Ink::Colours);
        assert_eq!(text.matches('█').count(), 4);
        assert_eq!(text.matches("\u{1b}[0m").count(), 2);
        assert!(!text.contains(['C', 'S']), "{text}");
        // A part keeps its colour where those before it are too short to be seen.
        assert_eq!(bar(&[('C', 0.0), ('S', 1.0)], 1.0, 1, Ink::Colours), "\u{1b}[32m█\u{1b}[0m");
    }
}
