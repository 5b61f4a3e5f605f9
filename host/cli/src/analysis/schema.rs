//! The JSON Schema of the batch document, as the shapes that flow between states.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;
use stagehost_asl::inspect::Type;

use super::shape::{Field, Object, Shape};

/// How deep references are followed.
const DEEPEST: usize = 32;

/// The documents that the host reads and writes.
pub struct Documents {
    /// Its answer: the batch, or the head of one that was too large for Step Functions.
    pub answer: Shape,
    /// Its input: the same, also with a caught `error`, also as branches of a Parallel state.
    pub taken: Shape,
    /// The input of the execution, of which only `error` is known.
    pub input: Shape,
}

impl Documents {
    /// Reads the schema.
    ///
    /// # Errors
    /// If it is not JSON.
    pub fn read(text: &str) -> Result<Self> {
        let schema: Value = serde_json::from_str(text).context("not JSON")?;
        let defined = |name: &str, what: &str| {
            let node = schema.pointer(&format!("/$defs/{name}"))?;
            Some(shape(&schema, node, what, 0))
        };
        let batch = shape(&schema, &schema, "the batch document", 0);
        let head = defined("head", "the head of a large batch document");
        let answer = Shape::one_of([batch].into_iter().chain(head));
        let caught = defined("caught", "the caught `error`");
        let one = with_error(&answer, caught.as_ref());
        let list = Shape::list(one.clone());
        let branches = Shape::Object(Object::of("the documents of the branches", [("branches", list.clone())]));
        let taken = Shape::one_of([one, with_error(&branches, caught.as_ref()), list]);
        let input = Shape::Object(Object { what: "the execution's input".into(), open: true, ..Object::default() });
        Ok(Self { answer, taken, input: with_error(&input, caught.as_ref()) })
    }
}

fn with_error(shape: &Shape, caught: Option<&Shape>) -> Shape {
    let Some(caught) = caught else { return shape.clone() };
    Shape::one_of(shape.alternatives().iter().cloned().map(|mut shape| {
        if let Shape::Object(object) = &mut shape {
            object.fields.insert("error".into(), Field { shape: caught.clone(), always: false });
        }
        shape
    }))
}

fn shape(schema: &Value, node: &Value, what: &str, depth: usize) -> Shape {
    if depth > DEEPEST {
        return Shape::Any;
    }
    if let Some(target) = node.get("$ref").and_then(Value::as_str) {
        let target = target.strip_prefix('#').and_then(|pointer| schema.pointer(pointer));
        return target.map_or(Shape::Any, |target| shape(schema, target, what, depth + 1));
    }
    let own = plain(schema, node, what, depth);
    for several in ["oneOf", "anyOf"] {
        let Some(alternatives) = node.get(several).and_then(Value::as_array) else { continue };
        return Shape::one_of(alternatives.iter().map(|alternative| match &own {
            Shape::Object(object) => Shape::Object(narrowed(schema, object, alternative, depth)),
            _ => shape(schema, alternative, what, depth + 1),
        }));
    }
    own
}

/// Returns the shape by `type`, `properties`, `items`, `enum` and `const`.
fn plain(schema: &Value, node: &Value, what: &str, depth: usize) -> Shape {
    if let Some(value) = node.get("const") {
        return of_value(value);
    }
    if let Some(values) = node.get("enum").and_then(Value::as_array) {
        return Shape::one_of(values.iter().map(of_value));
    }
    let named = match node.get("type") {
        Some(Value::String(name)) => vec![name.as_str()],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ if node.get("properties").is_some() => vec!["object"],
        _ => return Shape::Any,
    };
    Shape::one_of(named.into_iter().map(|name| match name {
        "string" => Shape::STRING,
        "integer" | "number" => Shape::NUMBER,
        "boolean" => Shape::Plain(Type::Boolean),
        "null" => Shape::Plain(Type::Null),
        "array" => {
            let item = node
                .get("items")
                .map_or(Shape::Any, |items| shape(schema, items, &format!("an item of {what}"), depth + 1));
            let least = node.get("minItems").and_then(Value::as_u64).and_then(|least| usize::try_from(least).ok());
            Shape::List { item: Box::new(item), least: least.unwrap_or(0) }
        }
        "object" => {
            let open = node.get("additionalProperties") != Some(&Value::Bool(false));
            let object = Object { what: what.to_owned(), fields: BTreeMap::new(), open };
            Shape::Object(narrowed(schema, &object, node, depth))
        }
        _ => Shape::Any,
    }))
}

/// Returns the object with the fields of `node`.
fn narrowed(schema: &Value, object: &Object, node: &Value, depth: usize) -> Object {
    let mut object = object.clone();
    for (name, property) in node.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let shape = shape(schema, property, &format!("`{name}` of {}", object.what), depth + 1);
        let always = object.fields.get(name).is_some_and(|field| field.always);
        object.fields.insert(name.clone(), Field { shape, always });
    }
    for name in node.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        object.fields.entry(name.to_owned()).or_insert(Field { shape: Shape::Any, always: true }).always = true;
    }
    object
}

/// Returns the shape of a literal.
pub fn of_value(value: &Value) -> Shape {
    match value {
        Value::Null => Shape::Plain(Type::Null),
        Value::Bool(_) => Shape::Plain(Type::Boolean),
        Value::Number(_) => Shape::NUMBER,
        Value::String(_) => Shape::STRING,
        Value::Array(items) => Shape::Tuple(items.iter().map(of_value).collect()),
        Value::Object(fields) => {
            let field =
                |(name, value): (&String, &Value)| (name.clone(), Field { shape: of_value(value), always: true });
            let fields = fields.iter().map(field).collect();
            Shape::Object(Object { what: "the literal object".into(), fields, open: false })
        }
    }
}

/// Returns how `given` differs from what is expected, one clause for each place.
pub fn misfits(given: &Shape, expected: &Shape, at: &str) -> Vec<String> {
    match (given, expected) {
        (Shape::Any, _) | (_, Shape::Any) => vec![],
        (Shape::OneOf(all), _) => {
            let mut found: Vec<_> = all.iter().flat_map(|shape| misfits(shape, expected, at)).collect();
            found.dedup();
            found
        }
        (_, Shape::OneOf(all)) => {
            let tried = all.iter().map(|shape| misfits(given, shape, at));
            // The nearest alternative is most likely the one that was meant.
            let nearest = tried.zip(all).min_by_key(|(found, shape)| (shape.word() != given.word(), found.len()));
            nearest.map(|(found, _)| found).unwrap_or_default()
        }
        (Shape::Plain(given), Shape::Plain(wanted)) if given == wanted => vec![],
        (Shape::Object(given), Shape::Object(expected)) => objects(given, expected, at),
        (Shape::List { item, .. }, Shape::List { item: wanted, .. }) => misfits(item, wanted, &format!("{at}[*]")),
        (Shape::Tuple(items), Shape::List { item: wanted, .. }) => {
            let each = items.iter().enumerate();
            each.flat_map(|(index, item)| misfits(item, wanted, &format!("{at}[{index}]"))).collect()
        }
        _ => vec![format!("{at} is {}, not {}", given.word(), expected.word())],
    }
}

fn objects(given: &Object, expected: &Object, at: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (name, field) in &given.fields {
        match expected.fields.get(name) {
            Some(wanted) => found.extend(misfits(&field.shape, &wanted.shape, &format!("{at}.{name}"))),
            None if expected.open => {}
            None => found.push(format!("{at}.{name} is not known to the host")),
        }
    }
    for (name, _) in expected.fields.iter().filter(|(_, wanted)| wanted.always) {
        match given.fields.get(name) {
            Some(field) if field.always => {}
            Some(_) => found.push(format!("{at}.{name} is not always there")),
            None if given.open => {}
            None => found.push(format!("{at}.{name} is missing")),
        }
    }
    found
}
