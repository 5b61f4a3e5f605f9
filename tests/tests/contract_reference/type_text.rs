//! Types as WIT writes them.

use wit_parser::{Handle, Resolve, Type, TypeDefKind};

/// Returns a type: `option<u32>`, `list<rendition>`.
pub fn type_text(resolve: &Resolve, ty: &Type) -> String {
    let text = |ty: &Type| type_text(resolve, ty);
    let Type::Id(id) = ty else { return format!("{ty:?}").to_lowercase() };
    let definition = &resolve.types[*id];
    if let Some(name) = &definition.name {
        return name.clone();
    }
    match &definition.kind {
        TypeDefKind::Option(of) => format!("option<{}>", text(of)),
        TypeDefKind::List(of) => format!("list<{}>", text(of)),
        TypeDefKind::Result(result) => {
            let part = |ty: &Option<Type>| ty.as_ref().map_or("_".to_owned(), text);
            format!("result<{}, {}>", part(&result.ok), part(&result.err))
        }
        TypeDefKind::Tuple(tuple) => {
            format!("tuple<{}>", tuple.types.iter().map(text).collect::<Vec<_>>().join(", "))
        }
        TypeDefKind::Handle(Handle::Own(of)) => text(&Type::Id(*of)),
        TypeDefKind::Handle(Handle::Borrow(of)) => format!("borrow<{}>", text(&Type::Id(*of))),
        other => panic!("the reference cannot write {} yet", other.as_str()),
    }
}
