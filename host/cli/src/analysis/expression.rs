//! The fields of a state: what they compute, and what they cannot.

use serde_json::Value;
use stagehost_asl::inspect::{self, Argument, Call, Expression, Piece, Type};

use super::finding::{Finding, Kind};
use super::flow::{Flow, Here};
use super::schema::of_value;
use super::shape::{Field, Lookup, Object, Shape};
use crate::json_pointer::below;

/// What an argument of an intrinsic function must be.
#[derive(Clone, Copy)]
enum Takes {
    Anything,
    Plain(Type),
    List,
    Object,
}

impl Flow<'_> {
    /// Returns the part of the document that `InputPath` or `OutputPath` selects; the document if the field is absent.
    pub(super) fn filter(&mut self, state: &Value, field: &str, here: &Here<'_>, document: &Shape) -> Shape {
        match state.get(field) {
            None => document.clone(),
            Some(Value::String(path)) => self.path(path, field, here, document),
            Some(_) => Shape::Object(Object::of("the empty object", [])),
        }
    }

    /// Checks a field that holds a path, and that its value is of the wanted type.
    pub(super) fn field(
        &mut self,
        state: &Value,
        field: &str,
        here: &Here<'_>,
        document: &Shape,
        wanted: Option<Type>,
    ) {
        let Some(text) = state.get(field).and_then(Value::as_str) else { return };
        let place = below(here.place, field);
        let found = self.compute(text, &place, here, document);
        if let Some(wanted) = wanted {
            self.wants(&found, Takes::Plain(wanted), text, field, &place, here);
        }
    }

    /// Returns what a path in a field of the state itself selects.
    pub(super) fn path(&mut self, text: &str, field: &str, here: &Here<'_>, document: &Shape) -> Shape {
        self.compute(text, &below(here.place, field), here, document)
    }

    /// Returns what `Parameters`, `ResultSelector` or `ItemSelector` makes of the document; the document if it is absent.
    pub(super) fn parameters(&mut self, state: &Value, field: &str, here: &Here<'_>, document: &Shape) -> Shape {
        match state.get(field) {
            Some(template) => self.template(template, field, &below(here.place, field), here, document),
            None => document.clone(),
        }
    }

    fn template(&mut self, template: &Value, what: &str, place: &str, here: &Here<'_>, document: &Shape) -> Shape {
        match template {
            Value::Object(fields) => {
                let mut object = Object::of(format!("what {what} of {} makes", here.name), []);
                for (name, value) in fields {
                    let place = below(place, name);
                    let (name, shape) = match (name.strip_suffix(".$"), value) {
                        (Some(name), Value::String(text)) => (name, self.compute(text, &place, here, document)),
                        _ => (name.as_str(), self.template(value, what, &place, here, document)),
                    };
                    object.fields.insert(name.to_owned(), Field { shape, always: true });
                }
                Shape::Object(object)
            }
            Value::Array(items) => {
                let each = items.iter().enumerate();
                Shape::Tuple(
                    each.map(|(at, item)| self.template(item, what, &below(place, at), here, document)).collect(),
                )
            }
            literal => of_value(literal),
        }
    }

    /// Returns the value of a path, or of a call of an intrinsic function.
    fn compute(&mut self, text: &str, place: &str, here: &Here<'_>, document: &Shape) -> Shape {
        match inspect::expression(text) {
            Ok(expression) => self.evaluate(&expression, place, here, document),
            // The parser has refused it.
            Err(_) => Shape::Any,
        }
    }

    fn evaluate(&mut self, expression: &Expression, place: &str, here: &Here<'_>, document: &Shape) -> Shape {
        match expression {
            Expression::Path(path) => {
                if path.variable.is_some() {
                    return Shape::Any;
                }
                let found = if path.context { here.context.look(&path.pieces) } else { document.look(&path.pieces) };
                self.missing(&found, &path.text, place, here);
                found.shape()
            }
            Expression::Call(call) => self.intrinsic(call, place, here, document),
        }
    }

    /// Reports where a path finds nothing.
    pub(super) fn missing(&mut self, found: &Lookup, path: &str, place: &str, here: &Here<'_>) {
        let Some(missing) = found.missing.iter().max_by_key(|missing| missing.never) else { return };
        let certain = if found.never() { "is not there" } else { "is not always there" };
        let instead = match missing.instead.as_slice() {
            [] => "test it with IsPresent first, or have every state before write it".to_owned(),
            names => format!(
                "there are {}: name one of them, or write the field in every state before; the schema defines the host's \
                 answers",
                names.join(", ")
            ),
        };
        self.findings.add(Finding {
            state: Some(here.name.to_owned()),
            place: place.to_owned(),
            kind: Kind::Path,
            subject: path.to_owned(),
            problem: format!("{path} {certain}, coming from {}: {}", here.from, missing.why),
            fix: instead,
        });
    }

    fn intrinsic(&mut self, call: &Call, place: &str, here: &Here<'_>, document: &Shape) -> Shape {
        let mut given = Vec::new();
        for (at, argument) in call.arguments.iter().enumerate() {
            let shape = match argument {
                Argument::Expression(expression) => self.evaluate(expression, place, here, document),
                Argument::Literal(literal) => Shape::Plain(*literal),
            };
            let subject = match argument {
                Argument::Expression(Expression::Path(path)) => path.text.clone(),
                _ => format!("argument {}", at + 1),
            };
            self.wants(&shape, takes(call.function, at), &subject, call.function, place, here);
            given.push(shape);
        }
        made(call.function, given)
    }

    /// Reports a value that is not always of the type that is needed.
    fn wants(&mut self, shape: &Shape, takes: Takes, subject: &str, by: &str, place: &str, here: &Here<'_>) {
        let fits = |shape: &&Shape| match (shape, takes) {
            (Shape::Any, _) | (_, Takes::Anything) => true,
            (Shape::Plain(given), Takes::Plain(wanted)) => *given == wanted,
            (Shape::List { .. } | Shape::Tuple(_), Takes::List) | (Shape::Object(_), Takes::Object) => true,
            _ => false,
        };
        let Some(wrong) = shape.alternatives().iter().find(|shape| !fits(shape)) else { return };
        let wanted = match takes {
            Takes::Plain(wanted) => Shape::Plain(wanted).word(),
            Takes::List => "a list",
            Takes::Object => "an object",
            Takes::Anything => "anything",
        };
        let problem = format!("{by} needs {wanted}, but {subject} is {} coming from {}", wrong.word(), here.from);
        self.mistyped(subject, problem, place, here);
    }

    /// Reports a comparison that cannot hold.
    pub(super) fn compares(&mut self, shape: &Shape, wanted: Type, path: &str, by: &str, place: &str, here: &Here<'_>) {
        self.wants(shape, Takes::Plain(wanted), path, by, place, here);
    }

    fn mistyped(&mut self, subject: &str, problem: String, place: &str, here: &Here<'_>) {
        self.findings.add(Finding {
            state: Some(here.name.to_owned()),
            place: place.to_owned(),
            kind: Kind::Type,
            subject: subject.to_owned(),
            problem,
            fix: "name a value of that type, or use what fits this one; a comparison of another type is never true"
                .into(),
        });
    }
}

/// Returns what a function's argument must be.
fn takes(function: &str, at: usize) -> Takes {
    match (function, at) {
        ("States.StringToJson" | "States.Base64Encode" | "States.Base64Decode" | "States.StringSplit", _)
        | ("States.Format", 0)
        | ("States.Hash", 1) => Takes::Plain(Type::String),
        ("States.MathAdd" | "States.MathRandom" | "States.ArrayRange", _)
        | ("States.ArrayGetItem" | "States.ArrayPartition", 1) => Takes::Plain(Type::Number),
        (
            "States.ArrayPartition"
            | "States.ArrayContains"
            | "States.ArrayGetItem"
            | "States.ArrayLength"
            | "States.ArrayUnique",
            0,
        ) => Takes::List,
        ("States.JsonMerge", 0 | 1) => Takes::Object,
        _ => Takes::Anything,
    }
}

/// Returns a function's result.
fn made(function: &str, given: Vec<Shape>) -> Shape {
    let item = |shape: Option<&Shape>| shape.map_or(Shape::Any, |shape| shape.look(&[Piece::Some]).shape());
    match function {
        "States.Format"
        | "States.JsonToString"
        | "States.Base64Encode"
        | "States.Base64Decode"
        | "States.Hash"
        | "States.UUID" => Shape::STRING,
        "States.Array" => Shape::Tuple(given),
        "States.ArrayPartition" => Shape::list(given.into_iter().next().unwrap_or(Shape::Any)),
        "States.ArrayContains" => Shape::Plain(Type::Boolean),
        "States.ArrayRange" => Shape::list(Shape::NUMBER),
        "States.ArrayUnique" => item(given.first()),
        "States.ArrayGetItem" => match item(given.first()) {
            Shape::List { item, .. } => *item,
            _ => Shape::Any,
        },
        "States.ArrayLength" | "States.MathAdd" | "States.MathRandom" => Shape::NUMBER,
        "States.StringSplit" => Shape::list(Shape::STRING),
        _ => Shape::Any,
    }
}
