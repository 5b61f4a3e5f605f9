//! Types as WIT writes them, for messages.

use wit_parser::{Handle, Resolve, Type, TypeDefKind, TypeId, TypeOwner};

/// Follows `type a = b` and `use`, and returns the definition.
pub fn definition(resolve: &Resolve, mut id: TypeId) -> TypeId {
    while let TypeDefKind::Type(Type::Id(next)) = resolve.types[id].kind {
        id = next;
    }
    id
}

/// Returns a named type with its interface: `types.rendition`.
pub fn full_name(resolve: &Resolve, id: TypeId) -> Option<String> {
    let definition = &resolve.types[id];
    let name = definition.name.as_deref()?;
    Some(match definition.owner {
        TypeOwner::Interface(interface) => match &resolve.interfaces[interface].name {
            Some(interface) => format!("{interface}.{name}"),
            None => name.to_owned(),
        },
        TypeOwner::World(_) | TypeOwner::None => name.to_owned(),
    })
}

/// Returns a type: `option<u32>`, `list<rendition>`.
pub fn text(resolve: &Resolve, ty: &Type) -> String {
    let id = match ty {
        Type::Id(id) => *id,
        Type::Bool => return "bool".into(),
        Type::U8 => return "u8".into(),
        Type::U16 => return "u16".into(),
        Type::U32 => return "u32".into(),
        Type::U64 => return "u64".into(),
        Type::S8 => return "s8".into(),
        Type::S16 => return "s16".into(),
        Type::S32 => return "s32".into(),
        Type::S64 => return "s64".into(),
        Type::F32 => return "f32".into(),
        Type::F64 => return "f64".into(),
        Type::Char => return "char".into(),
        Type::String => return "string".into(),
        Type::ErrorContext => return "error-context".into(),
    };
    let definition = &resolve.types[id];
    if let Some(name) = &definition.name {
        return name.clone();
    }
    let or_none = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "_".to_owned(), |ty| text(resolve, ty));
    match &definition.kind {
        TypeDefKind::Option(of) => format!("option<{}>", text(resolve, of)),
        TypeDefKind::List(of) => format!("list<{}>", text(resolve, of)),
        TypeDefKind::FixedLengthList(of, length) => format!("list<{}, {length}>", text(resolve, of)),
        TypeDefKind::Map(key, value) => format!("map<{}, {}>", text(resolve, key), text(resolve, value)),
        TypeDefKind::Result(result) => match (&result.ok, &result.err) {
            (None, None) => "result".into(),
            (ok, None) => format!("result<{}>", or_none(ok)),
            (ok, err) => format!("result<{}, {}>", or_none(ok), or_none(err)),
        },
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<_> = tuple.types.iter().map(|ty| text(resolve, ty)).collect();
            format!("tuple<{}>", types.join(", "))
        }
        TypeDefKind::Handle(Handle::Own(of)) => text(resolve, &Type::Id(*of)),
        TypeDefKind::Handle(Handle::Borrow(of)) => format!("borrow<{}>", text(resolve, &Type::Id(*of))),
        TypeDefKind::Type(of) => text(resolve, of),
        other => other.as_str().to_owned(),
    }
}
