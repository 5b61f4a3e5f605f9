//! The rules of a Choice state.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::looks;
use crate::definition::choice::{Operand, Rule, StringPattern, Test, comparison};
use crate::definition::language::QueryLanguage;
use crate::definition::model::ChoiceRule;
use crate::expressions::jsonata::template::QueryTemplate;
use crate::findings::{Code, Collector};

/// The fields of a rule that are not comparisons.
const OTHER: [&str; 5] = ["Variable", "Next", "Comment", "Assign", "Condition"];

/// The fields that hold other rules.
const GROUPS: [&str; 3] = ["And", "Or", "Not"];
/// The service's message about a rule that tests nothing, or several things.
const ONE_TEST: &str = "The object must have only one of the following fields, [And, Or, Not, Variable, Condition]";

/// Reads the rules with their next states.
pub(super) fn read(fields: &mut Fields<'_>, language: QueryLanguage, notes: &mut Collector) -> Vec<ChoiceRule> {
    fields.required(&["Choices"], notes);
    let list = fields.list("Choices", notes).unwrap_or_default();
    let mut found = Vec::new();
    notes.at("Choices", |notes| {
        for (at, entry) in list.iter().enumerate() {
            notes.at(at, |notes| {
                let next = entry.get("Next").and_then(Value::as_str);
                if entry.get("Next").is_none() {
                    notes.error(Code::Schema, "These fields are required: [Next]");
                } else if next.is_none() {
                    notes.at("Next", |notes| notes.error(Code::Schema, "'Next' must be a string"));
                }
                let rule = match language {
                    QueryLanguage::JsonPath => part(entry, true, notes).map(|rule| {
                        let assign =
                            entry.as_object().and_then(|entry| Fields::new(entry).assign(language, false, notes));
                        ChoiceRule { rule, next: String::new(), assign, output: None }
                    }),
                    QueryLanguage::Jsonata => condition(entry, notes),
                };
                if let (Some(rule), Some(next)) = (rule, next) {
                    found.push(ChoiceRule { next: next.to_owned(), ..rule });
                }
            });
        }
    });
    found
}

/// Reads a rule of a JSONata state.
fn condition(value: &Value, notes: &mut Collector) -> Option<ChoiceRule> {
    let Some(object) = value.as_object() else {
        notes.error(Code::Schema, "a rule must be an object");
        return None;
    };
    let mut fields = Fields::new(object);
    let language = QueryLanguage::Jsonata;
    fields.raw("Next");
    fields.foreign(&["Variable", "And", "Or", "Not"], language, notes);
    if !["Variable", "And", "Or", "Not", "Condition"].iter().any(|name| fields.has(name)) {
        notes.error(Code::Schema, ONE_TEST);
    }
    let condition = fields.query("Condition", false, notes);
    if let Some(QueryTemplate::Literal(value)) = &condition
        && !value.is_boolean()
    {
        let message = format!("'Condition' must be an expression or a boolean, not {value}");
        notes.at("Condition", |notes| notes.error(Code::Schema, message));
    }
    let output = fields.query("Output", false, notes);
    let assign = fields.assign(language, false, notes);
    fields.finish(notes);
    Some(ChoiceRule { rule: Rule::Condition(condition?), next: String::new(), assign, output })
}

/// Reads a rule without `Next`.
#[cfg(test)]
pub(crate) fn rule(value: &Value, notes: &mut Collector) -> Option<Rule> {
    part(value, false, notes)
}

/// Reads a rule (`top`) or a part of one.
fn part(value: &Value, top: bool, notes: &mut Collector) -> Option<Rule> {
    let Some(object) = value.as_object() else {
        notes.error(Code::Schema, "a rule must be an object");
        return None;
    };
    let mut fields = Fields::new(object);
    if top {
        fields.raw("Next");
        fields.raw("Assign");
        fields.foreign(&["Condition", "Output"], QueryLanguage::JsonPath, notes);
    }
    let rule = operator(object, &mut fields, notes);
    fields.finish(notes);
    rule
}

fn operator(object: &Map<String, Value>, fields: &mut Fields<'_>, notes: &mut Collector) -> Option<Rule> {
    let operators: Vec<&str> = object.keys().map(String::as_str).filter(|name| known(name).is_some()).collect();
    let name = match operators.as_slice() {
        [one] if !GROUPS.contains(one) || !object.contains_key("Variable") => known(one)?,
        [] => {
            let unknown: Vec<&str> = object.keys().map(String::as_str).filter(|name| !OTHER.contains(name)).collect();
            let variable = fields.raw("Variable").is_some();
            if object.contains_key("Condition") || !unknown.is_empty() {
                // `finish` reports the unknown field itself.
                return None;
            }
            notes.error(
                Code::Schema,
                if variable { "a rule needs a comparison, such as 'StringEquals'" } else { ONE_TEST },
            );
            return None;
        }
        several => {
            for name in several {
                fields.raw(known(name)?);
            }
            fields.raw("Variable");
            let message = match several.iter().any(|name| GROUPS.contains(name)) {
                true => ONE_TEST.to_owned(),
                false => format!("There should only be one of the following fields: [{}]", several.join(", ")),
            };
            notes.error(Code::Schema, message);
            return None;
        }
    };
    let parts = |fields: &mut Fields<'_>, notes: &mut Collector| {
        let list = fields.list(name, notes).unwrap_or_default();
        notes.at(name, |notes| {
            list.iter().enumerate().filter_map(|(at, entry)| notes.at(at, |notes| part(entry, false, notes))).collect()
        })
    };
    match name {
        "And" => return Some(Rule::And(parts(fields, notes))),
        "Or" => return Some(Rule::Or(parts(fields, notes))),
        "Not" => {
            let inner = fields.raw(name)?;
            return notes.at(name, |notes| part(inner, false, notes)).map(|rule| Rule::Not(Box::new(rule)));
        }
        _ => {}
    }
    if !fields.has("Variable") {
        notes.error(Code::Schema, format!("'{name}' needs 'Variable', the path of the value that it tests"));
    }
    let variable = fields.path("Variable", notes);
    let test = test(name, fields, notes);
    Some(Rule::Test { variable: variable?, test: test? })
}

/// Returns the static name of an operator.
fn known(name: &str) -> Option<&'static str> {
    const OTHERS: [&str; 10] = [
        "And",
        "Or",
        "Not",
        "IsPresent",
        "IsNull",
        "IsNumeric",
        "IsString",
        "IsBoolean",
        "IsTimestamp",
        "StringMatches",
    ];
    const COMPARISONS: [&str; 32] = [
        "StringEquals",
        "StringEqualsPath",
        "StringLessThan",
        "StringLessThanPath",
        "StringLessThanEquals",
        "StringLessThanEqualsPath",
        "StringGreaterThan",
        "StringGreaterThanPath",
        "StringGreaterThanEquals",
        "StringGreaterThanEqualsPath",
        "NumericEquals",
        "NumericEqualsPath",
        "NumericLessThan",
        "NumericLessThanPath",
        "NumericLessThanEquals",
        "NumericLessThanEqualsPath",
        "NumericGreaterThan",
        "NumericGreaterThanPath",
        "NumericGreaterThanEquals",
        "NumericGreaterThanEqualsPath",
        "BooleanEquals",
        "BooleanEqualsPath",
        "TimestampEquals",
        "TimestampEqualsPath",
        "TimestampLessThan",
        "TimestampLessThanPath",
        "TimestampLessThanEquals",
        "TimestampLessThanEqualsPath",
        "TimestampGreaterThan",
        "TimestampGreaterThanPath",
        "TimestampGreaterThanEquals",
        "TimestampGreaterThanEqualsPath",
    ];
    OTHERS.iter().chain(&COMPARISONS).find(|known| **known == name).copied()
}

fn test(name: &'static str, fields: &mut Fields<'_>, notes: &mut Collector) -> Option<Test> {
    match name {
        "IsPresent" => return fields.flag(name, notes).map(Test::Present),
        "IsNull" => return fields.flag(name, notes).map(Test::Null),
        "IsNumeric" => return fields.flag(name, notes).map(Test::Number),
        "IsString" => return fields.flag(name, notes).map(Test::String),
        "IsBoolean" => return fields.flag(name, notes).map(Test::Boolean),
        "IsTimestamp" => return fields.flag(name, notes).map(Test::Timestamp),
        "StringMatches" => {
            let pattern = StringPattern::parse(fields.text(name, notes)?);
            return match pattern {
                Ok(pattern) => Some(Test::Matches(pattern)),
                Err(message) => {
                    notes.at(name, |notes| notes.error(Code::Schema, message));
                    None
                }
            };
        }
        _ => {}
    }
    let (kind, order, path) = comparison(name)?;
    let operand = if path {
        Operand::Path(fields.path(name, notes)?)
    } else {
        let value = fields.raw(name)?;
        if !kind.accepts(value) {
            let message = format!("the value of '{name}' does not have the type that it compares: {value}");
            notes.at(name, |notes| notes.error(Code::Schema, message));
            return None;
        }
        if let Some(text) = value.as_str() {
            notes.at(name, |notes| looks::check_literal(text, notes));
        }
        Operand::Value(value.clone())
    };
    Some(Test::Compare { kind, order, operand })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_comparison_of_the_language_has_its_meaning() {
        let kinds = ["String", "Numeric", "Timestamp"];
        let orders = ["Equals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"];
        let mut names = vec!["BooleanEquals".to_owned(), "BooleanEqualsPath".to_owned()];
        for kind in kinds {
            for order in orders {
                names.push(format!("{kind}{order}"));
                names.push(format!("{kind}{order}Path"));
            }
        }
        for name in names {
            assert!(known(&name).is_some(), "{name}");
            assert_eq!(comparison(&name).map(|(_, _, path)| path), Some(name.ends_with("Path")), "{name}");
        }
        for name in ["BooleanLessThan", "StringStartsWith", "IntegerEquals", "Path"] {
            assert!(known(name).is_none() && comparison(name).is_none(), "{name}");
        }
    }
}
