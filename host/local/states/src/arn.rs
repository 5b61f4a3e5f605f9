//! Names and ARNs of state machines, executions and activities.

use crate::error::StatesError;

/// The longest name, in characters.
const MOST_NAME: usize = 80;

/// Checks the name of a state machine, an execution or an activity.
///
/// # Errors
/// `InvalidName`.
pub(crate) fn check_name(name: &str) -> Result<(), StatesError> {
    let length = name.chars().count();
    let allowed = |c: char| !c.is_whitespace() && !c.is_control() && !"<>{}[]?*\"#%\\^|~`$&,;:/".contains(c);
    if (1..=MOST_NAME).contains(&length) && name.chars().all(allowed) {
        Ok(())
    } else {
        Err(StatesError::invalid_name(name))
    }
}

/// What an ARN of a state machine names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MachineReference<'a> {
    /// The machine as it is now.
    Machine(&'a str),
    /// The machine and a published version of it.
    Version(&'a str, u64),
    /// The machine and an alias of it.
    Alias(&'a str, &'a str),
}

impl<'a> MachineReference<'a> {
    /// Returns the machine's name.
    pub fn machine(self) -> &'a str {
        match self {
            Self::Machine(name) | Self::Version(name, _) | Self::Alias(name, _) => name,
        }
    }
}

/// Parses an ARN of a state machine, a version or an alias.
///
/// # Errors
/// `InvalidArn`.
pub(crate) fn machine_reference(arn: &str) -> Result<MachineReference<'_>, StatesError> {
    match parts(arn, "stateMachine").as_deref() {
        Some([name]) => Ok(MachineReference::Machine(name)),
        Some([name, qualifier]) => Ok(match qualifier.parse() {
            Ok(version) => MachineReference::Version(name, version),
            Err(_) => MachineReference::Alias(name, qualifier),
        }),
        _ => Err(invalid(arn, "stateMachine")),
    }
}

/// Returns the name in a state machine's ARN.
///
/// # Errors
/// `InvalidArn`; `StateMachineDoesNotExist` for the ARN of a version or an alias.
pub(crate) fn machine_name(arn: &str) -> Result<&str, StatesError> {
    match machine_reference(arn)? {
        MachineReference::Machine(name) => Ok(name),
        MachineReference::Version(..) | MachineReference::Alias(..) => Err(StatesError::no_machine(arn)),
    }
}

/// Checks an execution's ARN.
///
/// # Errors
/// `InvalidArn`.
pub(crate) fn check_execution(arn: &str) -> Result<(), StatesError> {
    match parts(arn, "execution").as_deref() {
        Some([_, _]) => Ok(()),
        _ => Err(invalid(arn, "execution")),
    }
}

/// Checks an activity's ARN.
///
/// # Errors
/// `InvalidArn`.
pub(crate) fn check_activity(arn: &str) -> Result<(), StatesError> {
    match parts(arn, "activity").as_deref() {
        Some([_]) => Ok(()),
        _ => Err(invalid(arn, "activity")),
    }
}

/// Returns the error of an ARN that should be of this resource type, in the service's words.
fn invalid(arn: &str, wanted: &str) -> StatesError {
    if !arn.starts_with("arn:") {
        return StatesError::invalid_arn(&format!("Invalid ARN prefix: {arn}"));
    }
    match arn.split(':').nth(5) {
        Some(found) if found != wanted && !found.is_empty() => {
            StatesError::invalid_arn(&format!("Resource type not valid in this context: {found}"))
        }
        _ => StatesError::invalid_arn(arn),
    }
}

/// Returns the parts after the resource type in an ARN of this service.
fn parts<'a>(arn: &'a str, kind: &str) -> Option<Vec<&'a str>> {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts.as_slice() {
        ["arn", partition, "states", region, account, found, rest @ ..]
            if *found == kind && [partition, region, account].iter().all(|part| !part.is_empty()) =>
        {
            rest.iter().all(|part| !part.is_empty()).then(|| rest.to_vec())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_checked_as_the_service_does() {
        for good in ["a", "job-4_batch.5", "é", &"x".repeat(80)] {
            check_name(good).unwrap();
        }
        for bad in ["", "a b", "a:b", "a/b", "a\u{0}", "a*", &"x".repeat(81)] {
            assert_eq!(check_name(bad).unwrap_err().name, "InvalidName", "{bad}");
        }
    }

    #[test]
    fn arns_are_parsed_or_refused() {
        let arn = "arn:aws:states:eu-west-1:111122223333:stateMachine:m";
        assert_eq!(machine_name(arn).unwrap(), "m");
        assert_eq!(machine_reference(&format!("{arn}:12")).unwrap(), MachineReference::Version("m", 12));
        assert_eq!(machine_reference(&format!("{arn}:live")).unwrap(), MachineReference::Alias("m", "live"));
        let version = machine_name(&format!("{arn}:1")).unwrap_err();
        assert_eq!(version.name, "StateMachineDoesNotExist");
        for bad in ["", "m", "arn:aws:states:eu-west-1:111122223333:execution:m:e", "arn:aws:states:::stateMachine:m"] {
            assert_eq!(machine_name(bad).unwrap_err().name, "InvalidArn", "{bad}");
        }
        check_execution("arn:aws:states:eu-west-1:111122223333:execution:m:e").unwrap();
        assert!(check_execution("arn:aws:states:eu-west-1:111122223333:execution:m").is_err());
        let express = check_execution("arn:aws:states:eu-west-1:111122223333:express:m:e:1").unwrap_err();
        assert_eq!(express.message, "Invalid Arn: 'Resource type not valid in this context: express'");
        check_activity("arn:aws:states:eu-west-1:111122223333:activity:a").unwrap();
        assert!(check_activity(arn).is_err());
    }
}
