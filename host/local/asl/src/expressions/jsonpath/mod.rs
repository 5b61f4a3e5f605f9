//! JSONPath in the dialect of the service.
//!
//! The service evaluates paths with the Java library Jayway JsonPath, which is older than RFC 9535 and differs from it:
//! several names in brackets make one object, a filter applies to an object itself, a step of a slice is ignored, and a
//! path may end in a function such as `length()`. A path that can find many values gives a list, which is empty if a
//! name on the way is missing.
//!
//! A definition is untrusted, so texts are bounded in length and nesting, and a search in the number of values that it
//! visits and returns ([`Work`]).

mod compare;
mod function;
mod parse;
mod position;
mod reader;
mod search;
mod segment;
mod work;

pub(crate) use parse::segments;
pub(crate) use position::position;
pub(crate) use search::{Failure, NotFound, find, is_definite};
pub(crate) use segment::Segment;
pub(crate) use work::Work;
