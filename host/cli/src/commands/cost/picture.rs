//! The costs as bars: a line for each design at each number of batches a month.

use std::fmt::Write as _;

use super::amount::amount;
use super::model::Design;
use super::scales::{PARTS, Scale, short};
use crate::output::bars::{Ink, bar};

/// The width of everything before a bar.
const BEFORE: usize = 51;

/// The longest bar, also where the width of the terminal is unknown.
const LONGEST: usize = 48;

/// The shortest bar.
const SHORTEST: usize = 8;

const TITLE: &str = "Without MediaConvert: USD for 1,000 batches, and as a share of the functions";

/// Returns the picture, for a terminal of so many columns.
pub fn picture(scales: &[Scale], ink: Ink, columns: Option<u16>) -> String {
    let room = columns.map_or(LONGEST, |columns| usize::from(columns).saturating_sub(BEFORE + 1));
    let room = room.clamp(SHORTEST, LONGEST);
    let most = scales.iter().flat_map(|scale| scale.totals).fold(0.0, f64::max);
    let words: Vec<_> = TITLE.split(' ').map(|word| (word.to_owned(), word.len())).collect();
    let mut text = in_lines(&words, " ", columns) + "\n";
    let _ = writeln!(text, "{:>13}  {:<11}  {:>6}  {:>5}  {:>6}", "a month", "", "USD", "share", "share*");
    for scale in scales {
        for (at, design) in Design::ALL.into_iter().enumerate() {
            let month = if at == 0 { amount(f64::from(scale.batches_a_month)) } else { String::new() };
            let shares = match design {
                Design::Functions => [String::new(), String::new()],
                _ => [scale.of_functions(at), scale.of_functions_without_alarms(at)].map(|share| format!("{share:.2}")),
            };
            let parts: Vec<(char, f64)> =
                PARTS.iter().zip(scale.parts[at]).map(|((_, letter, _), usd)| (*letter, usd)).collect();
            let [share, without] = shares;
            let line =
                format!("{month:>13}  {:<11}  {:>6.2}  {share:>5}  {without:>6}", short(design), scale.totals[at]);
            let _ = writeln!(text, "{line}  {}", bar(&parts, most, room, ink));
        }
    }
    let alone = |part: char| PARTS.map(|(_, letter, _)| (letter, f64::from(u8::from(letter == part))));
    let legend = PARTS.map(|(_, letter, what)| {
        // A bar of one column, whatever it takes to colour it.
        (format!("{} {what}", bar(&alone(letter), 1.0, 1, ink)), 2 + what.len())
    });
    let _ = write!(text, "\n{}", in_lines(&legend, ", ", columns));
    let _ = writeln!(text, "* without alarms; an account's first ten are free");
    text
}

/// Returns texts with their widths, in lines of so many columns.
fn in_lines(texts: &[(String, usize)], between: &str, columns: Option<u16>) -> String {
    let room = columns.map_or(usize::MAX, usize::from);
    let (mut all, mut used) = (String::new(), 0);
    for (at, (text, width)) in texts.iter().enumerate() {
        // Of what is between two texts, a part may remain at the end of the line.
        let fits = used + between.len() + width + between.trim_end().len() <= room;
        if at > 0 {
            all.push_str(if fits { between } else { between.trim_end() });
            all.push_str(if fits { "" } else { "\n" });
        }
        used = if at > 0 && fits { used + between.len() + width } else { *width };
        all.push_str(text);
    }
    all + "\n"
}
