//! The page: worlds, then interfaces with their types and functions, in the words of the WIT files.

use std::fmt::Write as _;

use wit_parser::{
    Docs, Function, FunctionKind, Interface, PackageId, Resolve, Type, TypeDefKind, TypeId, World, WorldKey,
};

use crate::type_text::type_text;

/// Stands where an item has no comment.
pub const NOTHING_SAID: &str = "(nothing is said)";

const HEAD: &str = "\
# The contract, item by item

<!-- Generated from wit/*.wit by tests/tests/contract_reference; change those files, not this page. -->

";

/// Returns the page.
pub fn page(resolve: &Resolve, package: PackageId) -> String {
    let package = &resolve.packages[package];
    let mut page = HEAD.to_owned();
    let _ = write!(page, "`{}`\n\n{}\n\n## Worlds\n\n", package.name, said(&package.docs));
    page.push_str("| World | For | Imports | Exports |\n|---|---|---|---|\n");
    for id in package.worlds.values() {
        page.push_str(&world(resolve, &resolve.worlds[*id]));
    }
    page.push_str("\n## Interfaces\n");
    for id in package.interfaces.values() {
        interface(&mut page, resolve, &resolve.interfaces[*id]);
    }
    page
}

/// Returns the comment of an item.
fn said(docs: &Docs) -> &str {
    docs.contents.as_deref().map(str::trim).filter(|text| !text.is_empty()).unwrap_or(NOTHING_SAID)
}

/// Returns the comment for a cell of a table.
fn cell(docs: &Docs) -> String {
    said(docs).split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn world(resolve: &Resolve, world: &World) -> String {
    let (imports, exports) = (links(resolve, world.imports.keys()), links(resolve, world.exports.keys()));
    format!("| `{}` | {} | {imports} | {exports} |\n", world.name, cell(&world.docs))
}

/// Returns links to the interfaces, without `types`, which all have because all others use it.
fn links<'a>(resolve: &'a Resolve, interfaces: impl Iterator<Item = &'a WorldKey>) -> String {
    let names = interfaces.filter_map(|key| match key {
        WorldKey::Interface(id) => resolve.interfaces[*id].name.as_deref(),
        WorldKey::Name(name) => Some(name.as_str()),
    });
    names.filter(|name| *name != "types").map(|name| format!("[{name}](#{name})")).collect::<Vec<_>>().join(", ")
}

fn interface(page: &mut String, resolve: &Resolve, interface: &Interface) {
    let name = interface.name.as_deref().unwrap_or_default();
    let _ = write!(page, "\n### {name}\n\n{}\n", said(&interface.docs));
    for (name, id) in &interface.types {
        definition(page, resolve, interface, name, *id);
    }
    for function in interface.functions.values() {
        if matches!(function.kind, FunctionKind::Freestanding) {
            let _ = write!(page, "\n#### {}\n\n{}", function.name, signature(resolve, function));
        }
    }
}

fn definition(page: &mut String, resolve: &Resolve, interface: &Interface, name: &str, id: TypeId) {
    let definition = &resolve.types[id];
    let kind = match &definition.kind {
        // What another interface defines is described there.
        TypeDefKind::Type(_) => return,
        kind => kind.as_str(),
    };
    let _ = write!(page, "\n#### {kind} {name}\n\n{}\n", said(&definition.docs));
    match &definition.kind {
        TypeDefKind::Record(record) => {
            page.push_str("\n| Field | Type | Meaning |\n|---|---|---|\n");
            for field in &record.fields {
                let ty = type_text(resolve, &field.ty);
                let _ = writeln!(page, "| `{}` | `{ty}` | {} |", field.name, field_said(&field.name, &field.docs));
            }
        }
        TypeDefKind::Variant(variant) => {
            page.push_str("\n| Case | Value | Meaning |\n|---|---|---|\n");
            for case in &variant.cases {
                let value = case.ty.as_ref().map_or("–".to_owned(), |ty| format!("`{}`", type_text(resolve, ty)));
                let _ = writeln!(page, "| `{}` | {value} | {} |", case.name, field_said(&case.name, &case.docs));
            }
        }
        TypeDefKind::Enum(cases) => {
            page.push_str("\n| Case | Meaning |\n|---|---|\n");
            for case in &cases.cases {
                let _ = writeln!(page, "| `{}` | {} |", case.name, field_said(&case.name, &case.docs));
            }
        }
        TypeDefKind::Resource => {
            for function in interface.functions.values() {
                if function.kind.resource() == Some(id) {
                    let _ = write!(page, "\n##### {name}.{}\n\n{}", function.item_name(), signature(resolve, function));
                }
            }
        }
        other => panic!("the reference cannot describe {} yet", other.as_str()),
    }
}

/// Returns the comment of a field or a case. Without one, its name says all.
fn field_said(name: &str, docs: &Docs) -> String {
    match docs.contents {
        Some(_) => cell(docs),
        None => format!("The {}.", name.replace('-', " ")),
    }
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let kind = if matches!(function.kind, FunctionKind::Static(_)) { "static func" } else { "func" };
    // A method's first parameter is the resource itself.
    let own = usize::from(matches!(function.kind, FunctionKind::Method(_)));
    let parameter = |(name, ty): (&str, &Type)| format!("{name}: {}", type_text(resolve, ty));
    let parameters = function.params.iter().skip(own).map(|one| parameter((one.name.as_str(), &one.ty)));
    let parameters = parameters.collect::<Vec<_>>().join(", ");
    let result = function.result.as_ref().map_or(String::new(), |ty| format!(" -> {}", type_text(resolve, ty)));
    format!("`{}: {kind}({parameters}){result}`\n\n{}\n", function.item_name(), said(&function.docs))
}
