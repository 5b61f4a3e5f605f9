//! Names and ARNs of state machines and executions.

use crate::error::StatesError;

/// The longest name, in characters.
const MOST_NAME: usize = 80;

/// Checks the name of a state machine or an execution.
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

/// Returns the name in a state machine's ARN.
///
/// # Errors
/// `InvalidArn`; `StateMachineDoesNotExist` for the ARN of a version or an alias.
pub(crate) fn machine_name(arn: &str) -> Result<&str, StatesError> {
    match parts(arn, "stateMachine").as_deref() {
        Some([name]) => Ok(name),
        // A version or an alias, which are not supported.
        Some([_, _]) => Err(StatesError::no_machine(arn)),
        _ => Err(StatesError::invalid_arn(arn)),
    }
}

/// Checks an execution's ARN.
///
/// # Errors
/// `InvalidArn`.
pub(crate) fn check_execution(arn: &str) -> Result<(), StatesError> {
    match parts(arn, "execution").as_deref() {
        Some([_, _]) => Ok(()),
        _ => Err(StatesError::invalid_arn(arn)),
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
        assert_eq!(machine_name("arn:aws:states:eu-west-1:111122223333:stateMachine:m").unwrap(), "m");
        let version = machine_name("arn:aws:states:eu-west-1:111122223333:stateMachine:m:1").unwrap_err();
        assert_eq!(version.name, "StateMachineDoesNotExist");
        for bad in ["", "m", "arn:aws:states:eu-west-1:111122223333:execution:m:e", "arn:aws:states:::stateMachine:m"] {
            assert_eq!(machine_name(bad).unwrap_err().name, "InvalidArn", "{bad}");
        }
        check_execution("arn:aws:states:eu-west-1:111122223333:execution:m:e").unwrap();
        assert!(check_execution("arn:aws:states:eu-west-1:111122223333:execution:m").is_err());
    }
}
