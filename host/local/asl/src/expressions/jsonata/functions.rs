//! The functions that the service adds to JSONata, and `$eval`, which it removes.

use jsonata_core::evaluator::{Evaluator, EvaluatorError};
use jsonata_core::value::JValue;
use md5::Md5;
use serde_json::Value;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384, Sha512};

use super::engine::{Failure, MOST_BYTES};
use super::failures::{Answer, Named, coded, memory, signature};
use super::guards;
use super::java_random::JavaRandom;
use super::values;

/// The most items of `$range`; the service refuses one more.
const MOST_RANGE: i128 = 360_145;

/// Registers the functions.
///
/// # Errors
/// A name that the library does not let us register.
pub(super) fn register(evaluator: &mut Evaluator) -> Result<(), Failure> {
    let functions: [Named; 9] = [
        ("partition", partition),
        ("range", range),
        ("hash", hash),
        ("random", random),
        ("uuid", uuid),
        ("parse", parse),
        ("eval", |_| Err(coded("T1006", "Attempted to invoke a non-function"))),
        ("pad", pad),
        ("encodeUrl", encode_url),
    ];
    for (name, function) in functions.into_iter().chain(guards::FUNCTIONS) {
        let registered = evaluator.register_fn_override(name, function);
        registered.map_err(|error| Failure::Coded(error.message().to_owned()))?;
    }
    Ok(())
}

/// Checks that at most `most` arguments are given.
///
/// `$map` and `$filter` call a function with an item, its position and the array. The function takes as many of these as it has
/// parameters.
fn most(arguments: &[JValue], most: usize, function: &str) -> Result<(), EvaluatorError> {
    let called_with_item = match arguments {
        [item, JValue::Number(at), JValue::Array(items)] => {
            // The position of an item is small and whole.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let found = items.get(*at as usize);
            at.fract() == 0.0 && found == Some(item)
        }
        _ => false,
    };
    if arguments.len() > most && !called_with_item { Err(signature(most + 1, function)) } else { Ok(()) }
}

/// Returns an argument; `None` if it is missing or undefined.
fn argument(arguments: &[JValue], at: usize) -> Option<&JValue> {
    arguments.get(at).filter(|value| !value.is_undefined())
}

/// Returns a whole number, rounded towards zero. `None` if it is missing.
fn whole(arguments: &[JValue], at: usize, function: &str) -> Result<Option<i64>, EvaluatorError> {
    match argument(arguments, at) {
        None => Ok(None),
        // `as` stops at the bounds of 64 bits.
        #[allow(clippy::cast_possible_truncation)]
        Some(JValue::Number(number)) => Ok(Some(number.trunc() as i64)),
        Some(_) => Err(signature(at + 1, function)),
    }
}

/// Returns a text. `None` if it is missing.
fn text<'a>(arguments: &'a [JValue], at: usize, function: &str) -> Result<Option<&'a str>, EvaluatorError> {
    match argument(arguments, at) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or_else(|| signature(at + 1, function)),
    }
}

/// `$partition(array, size)`
fn partition(arguments: &[JValue]) -> Answer {
    most(arguments, 2, "partition")?;
    let size = whole(arguments, 1, "partition")?;
    let items = match argument(arguments, 0) {
        None => return Ok(JValue::Undefined),
        Some(JValue::Null) => return Err(coded("T0412", "Argument 1 of function \"partition\" must be an array")),
        Some(JValue::Array(items)) => items.to_vec(),
        Some(one) => vec![one.clone()],
    };
    match size {
        Some(size) if size < 0 => Err(coded("D3137", "Second argument must be zero or greater")),
        Some(0) => Ok(JValue::Undefined),
        _ if items.is_empty() => Ok(JValue::Undefined),
        size => {
            let size = size.and_then(|size| usize::try_from(size).ok()).unwrap_or(items.len()).max(1);
            Ok(JValue::array(items.chunks(size).map(|part| JValue::array(part.to_vec())).collect()))
        }
    }
}

/// `$range(first, last, step)`
fn range(arguments: &[JValue]) -> Answer {
    most(arguments, 3, "range")?;
    if arguments.len() < 2 {
        return Err(signature(arguments.len() + 1, "range"));
    }
    let [first, last, step] = [0, 1, 2].map(|at| whole(arguments, at, "range"));
    let (Some(first), Some(last), Some(step)) = (first?, last?, step?) else {
        return Ok(JValue::Undefined);
    };
    let (first, last, step) = (i128::from(first), i128::from(last), i128::from(step));
    if step == 0 || (last - first).signum() == -step.signum() {
        return Ok(JValue::Undefined);
    }
    let count = (last - first) / step + 1;
    if count > MOST_RANGE {
        return Err(memory());
    }
    // The library's numbers are floating point.
    #[allow(clippy::cast_precision_loss)]
    let items = (0..count).map(|at| JValue::Number((first + at * step) as f64)).collect();
    Ok(JValue::sequence(items).unwrap_sequence())
}

/// `$hash(text, algorithm)`
fn hash(arguments: &[JValue]) -> Answer {
    most(arguments, 2, "hash")?;
    let (data, algorithm) = (text(arguments, 0, "hash")?, text(arguments, 1, "hash")?);
    let (Some(data), Some(algorithm)) = (data, algorithm) else {
        return Ok(JValue::Undefined);
    };
    let digest = match algorithm {
        "MD5" => hex::encode(Md5::digest(data)),
        "SHA-1" => hex::encode(Sha1::digest(data)),
        "SHA-256" => hex::encode(Sha256::digest(data)),
        "SHA-384" => hex::encode(Sha384::digest(data)),
        "SHA-512" => hex::encode(Sha512::digest(data)),
        other => return Err(coded("D3137", &format!("Unsupported hash algorithm: {other}"))),
    };
    Ok(JValue::from(digest))
}

/// `$random()` and `$random(seed)`
fn random(arguments: &[JValue]) -> Answer {
    most(arguments, 1, "random")?;
    Ok(JValue::Number(match whole(arguments, 0, "random")? {
        Some(seed) => JavaRandom::new(seed).next(),
        None => rand::random(),
    }))
}

/// `$uuid()`
fn uuid(arguments: &[JValue]) -> Answer {
    most(arguments, 0, "uuid")?;
    Ok(JValue::from(uuid::Uuid::new_v4().to_string()))
}

/// `$parse(text)`
fn parse(arguments: &[JValue]) -> Answer {
    most(arguments, 1, "parse")?;
    let Some(text) = text(arguments, 0, "parse")? else {
        return Ok(JValue::Undefined);
    };
    let invalid = || coded("D3137", "Invalid JSON");
    if crate::duplicates::check(text).is_err() {
        return Err(invalid());
    }
    let value: Value = serde_json::from_str(text).map_err(|_| invalid())?;
    Ok(values::read(&value))
}

/// `$encodeUrl(text)`, which leaves the characters that separate a URL's parts, as JavaScript's `encodeURI` does. The
/// library leaves all others too.
fn encode_url(arguments: &[JValue]) -> Answer {
    most(arguments, 1, "encodeUrl")?;
    let Some(text) = text(arguments, 0, "encodeUrl")? else {
        return Ok(JValue::Undefined);
    };
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
        byte if b";,/?:@&=+$-_.!~*'()#".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    Ok(JValue::from(text.bytes().map(encode).collect::<String>()))
}

/// `$pad(text, width, character)`, which the library does not bound.
fn pad(arguments: &[JValue]) -> Answer {
    most(arguments, 3, "pad")?;
    let (given, width, filler) = (text(arguments, 0, "pad")?, whole(arguments, 1, "pad")?, text(arguments, 2, "pad")?);
    let (Some(given), Some(width)) = (given, width) else {
        return if given.is_none() { Ok(JValue::Undefined) } else { Err(signature(2, "pad")) };
    };
    let filler: Vec<char> = filler.filter(|text| !text.is_empty()).unwrap_or(" ").chars().collect();
    let length = given.chars().count();
    let missing = usize::try_from(width.unsigned_abs()).unwrap_or(usize::MAX).saturating_sub(length);
    if missing > MOST_BYTES {
        return Err(memory());
    }
    let padding: String = filler.iter().cycle().take(missing).collect();
    Ok(JValue::from(if width < 0 { padding + given } else { given.to_owned() + &padding }))
}
