//! What is known of a document before it exists: its fields, whether each is always there, and their types.

use std::collections::BTreeMap;

use stagehost_asl::inspect::{Piece, Type};

/// The values that are possible.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    /// Any value.
    Any,
    /// A value without parts.
    Plain(Type),
    /// An object.
    Object(Object),
    /// Items of one shape; at least `least` of them.
    List {
        /// The shape of each item.
        item: Box<Shape>,
        /// How many there are at least.
        least: usize,
    },
    /// A list with a shape for each item.
    Tuple(Vec<Shape>),
    /// One of these; never empty, and never nested.
    OneOf(Vec<Shape>),
}

/// An object.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Object {
    /// Its name for people: `the batch document`.
    pub what: String,
    /// Fields by name.
    pub fields: BTreeMap<String, Field>,
    /// Whether there may be other fields.
    pub open: bool,
}

/// One field of an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// The value's shape.
    pub shape: Shape,
    /// Whether it is always there.
    pub always: bool,
}

/// The result of a path.
#[derive(Debug, Default)]
pub struct Lookup {
    /// The shapes that it may find.
    pub shapes: Vec<Shape>,
    /// The places where it may find nothing.
    pub missing: Vec<Missing>,
}

/// A place where a path ends early.
#[derive(Clone, Debug, PartialEq)]
pub struct Missing {
    /// Why, in one clause.
    pub why: String,
    /// The names that are there instead.
    pub instead: Vec<String>,
    /// Whether it always ends there.
    pub never: bool,
}

impl Lookup {
    /// Returns the shape of the value, if there is one.
    pub fn shape(self) -> Shape {
        Shape::one_of(self.shapes)
    }

    /// Returns whether it never finds anything.
    pub fn never(&self) -> bool {
        self.shapes.is_empty()
    }

    fn miss(&mut self, why: String, instead: Vec<String>, never: bool) {
        self.missing.push(Missing { why, instead, never });
    }
}

impl Object {
    /// Returns an object that always has exactly these fields.
    pub fn of(what: impl Into<String>, fields: impl IntoIterator<Item = (&'static str, Shape)>) -> Self {
        let always = |(name, shape): (&str, Shape)| (name.to_owned(), Field { shape, always: true });
        Self { what: what.into(), fields: fields.into_iter().map(always).collect(), open: false }
    }

    fn names(&self) -> Vec<String> {
        self.fields.keys().cloned().collect()
    }
}

impl Shape {
    /// Any text.
    pub const STRING: Shape = Shape::Plain(Type::String);
    /// Any number.
    pub const NUMBER: Shape = Shape::Plain(Type::Number);

    /// Returns one of several shapes; `Any` without any.
    pub fn one_of(shapes: impl IntoIterator<Item = Shape>) -> Self {
        let mut found: Vec<Shape> = Vec::new();
        for shape in shapes {
            let all = match shape {
                Shape::OneOf(all) => all,
                other => vec![other],
            };
            for shape in all {
                if !found.contains(&shape) {
                    found.push(shape);
                }
            }
        }
        match found.len() {
            0 => Shape::Any,
            1 => found.remove(0),
            _ => Shape::OneOf(found),
        }
    }

    /// Returns every single shape that it may be.
    pub fn alternatives(&self) -> &[Shape] {
        match self {
            Shape::OneOf(all) => all,
            other => std::slice::from_ref(other),
        }
    }

    /// Returns a list of any length.
    pub fn list(item: Shape) -> Self {
        Shape::List { item: Box::new(item), least: 0 }
    }

    /// Returns its type in a word.
    pub fn word(&self) -> &'static str {
        match self {
            Shape::Any => "anything",
            Shape::Plain(Type::String) => "a text",
            Shape::Plain(Type::Number) => "a number",
            Shape::Plain(Type::Boolean) => "true or false",
            Shape::Plain(Type::Null) => "null",
            Shape::Object(_) => "an object",
            Shape::List { .. } | Shape::Tuple(_) => "a list",
            Shape::OneOf(_) => "one of several",
        }
    }

    /// Returns the number of its parts, counted up to `most`.
    pub fn parts(&self, most: usize) -> usize {
        let inner: Box<dyn Iterator<Item = &Shape>> = match self {
            Shape::Any | Shape::Plain(_) => return 1,
            Shape::Object(object) => Box::new(object.fields.values().map(|field| &field.shape)),
            Shape::List { item, .. } => Box::new(std::iter::once(&**item)),
            Shape::Tuple(all) | Shape::OneOf(all) => Box::new(all.iter()),
        };
        let mut count = 1;
        for shape in inner {
            if count >= most {
                break;
            }
            count += shape.parts(most - count);
        }
        count
    }

    /// Follows a path.
    pub fn look(&self, pieces: &[Piece]) -> Lookup {
        let mut found = Lookup::default();
        self.follow(pieces, &mut found);
        found
    }

    fn follow(&self, pieces: &[Piece], found: &mut Lookup) {
        let Some((piece, rest)) = pieces.split_first() else {
            found.shapes.extend(self.alternatives().iter().cloned());
            return;
        };
        match (self, piece) {
            (Shape::Any, _) => found.shapes.push(Shape::Any),
            (Shape::OneOf(all), _) => all.iter().for_each(|shape| shape.follow(pieces, found)),
            (_, Piece::Deep) => found.shapes.push(Shape::list(Shape::Any)),
            (Shape::Object(object), Piece::Name(name)) => match object.fields.get(name) {
                Some(field) => {
                    if !field.always {
                        found.miss(format!("{} does not always have the field `{name}`", object.what), vec![], false);
                    }
                    field.shape.follow(rest, found);
                }
                None if object.open => {
                    found.miss(format!("{} need not have the field `{name}`", object.what), object.names(), false);
                    found.shapes.push(Shape::Any);
                }
                None => found.miss(format!("{} has no field `{name}`", object.what), object.names(), true),
            },
            (Shape::Tuple(items), Piece::Index(index)) => match position(*index, items.len()) {
                Some(at) => items[at].follow(rest, found),
                None => found.miss(format!("the list has {} items", items.len()), vec![], true),
            },
            (Shape::List { item, least }, Piece::Index(index)) => {
                if position(*index, *least).is_none() {
                    found.miss("the list may be shorter".to_owned(), vec![], false);
                }
                item.follow(rest, found);
            }
            (Shape::Object(object), Piece::Some) => {
                let values: Vec<Shape> = object.fields.values().map(|field| field.shape.clone()).collect();
                let values = if object.open || values.is_empty() { Shape::Any } else { Shape::one_of(values) };
                values.each(rest, found);
            }
            (Shape::List { item, .. }, Piece::Some) => item.each(rest, found),
            (Shape::Tuple(items), Piece::Some) => Shape::one_of(items.iter().cloned()).each(rest, found),
            (Shape::Plain(_), _) | (Shape::Object(_), Piece::Index(_)) => {
                found.miss(format!("`{piece}` is asked of {}", self.word()), vec![], true);
            }
            (Shape::List { .. } | Shape::Tuple(_), Piece::Name(_)) => {
                found.miss(format!("`{piece}` is asked of a list"), vec![], true);
            }
        }
    }

    /// Follows a path that may find many values: it is a fault only if it never finds any.
    fn each(&self, rest: &[Piece], found: &mut Lookup) {
        let inner = self.look(rest);
        match inner.never() {
            true => found.missing.extend(inner.missing),
            false => found.shapes.push(Shape::list(inner.shape())),
        }
    }

    /// Returns the shape with `value` where a reference path points.
    ///
    /// # Errors
    /// Why it cannot be put there, in a clause.
    pub fn write(&self, pieces: &[Piece], value: &Shape) -> Result<Shape, String> {
        let Some((piece, rest)) = pieces.split_first() else { return Ok(value.clone()) };
        Ok(match (self, piece) {
            (Shape::Any, _) => Shape::Any,
            (Shape::OneOf(all), _) => {
                Shape::one_of(all.iter().map(|shape| shape.write(pieces, value)).collect::<Result<Vec<_>, _>>()?)
            }
            (Shape::Object(object), Piece::Name(name)) => {
                let fresh = Shape::Object(Object::of(format!("`{name}` of {}", object.what), []));
                let before = match object.fields.get(name) {
                    Some(Field { shape, always: true }) => shape.clone(),
                    Some(Field { shape, always: false }) => Shape::one_of([shape.clone(), fresh]),
                    None if object.open => Shape::Any,
                    None => fresh,
                };
                let mut object = object.clone();
                object.fields.insert(name.clone(), Field { shape: before.write(rest, value)?, always: true });
                Shape::Object(object)
            }
            (Shape::Tuple(items), Piece::Index(index)) => {
                let at = position(*index, items.len()).ok_or(format!("the list has {} items", items.len()))?;
                let mut items = items.clone();
                items[at] = items[at].write(rest, value)?;
                Shape::Tuple(items)
            }
            (Shape::List { least, .. }, Piece::Index(index)) if position(*index, *least).is_none() => {
                return Err("the list may be shorter".to_owned());
            }
            (Shape::List { item, least }, Piece::Index(_)) => {
                let written = item.write(rest, value)?;
                Shape::List { item: Box::new(Shape::one_of([(**item).clone(), written])), least: *least }
            }
            _ => return Err(format!("`{piece}` cannot be put into {}", self.word())),
        })
    }

    /// Returns what is known if a path finds something (`true`) or nothing; `None` if that is impossible.
    pub fn given(&self, pieces: &[Piece], present: bool) -> Option<Shape> {
        let Some((piece, rest)) = pieces.split_first() else { return present.then(|| self.clone()) };
        match (self, piece) {
            (Shape::OneOf(all), _) => {
                let left: Vec<Shape> = all.iter().filter_map(|shape| shape.given(pieces, present)).collect();
                (!left.is_empty()).then(|| Shape::one_of(left))
            }
            (Shape::Object(object), Piece::Name(name)) => {
                let mut object = object.clone();
                match object.fields.get(name).cloned() {
                    None if object.open && present => {
                        object.fields.insert(name.clone(), Field { shape: Shape::Any, always: true });
                    }
                    None if object.open || !present => {}
                    None => return None,
                    Some(field) => match (field.shape.given(rest, present), field.always) {
                        (Some(shape), always) => {
                            object.fields.insert(name.clone(), Field { shape, always: always || present });
                        }
                        (None, false) if !present => drop(object.fields.remove(name)),
                        (None, _) => return None,
                    },
                }
                Some(Shape::Object(object))
            }
            (Shape::Tuple(items), Piece::Index(index)) => {
                let Some(at) = position(*index, items.len()) else { return (!present).then(|| self.clone()) };
                let mut items = items.clone();
                items[at] = items[at].given(rest, present)?;
                Some(Shape::Tuple(items))
            }
            (Shape::List { item, least }, Piece::Index(index)) if present => {
                let needed = usize::try_from(*index).map_or(1, |index| index + 1);
                Some(Shape::List { item: item.clone(), least: needed.max(*least) })
            }
            (Shape::Plain(_), _) => (!present).then(|| self.clone()),
            _ => Some(self.clone()),
        }
    }

    /// Returns what is known if the value of a path has a type (`true`), or does not have it.
    pub fn given_type(&self, pieces: &[Piece], wanted: Type, is: bool) -> Shape {
        match (self, pieces.split_first()) {
            (Shape::OneOf(all), None) => {
                let fits = |shape: &&Shape| **shape == Shape::Any || (**shape == Shape::Plain(wanted)) == is;
                Shape::one_of(all.iter().filter(fits).cloned())
            }
            (Shape::OneOf(all), Some(_)) => Shape::one_of(all.iter().map(|shape| shape.given_type(pieces, wanted, is))),
            (Shape::Object(object), Some((Piece::Name(name), rest))) => {
                let mut object = object.clone();
                if let Some(field) = object.fields.get_mut(name) {
                    field.shape = field.shape.given_type(rest, wanted, is);
                }
                Shape::Object(object)
            }
            _ => self.clone(),
        }
    }
}

/// Returns the item that an index, counted from the end if negative, points to in a list of this length.
fn position(index: i64, length: usize) -> Option<usize> {
    let at = if index < 0 { i64::try_from(length).ok()?.checked_add(index)? } else { index };
    usize::try_from(at).ok().filter(|at| *at < length)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn pieces(path: &str) -> Vec<Piece> {
        stagehost_asl::inspect::path(path).unwrap().pieces
    }

    fn batch() -> Shape {
        let counts = Object::of("counts", [("valid", Shape::NUMBER)]);
        let mut batch =
            Object::of("the batch", [("counts", Shape::Object(counts)), ("assets", Shape::list(Shape::STRING))]);
        batch.fields.insert("note".into(), Field { shape: Shape::STRING, always: false });
        Shape::Object(batch)
    }

    #[test]
    fn a_path_finds_what_is_there_and_says_what_is_not() {
        let found = batch().look(&pieces("$.counts.valid"));
        assert!(found.missing.is_empty() && found.shapes == [Shape::NUMBER]);
        let found = batch().look(&pieces("$.counts.good"));
        assert!(found.never() && found.missing[0].instead == ["valid"]);
        let found = batch().look(&pieces("$.note"));
        assert!(!found.never() && !found.missing[0].never);
        assert!(batch().look(&pieces("$.assets[0]")).missing[0].why.contains("shorter"));
        assert!(batch().look(&pieces("$.assets[*]")).missing.is_empty());
        assert!(batch().look(&pieces("$.assets[*].key")).never());
    }

    #[test]
    fn a_path_must_be_there_in_every_case() {
        let two = Shape::one_of([batch(), Shape::Object(Object::of("the head", []))]);
        let found = two.look(&pieces("$.counts"));
        assert_eq!((found.shapes.len(), found.missing.len()), (1, 1));
    }

    #[test]
    fn what_is_known_to_be_there_is_there_from_then_on() {
        let known = batch().given(&pieces("$.note"), true).unwrap();
        assert!(known.look(&pieces("$.note")).missing.is_empty());
        let known = batch().given(&pieces("$.note"), false).unwrap();
        assert!(known.look(&pieces("$.note")).never());
        assert_eq!(batch().given(&pieces("$.counts"), false), None);
        let known = batch().given(&pieces("$.assets[1]"), true).unwrap();
        assert!(known.look(&pieces("$.assets[0]")).missing.is_empty());
    }

    #[test]
    fn writing_makes_what_is_missing_and_refuses_what_holds_nothing() {
        let written = batch().write(&pieces("$.error.state"), &Shape::STRING).unwrap();
        assert_eq!(written.look(&pieces("$.error.state")).shapes, [Shape::STRING]);
        assert!(batch().write(&pieces("$.counts.valid.x"), &Shape::STRING).unwrap_err().contains("a number"));
    }
}
