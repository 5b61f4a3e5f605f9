//! The computation of each function. Every limit is the service's.

use std::borrow::Cow;
use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Map, Value};
use sha2::Digest as _;

use super::function::Function;
use crate::expressions::numbers::compare;

/// The most characters that the encoding and hashing functions take.
const MOST_CHARACTERS: usize = 10_000;
/// The most items that `States.ArrayRange` makes.
const MOST_RANGE: i64 = 1_000;

/// Computes a call. `template` is the first argument cut at its placeholders, if it was written as a string.
///
/// # Errors
/// The reason, if an argument is wrong.
pub(super) fn apply(
    function: Function,
    template: Option<&[String]>,
    arguments: &[Cow<'_, Value>],
) -> Result<Value, String> {
    let values: Vec<&Value> = arguments.iter().map(AsRef::as_ref).collect();
    match (function, values.as_slice()) {
        (Function::Format, [first, rest @ ..]) => format(template, first, rest),
        (Function::StringToJson, [text]) => string_to_json(string(text)?),
        (Function::JsonToString, [value]) => Ok(value.to_string().into()),
        (Function::Array, values) => Ok(values.iter().map(|value| (*value).clone()).collect()),
        (Function::ArrayPartition, [items, size]) => partition(array(items)?, integer(size)?),
        (Function::ArrayContains, [items, wanted]) => Ok(array(items)?.iter().any(|item| same(item, wanted)).into()),
        (Function::ArrayRange, [first, last, step]) => range(integer(first)?, integer(last)?, integer(step)?),
        (Function::ArrayGetItem, [items, index]) => item(array(items)?, integer(index)?),
        (Function::ArrayLength, [items]) => Ok(array(items)?.len().into()),
        (Function::ArrayUnique, [items]) => Ok(unique(array(items)?)),
        (Function::Base64Encode, [text]) => Ok(STANDARD.encode(short(string(text)?)?).into()),
        (Function::Base64Decode, [text]) => decode(short(string(text)?)?),
        (Function::Hash, [data, algorithm]) => hash(data, string(algorithm)?),
        (Function::JsonMerge, [left, right, deep]) => merge(object(left)?, object(right)?, deep),
        (Function::MathRandom, [start, end]) => random(integer(start)?, integer(end)?, None),
        (Function::MathRandom, [start, end, seed]) => random(integer(start)?, integer(end)?, Some(integer(seed)?)),
        (Function::MathAdd, [left, right]) => add(integer(left)?, integer(right)?),
        (Function::StringSplit, [text, splitter]) => Ok(split(string(text)?, string(splitter)?)),
        (Function::Uuid, []) => Ok(uuid::Uuid::new_v4().to_string().into()),
        (_, values) => Err(format!("it does not take {} arguments", values.len())),
    }
}

fn string(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("expected a string but got {}", describe(value)))
}

fn array(value: &Value) -> Result<&[Value], String> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| format!("expected an array but got {}", describe(value)))
}

fn object(value: &Value) -> Result<&Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("expected a JSON object but got {}", describe(value)))
}

/// Returns a number rounded to the nearest integer, halves up as Java rounds: -1.5 is -1.
fn integer(value: &Value) -> Result<i64, String> {
    let fail = || format!("expected an integer but got {}", describe(value));
    if let Some(whole) = value.as_i64() {
        return Ok(whole);
    }
    let number = value.as_f64().ok_or_else(fail)?;
    // The sum of 0.5 and the number just below it would be 1.
    let number = if number.fract() == -0.5 { number.ceil() } else { number.round() };
    // Beyond 2^53 a floating-point number is not an exact integer.
    if number.abs() > 9.0e15 {
        return Err(fail());
    }
    #[allow(clippy::cast_possible_truncation)]
    Ok(number as i64)
}

fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(_) => "a string".into(),
        Value::Array(_) => "an array".into(),
        Value::Object(_) => "a JSON object".into(),
    }
}

fn short(text: &str) -> Result<&str, String> {
    match text.chars().nth(MOST_CHARACTERS) {
        None => Ok(text),
        Some(_) => Err(format!("the string is longer than {MOST_CHARACTERS} characters")),
    }
}

/// Returns whether values are equal as in JSON: `1` and `1.0` are the same number.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare(left, right) == Some(Ordering::Equal),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, value)| right.get(name).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}

fn format(template: Option<&[String]>, first: &Value, values: &[&Value]) -> Result<Value, String> {
    let pieces: Vec<&str> = match template {
        Some(pieces) => pieces.iter().map(String::as_str).collect(),
        None => string(first)?.split("{}").collect(),
    };
    let places = pieces.len() - 1;
    if places != values.len() {
        return Err(format!("the template has {places} placeholders but there are {} values", values.len()));
    }
    let mut text = String::new();
    for (at, piece) in pieces.iter().enumerate() {
        if let Some(value) = at.checked_sub(1).and_then(|at| values.get(at)) {
            write(value, &mut text);
        }
        text.push_str(piece);
    }
    Ok(text.into())
}

/// Appends a value to `text` as `States.Format` of the service writes it: lists and maps as Java prints them, not as
/// JSON.
fn write(value: &Value, text: &mut String) {
    match value {
        Value::String(value) => text.push_str(value),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                text.push_str(if at > 0 { ", " } else { "" });
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            text.push('{');
            for (at, (name, value)) in fields.iter().enumerate() {
                text.push_str(if at > 0 { ", " } else { "" });
                text.push_str(name);
                text.push('=');
                write(value, text);
            }
            text.push('}');
        }
        other => text.push_str(&other.to_string()),
    }
}

fn string_to_json(text: &str) -> Result<Value, String> {
    if text.trim().is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text).map_err(|error| format!("the string is not valid JSON: {error}"))
}

fn partition(items: &[Value], size: i64) -> Result<Value, String> {
    match usize::try_from(size) {
        Ok(size) if size > 0 => Ok(items.chunks(size).map(Value::from).collect()),
        _ => Err(format!("the chunk size must be a positive integer but was {size}")),
    }
}

fn range(first: i64, last: i64, step: i64) -> Result<Value, String> {
    if step == 0 {
        return Err("the increment must not be 0".into());
    }
    let distance = i128::from(last) - i128::from(first);
    let steps = distance / i128::from(step);
    // A step away from the end makes an empty range.
    if steps < 0 || (steps == 0 && distance != 0 && (distance < 0) != (step < 0)) {
        return Ok(Value::Array(Vec::new()));
    }
    if steps >= i128::from(MOST_RANGE) {
        return Err(format!("the range has more than {MOST_RANGE} items"));
    }
    let steps = i64::try_from(steps).map_err(|error| error.to_string())?;
    Ok((0..=steps).map(|at| first + at * step).collect())
}

fn item(items: &[Value], index: i64) -> Result<Value, String> {
    let found = usize::try_from(index).ok().and_then(|index| items.get(index));
    found.cloned().ok_or_else(|| format!("the index {index} is outside of the array of {} items", items.len()))
}

fn unique(items: &[Value]) -> Value {
    let mut seen = std::collections::HashSet::new();
    let mut text = String::new();
    let mut new = |item: &&Value| {
        text.clear();
        canonical(item, &mut text);
        !seen.contains(&text) && seen.insert(text.clone())
    };
    items.iter().filter(|item| new(item)).cloned().collect()
}

/// Appends a text that is the same for values that are equal by [`same`].
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Number(number) => match number.as_i64().map(|number| number.to_string()) {
            Some(whole) => text.push_str(&whole),
            None => match number.as_f64() {
                // A whole number that floating point holds exactly is written as an integer.
                Some(float) if float.fract() == 0.0 && float.abs() < 9.0e15 => text.push_str(&format!("{float:.0}")),
                _ => text.push_str(&number.to_string()),
            },
        },
        Value::Array(items) => {
            text.push('[');
            for item in items {
                canonical(item, text);
                text.push(',');
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_unstable();
            text.push('{');
            for name in names {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                canonical(fields.get(name).unwrap_or(&Value::Null), text);
                text.push(',');
            }
            text.push('}');
        }
        other => text.push_str(&other.to_string()),
    }
}

fn decode(text: &str) -> Result<Value, String> {
    let bytes = STANDARD.decode(text).map_err(|error| format!("the string is not Base64: {error}"))?;
    String::from_utf8(bytes).map(Value::from).map_err(|_| "the decoded bytes are not UTF-8".into())
}

fn hash(data: &Value, algorithm: &str) -> Result<Value, String> {
    let text = match data {
        Value::String(text) => Cow::Borrowed(text.as_str()),
        other => Cow::Owned(other.to_string()),
    };
    let bytes = short(&text)?.as_bytes();
    let digest = match algorithm {
        "MD5" => hex::encode(md5::Md5::digest(bytes)),
        "SHA-1" => hex::encode(sha1::Sha1::digest(bytes)),
        "SHA-256" => hex::encode(sha2::Sha256::digest(bytes)),
        "SHA-384" => hex::encode(sha2::Sha384::digest(bytes)),
        "SHA-512" => hex::encode(sha2::Sha512::digest(bytes)),
        other => {
            return Err(format!(
                "'{other}' is not a hash algorithm: known are MD5, SHA-1, SHA-256, SHA-384 and SHA-512"
            ));
        }
    };
    Ok(digest.into())
}

fn merge(left: &Map<String, Value>, right: &Map<String, Value>, deep: &Value) -> Result<Value, String> {
    match deep {
        Value::Bool(false) => {}
        Value::Bool(true) => {
            return Err("only the shallow merging mode (false) is supported".into());
        }
        other => {
            return Err(format!("the merging mode must be a boolean but was {}", describe(other)));
        }
    }
    let mut merged = left.clone();
    for (name, value) in right {
        merged.insert(name.clone(), value.clone());
    }
    Ok(Value::Object(merged))
}

fn random(start: i64, end: i64, seed: Option<i64>) -> Result<Value, String> {
    if start >= end {
        return Err(format!("the start number {start} must be less than the end number {end}"));
    }
    Ok(match seed {
        #[allow(clippy::cast_sign_loss)]
        Some(seed) => StdRng::seed_from_u64(seed as u64).random_range(start..end).into(),
        None => rand::rng().random_range(start..end).into(),
    })
}

fn add(left: i64, right: i64) -> Result<Value, String> {
    let bounded = |number: i64| {
        i32::try_from(number).map(i64::from).map_err(|_| format!("{number} is outside of -2147483648 to 2147483647"))
    };
    bounded(bounded(left)? + bounded(right)?).map(Value::from)
}

/// Splits at every character of `splitter` and drops empty parts.
fn split(text: &str, splitter: &str) -> Value {
    if splitter.is_empty() {
        return Value::Array(vec![text.into()]);
    }
    text.split(|c| splitter.contains(c)).filter(|part| !part.is_empty()).map(Value::from).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use crate::expressions::intrinsics::{Budget, Expression};
    use crate::expressions::path::Scope;

    use super::*;
    use crate::expressions::context::Context;

    fn run(call: &str, input: Value) -> Result<Value, String> {
        let context = Context::of(json!({"Execution": {"Name": "run-1"}}));
        Expression::parse(call)?
            .evaluate(
                "x.$",
                Scope { input: &input, context: &context, variables: &serde_json::Map::new() },
                &Budget::new(),
            )
            .map_err(|error| format!("{}: {}", error.error, error.cause.unwrap()))
    }

    #[test]
    fn each_function_computes_what_the_documentation_shows() {
        let input = json!({
            "name": "Arnav", "template": "Hello, {}.", "text": "{\"foo\": \"bar\"}", "object": {"foo": "bar"},
            "list": [1, 2, 3, 4, 5, 6, 7, 8, 9], "same": [1, 2, 2, "a", "a", {"k": 1}, {"k": 1.0}],
            "left": {"a": {"a1": 1, "a2": 2}, "b": 2}, "right": {"a": {"a3": 1}, "c": 3}, "one": 111, "step": -1
        });
        for (call, value) in [
            ("States.Format('Hello, {}.', $.name)", json!("Hello, Arnav.")),
            ("States.Format($.template, $.name)", json!("Hello, Arnav.")),
            ("States.Format('{}-{}-{}', 1, null, $.object)", json!("1-null-{foo=bar}")),
            ("States.Format('{}', $.right)", json!("{a={a3=1}, c=3}")),
            (r"States.Format('\{{}\}', $$.Execution.Name)", json!("{run-1}")),
            ("States.StringToJson($.text)", json!({"foo": "bar"})),
            ("States.JsonToString($.object)", json!("{\"foo\":\"bar\"}")),
            ("States.Array()", json!([])),
            ("States.Array('x', 1, null, true, $.object)", json!(["x", 1, null, true, {"foo": "bar"}])),
            ("States.ArrayPartition($.list, 4)", json!([[1, 2, 3, 4], [5, 6, 7, 8], [9]])),
            ("States.ArrayContains($.list, 5)", json!(true)),
            ("States.ArrayContains($.list, 5.0)", json!(true)),
            ("States.ArrayContains($.list, '5')", json!(false)),
            ("States.ArrayRange(1, 9, 2)", json!([1, 3, 5, 7, 9])),
            ("States.ArrayRange(5, 1, -2)", json!([5, 3, 1])),
            ("States.ArrayRange(5, 1, 2)", json!([])),
            ("States.ArrayRange(1, 2, 5)", json!([1])),
            ("States.ArrayGetItem($.list, 5)", json!(6)),
            ("States.ArrayLength($.list)", json!(9)),
            ("States.ArrayUnique($.same)", json!([1, 2, "a", {"k": 1}])),
            ("States.Base64Encode('Data to encode')", json!("RGF0YSB0byBlbmNvZGU=")),
            ("States.Base64Decode('RGF0YSB0byBkZWNvZGU=')", json!("Data to decode")),
            ("States.Hash('input data', 'SHA-1')", json!("aaff4a450a104cd177d28d18d74485e8cae074b7")),
            ("States.Hash('', 'MD5')", json!("d41d8cd98f00b204e9800998ecf8427e")),
            ("States.JsonMerge($.left, $.right, false)", json!({"a": {"a3": 1}, "b": 2, "c": 3})),
            ("States.MathAdd($.one, $.step)", json!(110)),
            ("States.MathAdd(1.4, 1.6)", json!(3)),
            ("States.MathAdd(-1.5, 0)", json!(-1)),
            ("States.MathAdd(-1.49, -1.5)", json!(-2)),
            ("States.MathAdd(1.5, 1.51)", json!(4)),
            ("States.MathAdd(-2.5, 0.49999999999999994)", json!(-2)),
            ("States.StringSplit('1,2,,3', ',')", json!(["1", "2", "3"])),
            ("States.StringSplit('This.is+a,test=string', '.+,=')", json!(["This", "is", "a", "test", "string"])),
            ("States.ArrayGetItem(States.StringSplit(States.Format('{}/{}', 'a', $.name), '/'), 1)", json!("Arnav")),
        ] {
            assert_eq!(run(call, input.clone()), Ok(value), "{call}");
        }
    }

    #[test]
    fn hashes_have_the_length_of_their_algorithm() {
        for (algorithm, length) in [("MD5", 32), ("SHA-1", 40), ("SHA-256", 64), ("SHA-384", 96), ("SHA-512", 128)] {
            let value = run(&format!("States.Hash($, '{algorithm}')"), json!({"a": 1})).unwrap();
            assert_eq!(value.as_str().unwrap().len(), length);
        }
    }

    #[test]
    fn random_numbers_are_within_their_bounds_and_repeat_with_a_seed() {
        for _ in 0..50 {
            assert!((1..4).contains(&run("States.MathRandom(1, 4)", json!({})).unwrap().as_i64().unwrap()));
        }
        let seeded = || run("States.MathRandom(1, 1000000, 42)", json!({})).unwrap();
        assert_eq!(seeded(), seeded());
    }

    #[test]
    fn a_uuid_is_new_and_of_version_4() {
        let (one, two) = (run("States.UUID()", json!({})).unwrap(), run("States.UUID()", json!({})).unwrap());
        assert_ne!(one, two);
        assert_eq!(uuid::Uuid::parse_str(one.as_str().unwrap()).unwrap().get_version_num(), 4);
    }

    #[test]
    fn a_refused_argument_is_an_intrinsic_failure_that_quotes_the_call() {
        for (call, part) in [
            ("States.ArrayGetItem($, 0)", "expected an array"),
            ("States.ArrayGetItem(States.Array(1), 1)", "outside of the array"),
            ("States.ArrayPartition(States.Array(1), 0)", "positive integer"),
            ("States.ArrayRange(1, 5000, 1)", "more than 1000"),
            ("States.ArrayRange(1, 5, 0)", "must not be 0"),
            ("States.StringToJson('nope')", "not valid JSON"),
            ("States.Format('{}')", "1 placeholders but there are 0"),
            ("States.Format(1)", "expected a string"),
            ("States.Hash('a', 'CRC32')", "not a hash algorithm"),
            ("States.JsonMerge($, $, true)", "shallow"),
            ("States.JsonMerge($, 1, false)", "expected a JSON object"),
            ("States.MathAdd(2147483647, 1)", "outside of"),
            ("States.MathAdd('1', 1)", "expected an integer"),
            ("States.MathRandom(4, 4)", "must be less"),
            ("States.Base64Decode('*')", "not Base64"),
        ] {
            let error = run(call, json!({})).unwrap_err();
            assert!(error.starts_with("States.IntrinsicFailure: The function 'States."), "{call}: {error}");
            assert!(error.contains(part), "{call}: {error}");
        }
        let long = "a".repeat(10_001);
        assert!(run("States.Base64Encode($.t)", json!({"t": long})).unwrap_err().contains("longer than 10000"));
    }

    #[test]
    fn an_argument_that_finds_nothing_names_its_path() {
        let error = run("States.Array($.missing)", json!({"a": 1})).unwrap_err();
        assert_eq!(
            error,
            "States.Runtime: The function 'States.Array($.missing)' had the following error: The JsonPath argument for the \
             field '$.missing' could not be found in the input '{\"a\":1}'"
        );
    }

    #[test]
    fn an_index_of_what_is_not_an_array_is_reported_in_the_words_of_the_service_s_library() {
        assert_eq!(
            run("States.Format('{}', $.other[0])", json!({"other": 1})).unwrap_err(),
            "States.Runtime: The function 'States.Format('{}', $.other[0])' had the following error: Filter: [0] can only \
             be applied to arrays. Current context is: 1"
        );
    }

    #[test]
    fn repeating_a_large_input_ends_at_the_data_limit() {
        let call = format!("States.Array({})", vec!["States.Array($)"; 40].join(", "));
        let error = run(&call, json!("a".repeat(200_000))).unwrap_err();
        assert!(error.starts_with("States.DataLimitExceeded"), "{error}");
    }
}
