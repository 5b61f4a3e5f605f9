//! Typed access to the fields of an object of the definition. Errors become findings.

use serde_json::{Map, Value};

use super::looks;
use crate::definition::language::QueryLanguage;
use crate::definition::query::Assign;
use crate::definition::settings::{Filter, ResultPath, Setting};
use crate::expressions::jsonata::template::QueryTemplate;
use crate::expressions::path::Path;
use crate::expressions::reference_path::ReferencePath;
use crate::expressions::template::Template;
use crate::expressions::variables;
use crate::findings::{Code, Collector};
use crate::limits::SECONDS;

/// An object of the definition. [`finish`](Fields::finish) reports every field that was not read as unknown.
pub(super) struct Fields<'a> {
    fields: &'a Map<String, Value>,
    read: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub fn new(fields: &'a Map<String, Value>) -> Self {
        Self { fields, read: vec!["Comment"] }
    }

    /// Returns a field's value, which may be `null`.
    pub fn raw(&mut self, name: &'static str) -> Option<&'a Value> {
        self.read.push(name);
        self.fields.get(name)
    }

    /// Returns whether the field is given.
    pub fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// Returns a string.
    pub fn text(&mut self, name: &'static str, notes: &mut Collector) -> Option<&'a str> {
        let value = self.raw(name)?;
        let text = value.as_str();
        if text.is_none() {
            notes.at(name, |notes| notes.error(Code::Schema, format!("'{name}' must be a string")));
        }
        text
    }

    /// Returns a boolean.
    pub fn flag(&mut self, name: &'static str, notes: &mut Collector) -> Option<bool> {
        let value = self.raw(name)?;
        let flag = value.as_bool();
        if flag.is_none() {
            notes.at(name, |notes| notes.error(Code::Schema, format!("'{name}' must be true or false")));
        }
        flag
    }

    /// Returns a whole number within bounds.
    pub fn whole(&mut self, name: &'static str, least: u64, most: u64, notes: &mut Collector) -> Option<u64> {
        let number = self.raw(name)?.as_u64().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            let message = format!("'{name}' must be a whole number from {least} to {most}");
            notes.at(name, |notes| notes.error(Code::Schema, message));
        }
        number
    }

    /// Returns a number.
    pub fn number(&mut self, name: &'static str, notes: &mut Collector) -> Option<f64> {
        let number = self.raw(name)?.as_f64();
        if number.is_none() {
            notes.at(name, |notes| notes.error(Code::Schema, format!("'{name}' must be a number")));
        }
        number
    }

    /// Returns an object.
    pub fn object(&mut self, name: &'static str, notes: &mut Collector) -> Option<&'a Map<String, Value>> {
        let object = self.raw(name)?.as_object();
        if object.is_none() {
            notes.at(name, |notes| notes.error(Code::Schema, format!("'{name}' must be an object")));
        }
        object
    }

    /// Returns an array with at least one entry.
    pub fn list(&mut self, name: &'static str, notes: &mut Collector) -> Option<&'a [Value]> {
        let message = match self.raw(name)?.as_array() {
            Some(list) if !list.is_empty() => return Some(list),
            Some(_) => "Value cannot be empty".to_owned(),
            None => format!("'{name}' must be an array"),
        };
        notes.at(name, |notes| notes.error(Code::Schema, message));
        None
    }

    /// Returns a string that is one of these values. The message is the service's.
    pub fn choice(&mut self, name: &'static str, values: &[&str], notes: &mut Collector) -> Option<&'a str> {
        let text = self.text(name, notes)?;
        if !values.contains(&text) {
            let message = format!("Value should be one of the following: [{}]", values.join(", "));
            notes.at(name, |notes| notes.error(Code::Schema, message));
            return None;
        }
        Some(text)
    }

    /// Notes an error if one of these fields is missing. The message is the service's.
    pub fn required(&self, names: &[&str], notes: &mut Collector) {
        let missing: Vec<&str> = names.iter().copied().filter(|name| !self.has(name)).collect();
        if !missing.is_empty() {
            notes.error(Code::Schema, format!("These fields are required: [{}]", missing.join(", ")));
        }
    }

    /// Returns a path.
    pub fn path(&mut self, name: &'static str, notes: &mut Collector) -> Option<Path> {
        let text = self.text(name, notes)?;
        match Path::parse(text) {
            Ok(path) => Some(path),
            Err(error) => {
                notes.at(name, |notes| notes.error(Code::InvalidPath, error.to_string()));
                None
            }
        }
    }

    /// Returns a path that finds at most one value.
    pub fn definite(&mut self, name: &'static str, notes: &mut Collector) -> Option<Path> {
        let path = self.path(name, notes)?;
        if !path.is_definite() {
            let message = format!("'{name}' must be a reference path: names and indices only, not '{}'", path.text());
            notes.at(name, |notes| notes.error(Code::InvalidPath, message));
            return None;
        }
        Some(path)
    }

    /// Returns `InputPath` or `OutputPath`.
    pub fn filter(&mut self, name: &'static str, notes: &mut Collector) -> Filter {
        match self.raw(name) {
            None => Filter::Whole,
            Some(Value::Null) => Filter::Empty,
            Some(_) => match self.path(name, notes) {
                Some(path) if path.text() == "$" => Filter::Whole,
                Some(path) => Filter::Path(path),
                None => Filter::Whole,
            },
        }
    }

    /// Returns `ResultPath`.
    pub fn result_path(&mut self, notes: &mut Collector) -> ResultPath {
        let name = "ResultPath";
        match self.raw(name) {
            None => ResultPath::Replace,
            Some(Value::Null) => ResultPath::Discard,
            Some(_) => match self.text(name, notes).map(ReferencePath::parse) {
                Some(Ok(path)) if path.text() == "$" => ResultPath::Replace,
                Some(Ok(path)) => ResultPath::Path(path),
                Some(Err(error)) => {
                    notes.at(name, |notes| notes.error(Code::InvalidPath, error.to_string()));
                    ResultPath::Replace
                }
                None => ResultPath::Replace,
            },
        }
    }

    /// Returns a payload template.
    pub fn template(&mut self, name: &'static str, notes: &mut Collector) -> Option<Template> {
        self.raw(name).map(|value| {
            notes.at(name, |notes| {
                looks::check_template(value, notes);
                Template::parse(value, notes)
            })
        })
    }

    /// Returns a number of seconds or a path to one. Both together are an error.
    pub fn seconds(
        &mut self,
        name: &'static str,
        path: &'static str,
        least: u64,
        notes: &mut Collector,
    ) -> Option<Setting<u64>> {
        self.exclusive(&[name, path], notes);
        let value = self.whole(name, least, SECONDS, notes).map(Setting::Value);
        let path = self.definite(path, notes).map(Setting::Path);
        value.or(path)
    }

    /// Notes an error if more than one of these fields is given. The message is the service's.
    pub fn exclusive(&self, names: &[&str], notes: &mut Collector) {
        if names.iter().filter(|name| self.has(name)).count() > 1 {
            notes.error(
                Code::Schema,
                format!("There should only be one of the following fields: [{}]", names.join(", ")),
            );
        }
    }

    /// Notes an error unless exactly one of these fields is given. The message is the service's.
    pub fn exactly_one(&self, names: &[&str], notes: &mut Collector) {
        self.exclusive(names, notes);
        if !names.iter().any(|name| self.has(name)) {
            notes.error(
                Code::Schema,
                format!("This object should have only one of the following fields: [{}]", names.join(", ")),
            );
        }
    }

    /// Returns `QueryLanguage` of the machine or of a state; `inherited` if it is not given.
    pub fn query_language(&mut self, inherited: QueryLanguage, notes: &mut Collector) -> QueryLanguage {
        match self.choice("QueryLanguage", &["JSONPath", "JSONata"], notes) {
            None => inherited,
            Some("JSONPath") => {
                if inherited == QueryLanguage::Jsonata {
                    let message = "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine";
                    notes.error(Code::Schema, message);
                }
                QueryLanguage::JsonPath
            }
            Some(_) => QueryLanguage::Jsonata,
        }
    }

    /// Notes an error for each of these fields that is given: they belong to the other query language.
    pub fn foreign(&mut self, names: &[&'static str], language: QueryLanguage, notes: &mut Collector) {
        let (own, other) = match language {
            QueryLanguage::JsonPath => (language, QueryLanguage::Jsonata),
            QueryLanguage::Jsonata => (language, QueryLanguage::JsonPath),
        };
        for name in names {
            if self.raw(name).is_some() {
                let (own, other) = (own.as_str(), other.as_str());
                notes.error(
                    Code::Schema,
                    format!(
                        "The QueryLanguage is set to '{own}', but field '{name}' is only supported for the '{other}' \
                         QueryLanguage"
                    ),
                );
            }
        }
    }

    /// Returns a field of a JSONata state. `caught` is true in an entry of Catch.
    pub fn query(&mut self, name: &'static str, caught: bool, notes: &mut Collector) -> Option<QueryTemplate> {
        self.raw(name).map(|value| notes.at(name, |notes| QueryTemplate::parse(value, caught, notes)))
    }

    /// Returns `Assign`.
    pub fn assign(&mut self, language: QueryLanguage, caught: bool, notes: &mut Collector) -> Option<Assign> {
        let value = self.raw("Assign")?;
        notes.at("Assign", |notes| {
            let Some(fields) = value.as_object() else {
                notes.error(Code::Schema, "'Assign' must be an object: the variables and their values");
                return None;
            };
            for name in fields.keys() {
                let bare = match language {
                    QueryLanguage::JsonPath => name.strip_suffix(".$").unwrap_or(name),
                    QueryLanguage::Jsonata => name,
                };
                if let Err((code, problem)) = variables::check(bare) {
                    notes.at(name, |notes| notes.error(code, problem));
                }
            }
            Some(match language {
                QueryLanguage::JsonPath => Assign::JsonPath(Template::parse(value, notes)),
                QueryLanguage::Jsonata => Assign::Jsonata(QueryTemplate::parse(value, caught, notes)),
            })
        })
    }

    /// Notes an error for a field that the object cannot have. The message is the service's.
    pub fn unsupported(name: &str, notes: &mut Collector) {
        notes.at(name, |notes| notes.error(Code::Schema, format!("Field '{name}' is not supported")));
    }

    /// Notes an error for every field that was not read.
    pub fn finish(self, notes: &mut Collector) {
        for name in self.fields.keys() {
            if self.read.contains(&name.as_str()) {
                continue;
            }
            Self::unsupported(name, notes);
        }
    }
}
