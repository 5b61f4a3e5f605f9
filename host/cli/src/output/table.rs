//! Tables that fit the terminal.

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};

use super::terminal;

/// Names of up to this many characters, in the first column, are not wrapped.
const WHOLE_NAME: u16 = 24;

/// Returns an empty table without lines, no wider than the terminal. Cells that do not fit are wrapped.
pub fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if let Some(columns) = terminal::columns() {
        table.set_width(columns);
    }
    table.set_header(headings);
    table
}

/// Returns the table's text without blanks at the ends of lines, so that it can stand in a document.
pub fn text(mut table: Table) -> String {
    let name = table.column_max_content_widths().first().copied().unwrap_or_default();
    if let Some(first) = table.column_mut(0) {
        let width = name.min(WHOLE_NAME) + first.padding_width();
        first.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(width)));
    }
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
