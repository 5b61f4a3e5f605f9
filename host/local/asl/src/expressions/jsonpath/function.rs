//! The functions with which a path can end.

use std::borrow::Cow;

use serde_json::{Number, Value};

use super::position::position;
use super::reader::Reader;

/// A function at the end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Length,
    Keys,
    First,
    Last,
    /// `index(n)`; counts from the end if negative.
    Index(i64),
    Min,
    Max,
    Sum,
    Avg,
    Stddev,
}

impl Function {
    /// Reads the parentheses after the name.
    pub(super) fn read(name: &str, reader: &mut Reader<'_>) -> Result<Self, String> {
        reader.take("(");
        let argument = reader.until(|c| c == ')').trim();
        if !reader.take(")") {
            return Err(format!("the function '{name}' is not closed"));
        }
        let function = match (name, argument) {
            ("index", number) => {
                let number = number.parse().map_err(|_| "the function 'index' takes one whole number".to_owned())?;
                return Ok(Self::Index(number));
            }
            ("length" | "size", "") => Self::Length,
            ("keys", "") => Self::Keys,
            ("first", "") => Self::First,
            ("last", "") => Self::Last,
            ("min", "") => Self::Min,
            ("max", "") => Self::Max,
            ("sum", "") => Self::Sum,
            ("avg", "") => Self::Avg,
            ("stddev", "") => Self::Stddev,
            ("length" | "size" | "keys" | "first" | "last" | "min" | "max" | "sum" | "avg" | "stddev", _) => {
                return Err(format!("the function '{name}' takes no argument here; use an intrinsic function"));
            }
            _ => return Err(format!("there is no function '{name}'; use an intrinsic function")),
        };
        Ok(function)
    }

    /// Computes the function. Numbers are floating point, as the library computes them.
    ///
    /// # Errors
    /// The reason, if the value has no such result.
    pub(super) fn apply(self, value: &Value) -> Result<Cow<'_, Value>, String> {
        let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
        let computed = match self {
            Self::Length => match value {
                Value::Array(items) => items.len().into(),
                Value::Object(fields) => fields.len().into(),
                _ => Value::Null,
            },
            Self::Keys => match value {
                Value::Object(fields) => fields.keys().cloned().map(Value::from).collect(),
                _ => return Err("the function 'keys' needs an object".into()),
            },
            Self::First => return items.first().map(Cow::Borrowed).ok_or_else(empty),
            Self::Last => return items.last().map(Cow::Borrowed).ok_or_else(empty),
            Self::Index(index) => {
                let at = position(index, items.len());
                return at.and_then(|at| items.get(at)).map(Cow::Borrowed).ok_or_else(empty);
            }
            Self::Min | Self::Max | Self::Sum | Self::Avg | Self::Stddev => self.aggregate(items)?,
        };
        Ok(Cow::Owned(computed))
    }

    fn aggregate(self, items: &[Value]) -> Result<Value, String> {
        let numbers: Vec<f64> = items.iter().filter_map(Value::as_f64).collect();
        if numbers.is_empty() {
            return Err(empty());
        }
        #[allow(clippy::cast_precision_loss)]
        let count = numbers.len() as f64;
        let sum: f64 = numbers.iter().sum();
        let result = match self {
            Self::Min => numbers.iter().copied().fold(f64::INFINITY, f64::min),
            Self::Max => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            Self::Avg => sum / count,
            Self::Stddev => {
                let squares: f64 = numbers.iter().map(|number| number * number).sum();
                (squares / count - (sum / count).powi(2)).max(0.0).sqrt()
            }
            _ => sum,
        };
        Number::from_f64(result).map(Value::Number).ok_or_else(|| "the result is not a finite number".into())
    }
}

fn empty() -> String {
    "Aggregation function attempted to calculate value using empty array".into()
}
