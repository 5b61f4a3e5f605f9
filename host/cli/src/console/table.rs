//! Tables that fit the terminal.

use comfy_table::{ContentArrangement, Table, presets};

use super::terminal;

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
pub fn text(table: &Table) -> String {
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
