//! The pieces of a path, and the filters within them: `[?(@.price > 10 && @.name in ['a', 'b'])]`.

use serde_json::Value;

use super::compare::Operator;
use super::function::Function;

/// One piece of a path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Segment {
    /// `.name`, `['name']` or `['one','two']`; never empty.
    Names(Vec<String>),
    /// `[0]`, `[-1]` or `[0,1]`; never empty. A negative one counts from the end.
    Indices(Vec<i64>),
    /// `[from:to]`; one of the two is given.
    Slice { from: Option<i64>, to: Option<i64> },
    /// `.*` or `[*]`
    Wildcard,
    /// `[?(…)]`
    Filter(Filter),
    /// `..`: the next segment applies to the value and to all its descendants.
    Deep,
    /// `.length()`, the last segment only.
    Function(Function),
}

/// A condition on one value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Filter {
    And(Vec<Filter>),
    Or(Vec<Filter>),
    Not(Box<Filter>),
    /// A path that finds a value.
    Exists(Operand),
    Compare {
        left: Operand,
        operator: Operator,
        right: Operand,
    },
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    /// `@…` reads the value that is tested, `$…` the whole document.
    Path {
        root: bool,
        segments: Vec<Segment>,
    },
    Literal(Value),
    Pattern(Pattern),
}

/// A regular expression, which must match the whole text.
#[derive(Clone, Debug)]
pub(crate) struct Pattern(pub(super) regex::Regex);

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}
