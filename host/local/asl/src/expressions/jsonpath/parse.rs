//! The parser of paths.

use serde_json::Value;

use super::compare::Operator;
use super::function::Function;
use super::reader::Reader;
use super::segment::{Filter, Operand, Pattern, Segment};

/// The deepest nesting of filters and parentheses.
const MOST_NESTING: usize = 16;
/// Characters that end a name within a filter.
const STOPS: &str = "=!<>&|~ ";
/// The largest compiled regular expression, in bytes.
const PATTERN_BYTES: usize = 64 * 1024;

/// Parses the text of a path after its root.
///
/// # Errors
/// The reason, as the end of a sentence.
pub(crate) fn segments(text: &str) -> Result<Vec<Segment>, String> {
    let mut reader = Reader::new(text);
    let segments = read(&mut reader, "", 0)?;
    match reader.peek() {
        None => Ok(segments),
        Some(_) => Err(format!("expected '.' or '[' before '{}'", reader.rest())),
    }
}

/// Reads segments as long as they follow each other. `stops` are characters that end a name, besides those that no name
/// may contain.
fn read(reader: &mut Reader<'_>, stops: &str, depth: usize) -> Result<Vec<Segment>, String> {
    let mut segments = Vec::new();
    loop {
        let segment = if reader.take("..") {
            segments.push(Segment::Deep);
            match reader.peek() {
                Some('[') => bracket(reader, depth)?,
                _ => dotted(reader, stops)?,
            }
        } else if reader.take(".") {
            dotted(reader, stops)?
        } else if reader.peek() == Some('[') {
            bracket(reader, depth)?
        } else {
            return Ok(segments);
        };
        let last = matches!(segment, Segment::Function(_));
        segments.push(segment);
        if last {
            return Ok(segments);
        }
    }
}

/// Reads what follows a dot.
fn dotted(reader: &mut Reader<'_>, stops: &str) -> Result<Segment, String> {
    if reader.take("*") {
        return Ok(Segment::Wildcard);
    }
    let name =
        reader.until(|c| c.is_whitespace() || c.is_control() || ".[]()'\"*,\\?".contains(c) || stops.contains(c));
    if name.is_empty() {
        return Err("a name is missing after '.'".into());
    }
    match reader.peek() {
        Some('(') => Function::read(name, reader).map(Segment::Function),
        None | Some('.' | '[') => Ok(Segment::Names(vec![name.to_owned()])),
        // Within a filter, the name may be followed by a space, an operator or a closing parenthesis.
        Some(_) if !stops.is_empty() => Ok(Segment::Names(vec![name.to_owned()])),
        Some(_) => Err("a name with such a character must be written in brackets and quotes: ['…']".into()),
    }
}

/// Reads a bracket.
fn bracket(reader: &mut Reader<'_>, depth: usize) -> Result<Segment, String> {
    if depth >= MOST_NESTING {
        return Err("brackets are nested too deeply".into());
    }
    reader.take("[");
    reader.spaces();
    let segment = match reader.peek() {
        Some('\'' | '"') => names(reader)?,
        Some('*') => {
            reader.take("*");
            Segment::Wildcard
        }
        Some('?') => {
            reader.take("?");
            Segment::Filter(filter(reader, depth + 1)?)
        }
        Some(']') => return Err("empty brackets".into()),
        _ => numbers(reader)?,
    };
    reader.spaces();
    match (reader.take("]"), reader.peek()) {
        (true, _) => Ok(segment),
        (false, None) => Err("a bracket is not closed".into()),
        (false, Some(_)) => Err(format!("brackets do not match at '{}'", reader.rest())),
    }
}

/// Reads quoted names with commas between them.
fn names(reader: &mut Reader<'_>) -> Result<Segment, String> {
    let mut names = Vec::new();
    loop {
        match reader.peek() {
            Some('\'' | '"') => names.push(reader.quoted()?),
            _ => return Err("a quoted name is missing after ','".into()),
        }
        reader.spaces();
        if !reader.take(",") {
            return Ok(Segment::Names(names));
        }
        reader.spaces();
    }
}

/// Reads an index, a list of indices or a slice.
fn numbers(reader: &mut Reader<'_>) -> Result<Segment, String> {
    let text = reader.until(|c| c == ']');
    if reader.peek().is_none() {
        return Err("a bracket is not closed".into());
    }
    let fail = || format!("'{text}' in brackets is not an index, slice, quoted name, '*' or filter");
    let number = |text: &str| text.trim().parse::<i64>().map_err(|_| fail());
    if !text.contains(':') {
        return text.split(',').map(number).collect::<Result<_, _>>().map(Segment::Indices);
    }
    let bound = |text: Option<&str>| match text.map(str::trim) {
        None | Some("") => Ok(None),
        Some(text) => number(text).map(Some),
    };
    // A third number, the step, is read and ignored by the service's library.
    let mut parts = text.split(':');
    let (from, to, step) = (bound(parts.next())?, bound(parts.next())?, bound(parts.next()));
    match (from, to, step?, parts.next()) {
        (None, None, ..) | (.., Some(_)) => Err(fail()),
        _ => Ok(Segment::Slice { from, to }),
    }
}

/// Reads a filter after its question mark, up to the bracket that ends it.
fn filter(reader: &mut Reader<'_>, depth: usize) -> Result<Filter, String> {
    if depth >= MOST_NESTING {
        return Err("brackets are nested too deeply".into());
    }
    let mut any = vec![all(reader, depth)?];
    while take(reader, "||") {
        any.push(all(reader, depth)?);
    }
    Ok(single(any, Filter::Or))
}

fn all(reader: &mut Reader<'_>, depth: usize) -> Result<Filter, String> {
    let mut all = vec![condition(reader, depth)?];
    while take(reader, "&&") {
        all.push(condition(reader, depth)?);
    }
    Ok(single(all, Filter::And))
}

fn single(mut filters: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match filters.pop() {
        Some(only) if filters.is_empty() => only,
        last => {
            filters.extend(last);
            join(filters)
        }
    }
}

/// Skips spaces and reads `token` if it comes next.
fn take(reader: &mut Reader<'_>, token: &str) -> bool {
    reader.spaces();
    reader.take(token)
}

fn condition(reader: &mut Reader<'_>, depth: usize) -> Result<Filter, String> {
    if depth >= MOST_NESTING {
        return Err("a filter is nested too deeply".into());
    }
    if take(reader, "!") {
        return condition(reader, depth + 1).map(|filter| Filter::Not(Box::new(filter)));
    }
    if reader.take("(") {
        let filter = filter(reader, depth + 1)?;
        return match take(reader, ")") {
            true => Ok(filter),
            false => Err("brackets do not match: ')' is missing in a filter".into()),
        };
    }
    let left = operand(reader, depth)?;
    let Some(operator) = operator(reader) else {
        return match left {
            Operand::Path { .. } => Ok(Filter::Exists(left)),
            _ => Err("a filter needs a path or a comparison".into()),
        };
    };
    let right = operand(reader, depth)?;
    if (operator == Operator::Matches) != matches!(right, Operand::Pattern(_)) {
        return Err("'=~' in a filter needs a regular expression between slashes".into());
    }
    Ok(Filter::Compare { left, operator, right })
}

fn operator(reader: &mut Reader<'_>) -> Option<Operator> {
    reader.spaces();
    let rest = reader.rest();
    let found = Operator::ALL.iter().find(|(text, _)| {
        // The library accepts its words in any case.
        let word = text.starts_with(|c: char| c.is_ascii_alphabetic());
        let begins = rest.get(..text.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(text));
        begins && !(word && rest[text.len()..].starts_with(|c: char| c.is_alphanumeric()))
    });
    let (text, operator) = found?;
    reader.take(&rest[..text.len()]);
    Some(*operator)
}

fn operand(reader: &mut Reader<'_>, depth: usize) -> Result<Operand, String> {
    reader.spaces();
    match reader.peek() {
        Some(c @ ('@' | '$')) => {
            reader.next();
            let segments = read(reader, STOPS, depth + 1)?;
            Ok(Operand::Path { root: c == '$', segments })
        }
        Some('/') => pattern(reader),
        Some(_) => literal(reader, depth).map(Operand::Literal),
        None => Err("brackets do not match: a filter is not closed".into()),
    }
}

fn literal(reader: &mut Reader<'_>, depth: usize) -> Result<Value, String> {
    if depth >= MOST_NESTING {
        return Err("brackets are nested too deeply".into());
    }
    reader.spaces();
    match reader.peek() {
        Some('\'' | '"') => reader.quoted().map(Value::from),
        Some('[') => {
            reader.take("[");
            let mut items = Vec::new();
            if take(reader, "]") {
                return Ok(items.into());
            }
            loop {
                items.push(literal(reader, depth + 1)?);
                if take(reader, "]") {
                    return Ok(items.into());
                }
                if !reader.take(",") {
                    return Err("a list in a filter is not closed".into());
                }
            }
        }
        _ => {
            let word = reader.until(|c| c.is_whitespace() || ",)]=!<>&|~".contains(c));
            match serde_json::from_str(word) {
                Ok(value @ (Value::Number(_) | Value::Bool(_) | Value::Null)) => Ok(value),
                _ => Err(format!("'{word}' in a filter is neither a path nor a value")),
            }
        }
    }
}

/// Reads `/…/flags`.
fn pattern(reader: &mut Reader<'_>) -> Result<Operand, String> {
    reader.take("/");
    let mut text = String::new();
    loop {
        match reader.next() {
            Some('/') => break,
            Some('\\') if reader.peek() == Some('/') => text.extend(reader.next()),
            Some('\\') => {
                text.push('\\');
                text.extend(reader.next());
            }
            Some(c) => text.push(c),
            None => return Err("a regular expression is not closed".into()),
        }
    }
    let flags = reader.until(|c| !c.is_ascii_alphabetic());
    let mut builder = regex::RegexBuilder::new(&format!("^(?:{text})$"));
    builder.size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES);
    for flag in flags.chars() {
        match flag {
            'i' => builder.case_insensitive(true),
            'm' => builder.multi_line(true),
            's' => builder.dot_matches_new_line(true),
            'x' => builder.ignore_whitespace(true),
            'u' | 'U' | 'd' => &mut builder,
            other => return Err(format!("'{other}' is not a flag of a regular expression")),
        };
    }
    match builder.build() {
        Ok(pattern) => Ok(Operand::Pattern(Pattern(pattern))),
        Err(_) => Err(format!("'{text}' is not a regular expression that can be used here")),
    }
}
