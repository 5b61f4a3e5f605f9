//! The findings about a definition as the service reports them.
//!
//! Codes are those of `ValidateStateMachineDefinitionDiagnostic`. The service calls a path or an expression that cannot
//! be read a failure of the schema; what this interpreter alone does not support has a code of its own.

use stagehost_asl::{Code, Finding, Severity};

/// The lists of a definition, whose positions the service writes in brackets.
const LISTS: [&str; 7] = ["Choices", "Catch", "Retry", "Branches", "And", "Or", "ErrorEquals"];

/// One entry of `diagnostics`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnostic {
    pub severity: &'static str,
    pub code: &'static str,
    pub message: String,
    /// `/States/Work/Catch[0]/Next`; `None` if the definition is not an object.
    pub location: Option<String>,
}

/// Returns a finding as the service reports it.
pub(crate) fn diagnostic(finding: &Finding) -> Diagnostic {
    let severity = match finding.severity {
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
    };
    let code = match finding.code {
        Code::InvalidPath | Code::InvalidJsonata | Code::UnsupportedJsonata => Code::Schema.as_str(),
        code => code.as_str(),
    };
    let location = match (finding.code, finding.location.as_str()) {
        (Code::NotAnObject, _) => None,
        (Code::InvalidJson, location) => Some(location.to_owned()),
        (_, location) => Some(bracketed(location)),
    };
    let message = match (&finding.state, finding.code) {
        // The service has no such finding, so nothing else says which state it is about.
        (Some(state), Code::Unsupported) => format!("state '{state}': {}", finding.message),
        _ => finding.message.clone(),
    };
    Diagnostic { severity, code, message, location }
}

/// Returns whether the service has warnings of this kind.
pub(crate) fn is_reported(finding: &Finding) -> bool {
    finding.code != Code::NoDefault
}

/// Returns a JSON pointer with the positions in lists in brackets.
fn bracketed(pointer: &str) -> String {
    let mut location = String::new();
    let mut before = "";
    for step in pointer.split('/').skip(1) {
        match step.parse::<usize>() {
            Ok(at) if LISTS.contains(&before) => location.push_str(&format!("[{at}]")),
            _ => location.push_str(&format!("/{}", step.replace("~1", "/").replace("~0", "~"))),
        }
        before = step;
    }
    location
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_in_lists_are_in_brackets_and_names_are_as_written() {
        for (pointer, location) in [
            ("/", "/"),
            ("/States/a~1b/Next", "/States/a/b/Next"),
            ("/States/C/Choices/0/And/1/Variable", "/States/C/Choices[0]/And[1]/Variable"),
            ("/States/7/Parameters/list/0", "/States/7/Parameters/list/0"),
        ] {
            assert_eq!(bracketed(pointer), location);
        }
    }
}
