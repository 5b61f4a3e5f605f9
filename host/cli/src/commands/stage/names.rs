//! The imports and exports of a component, as people read them.

use crate::output::printer::Printer;

/// Prints a component's imports and exports. Those of WASI are counted only.
pub fn print_names(printer: &Printer, imports: &[String], exports: &[String]) {
    for import in imports.iter().filter(|name| !name.starts_with("wasi:")) {
        printer.line(format_args!("  imports {import}"));
    }
    let wasi = imports.iter().filter(|name| name.starts_with("wasi:")).count();
    if wasi > 0 {
        printer.line(format_args!("  imports {wasi} interfaces of WASI, inert here"));
    }
    for export in exports {
        printer.line(format_args!("  exports {export}"));
    }
}
