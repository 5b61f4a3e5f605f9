//! Intrinsic functions: the small computations that a definition can do without a task.

mod functions;
mod parse;

use std::borrow::Cow;
use std::cell::Cell;

use serde_json::{Number, Value};

use crate::error::{StateError, quoted};
use crate::limits::{PAYLOAD_BYTES, json_bytes};
use crate::path::{Path, Scope};

/// Something that is computed from the input and the context object: a path or a function call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expression {
    Path(Path),
    Call(Call),
}

/// A call of an intrinsic function.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Call {
    /// As written; errors quote it.
    text: String,
    function: Function,
    arguments: Vec<Argument>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Argument {
    Path(Path),
    Call(Call),
    Text(Text),
    Number(Number),
    Bool(bool),
    Null,
}

/// A string between single quotes. An escaped brace is a brace; only an unescaped pair is a placeholder, so where those
/// stand is remembered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// The string cut at its placeholders.
    pieces: Vec<String>,
}

impl Text {
    fn whole(&self) -> String {
        self.pieces.join("{}")
    }
}

/// The functions there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Format,
    StringToJson,
    JsonToString,
    Array,
    ArrayPartition,
    ArrayContains,
    ArrayRange,
    ArrayGetItem,
    ArrayLength,
    ArrayUnique,
    Base64Encode,
    Base64Decode,
    Hash,
    JsonMerge,
    MathRandom,
    MathAdd,
    StringSplit,
    Uuid,
}

impl Function {
    const ALL: [(&'static str, Self); 18] = [
        ("States.Format", Self::Format),
        ("States.StringToJson", Self::StringToJson),
        ("States.JsonToString", Self::JsonToString),
        ("States.Array", Self::Array),
        ("States.ArrayPartition", Self::ArrayPartition),
        ("States.ArrayContains", Self::ArrayContains),
        ("States.ArrayRange", Self::ArrayRange),
        ("States.ArrayGetItem", Self::ArrayGetItem),
        ("States.ArrayLength", Self::ArrayLength),
        ("States.ArrayUnique", Self::ArrayUnique),
        ("States.Base64Encode", Self::Base64Encode),
        ("States.Base64Decode", Self::Base64Decode),
        ("States.Hash", Self::Hash),
        ("States.JsonMerge", Self::JsonMerge),
        ("States.MathRandom", Self::MathRandom),
        ("States.MathAdd", Self::MathAdd),
        ("States.StringSplit", Self::StringSplit),
        ("States.UUID", Self::Uuid),
    ];

    fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
    }

    /// How many arguments it takes: at least, at most.
    fn arity(self) -> (usize, usize) {
        match self {
            Self::Uuid => (0, 0),
            Self::Array => (0, usize::MAX),
            Self::Format => (1, usize::MAX),
            Self::StringToJson
            | Self::JsonToString
            | Self::ArrayLength
            | Self::ArrayUnique
            | Self::Base64Encode
            | Self::Base64Decode => (1, 1),
            Self::ArrayPartition
            | Self::ArrayContains
            | Self::ArrayGetItem
            | Self::Hash
            | Self::MathAdd
            | Self::StringSplit => (2, 2),
            Self::MathRandom => (2, 3),
            Self::ArrayRange | Self::JsonMerge => (3, 3),
        }
    }
}

/// How much may still be built. A definition can repeat a large input many times over before any result is measured.
#[derive(Debug)]
pub(crate) struct Budget(Cell<usize>);

impl Budget {
    /// Enough for any result that could pass, with room for what is thrown away on the way.
    pub fn new() -> Self {
        Self(Cell::new(8 * PAYLOAD_BYTES))
    }

    /// Charges for a value that is about to be kept.
    pub fn charge(&self, value: &Value) -> Result<(), StateError> {
        let left = self.0.get().checked_sub(json_bytes(value));
        self.0.set(left.unwrap_or(0));
        left.map(drop).ok_or_else(|| StateError::data_limit("States.Payload"))
    }
}

impl Expression {
    /// Reads a path (`$…`) or a call (`States.…`).
    ///
    /// # Errors
    /// A sentence for a finding.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.starts_with('$') {
            return Path::parse(text).map(Self::Path).map_err(|error| error.to_string());
        }
        parse::call(text).map(Self::Call)
    }

    /// Computes the value. `field` is the name of the field that holds the expression.
    pub fn evaluate(&self, field: &str, scope: Scope<'_>, budget: &Budget) -> Result<Value, StateError> {
        match self {
            Self::Path(path) => {
                let Some(value) = path.find(scope) else {
                    return Err(not_found(path, field, scope));
                };
                budget.charge(&value)?;
                Ok(value.into_owned())
            }
            Self::Call(call) => call.evaluate(scope, budget),
        }
    }
}

/// The failure of a path in `field`.
pub(crate) fn not_found(path: &Path, field: &str, scope: Scope<'_>) -> StateError {
    let input = quoted(path.base(scope));
    let path = path.text();
    StateError::parameter_path(format!(
        "The JSONPath '{path}' specified for the field '{field}' could not be found in the input '{input}'"
    ))
}

impl Call {
    /// The function's name.
    pub fn name(&self) -> &'static str {
        Function::ALL.iter().find(|(_, function)| *function == self.function).map_or("", |(name, _)| name)
    }

    /// What it is given.
    pub fn arguments(&self) -> &[Argument] {
        &self.arguments
    }

    fn evaluate(&self, scope: Scope<'_>, budget: &Budget) -> Result<Value, StateError> {
        let mut values = Vec::with_capacity(self.arguments.len());
        for argument in &self.arguments {
            values.push(argument.evaluate(scope, budget)?);
        }
        let template = match self.arguments.first() {
            Some(Argument::Text(text)) => Some(text.pieces.as_slice()),
            _ => None,
        };
        let value = functions::apply(self.function, template, &values)
            .map_err(|reason| StateError::intrinsic(&self.text, &reason))?;
        budget.charge(&value)?;
        Ok(value)
    }
}

impl Argument {
    fn evaluate<'a>(&self, scope: Scope<'a>, budget: &Budget) -> Result<Cow<'a, Value>, StateError> {
        Ok(match self {
            Self::Path(path) => path.find(scope).ok_or_else(|| {
                StateError::parameter_path(format!(
                    "The JsonPath argument for the field '{}' could not be found in the input '{}'",
                    path.text(),
                    quoted(path.base(scope))
                ))
            })?,
            Self::Call(call) => Cow::Owned(call.evaluate(scope, budget)?),
            Self::Text(text) => Cow::Owned(Value::String(text.whole())),
            Self::Number(number) => Cow::Owned(Value::Number(number.clone())),
            Self::Bool(value) => Cow::Owned(Value::Bool(*value)),
            Self::Null => Cow::Owned(Value::Null),
        })
    }
}
