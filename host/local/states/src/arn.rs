//! Names and ARNs of state machines and executions.

use crate::States;
use crate::error::ApiError;

/// The longest name, in characters.
const MOST_NAME: usize = 80;

/// Refuses what the service does not take as a name of a state machine or an execution.
pub(crate) fn check_name(name: &str) -> Result<(), ApiError> {
    let length = name.chars().count();
    let allowed = |c: char| !c.is_whitespace() && !c.is_control() && !"<>{}[]?*\"#%\\^|~`$&,;:/".contains(c);
    if (1..=MOST_NAME).contains(&length) && name.chars().all(allowed) {
        Ok(())
    } else {
        Err(ApiError::invalid_name(name))
    }
}

impl States {
    pub(crate) fn machine_arn(&self, name: &str) -> String {
        format!("arn:aws:states:{}:{}:stateMachine:{name}", self.options.region, self.options.account)
    }

    pub(crate) fn execution_arn(&self, machine: &str, name: &str) -> String {
        format!("arn:aws:states:{}:{}:execution:{machine}:{name}", self.options.region, self.options.account)
    }
}

/// The name in a state machine's ARN.
pub(crate) fn machine_name(arn: &str) -> Result<&str, ApiError> {
    match parts(arn, "stateMachine").as_deref() {
        Some([name]) => Ok(name),
        // A version or an alias: there are none.
        Some([_, _]) => Err(ApiError::no_machine(arn)),
        _ => Err(ApiError::invalid_arn(arn)),
    }
}

/// Refuses what is no execution's ARN.
pub(crate) fn check_execution(arn: &str) -> Result<(), ApiError> {
    match parts(arn, "execution").as_deref() {
        Some([_, _]) => Ok(()),
        _ => Err(ApiError::invalid_arn(arn)),
    }
}

/// What follows the kind in an ARN of this service.
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
    fn arns_are_taken_apart_or_refused() {
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
