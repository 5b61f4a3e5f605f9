//! What the terminal can do.

/// The narrowest help: examples are at most this wide, so that none is broken in the middle of a line.
pub const NARROWEST_HELP: usize = 60;

/// The widest help, however wide the terminal is: longer lines are hard to read.
const WIDEST_HELP: usize = 110;

/// Returns how many columns a line of a result may have: `COLUMNS`, or as many as the terminal has. `None` in a file or a
/// pipe: a line there may be as long as it needs.
pub fn columns() -> Option<u16> {
    let set = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0);
    set.or_else(|| comfy_table::Table::new().width())
}

/// The fewest columns for a table with many columns.
const WIDE: u16 = 80;

/// Returns whether a table with many columns would be cut, in the middle of its figures. It then shows fewer columns.
pub fn is_narrow() -> bool {
    columns().is_some_and(|columns| columns < WIDE)
}

/// Returns how many columns a line of `--help` may have.
pub fn help_columns() -> usize {
    columns().map_or(100, |columns| usize::from(columns).clamp(NARROWEST_HELP, WIDEST_HELP))
}

/// Returns whether colours may be used (<https://no-color.org>).
pub fn has_colour() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()) && !is_dumb()
}

/// Returns whether bars may move. Where colours are unwanted, no other escape sequence is sent either.
pub fn moves_cursor() -> bool {
    has_colour()
}

fn is_dumb() -> bool {
    std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb")
}
