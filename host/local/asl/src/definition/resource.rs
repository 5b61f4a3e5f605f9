//! The `Resource` of a Task state.
//!
//! The interpreter knows no service, but events, tokens and error texts depend on the **form** of the ARN: a plain
//! Lambda function, a service integration, one that waits for a token. The form is parsed once, when the machine is
//! loaded.

use std::fmt;

/// The services whose integrations never wait for a job.
const NO_JOBS: [&str; 7] = ["lambda", "sns", "sqs", "dynamodb", "events", "apigateway", "aws-sdk"];
/// The services whose integrations never wait for a token.
const NO_TOKENS: [&str; 10] = [
    "athena",
    "batch",
    "codebuild",
    "databrew",
    "dynamodb",
    "elasticmapreduce",
    "emr-containers",
    "glue",
    "mediaconvert",
    "sagemaker",
];

/// When the state ends: the integration pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// The state ends with the call's response.
    RequestResponse,
    /// `.sync` or `.sync:2`: the state ends with the job that the call starts. The implementation of
    /// [`Resources`](crate::Resources) waits for it.
    Sync,
    /// `.waitForTaskToken`: the state ends when its token is answered.
    WaitForTaskToken,
}

/// A Task state's resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// `arn:aws:lambda:…:function:NAME`: the payload goes to the function, whose answer is the result.
    LambdaFunction {
        /// The ARN as written.
        arn: String,
    },
    /// `arn:aws:states:REGION:ACCOUNT:activity:NAME`: a worker asks for the task and answers its token.
    Activity {
        /// The ARN as written.
        arn: String,
    },
    /// `arn:aws:states:::SERVICE:ACTION[.PATTERN]` (also `aws-sdk:SERVICE:ACTION`).
    Service {
        /// `lambda`, `sqs`, `aws-sdk:s3`.
        service: String,
        /// `invoke`, `sendMessage`; without the pattern.
        action: String,
        /// The integration pattern.
        pattern: Pattern,
        /// The ARN as written.
        arn: String,
    },
}

/// Why a string is not a resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResourceError {
    /// Neither a Lambda function's ARN nor a service integration's.
    #[error(
        "'{0}' is not a resource: expected arn:aws:lambda:REGION:ACCOUNT:function:NAME or arn:aws:states:::SERVICE:ACTION"
    )]
    NotAnArn(String),
    /// A placeholder of a template was not filled.
    #[error("'{0}' still contains a ${{…}} placeholder: give its value as a definition substitution")]
    Placeholder(String),
    /// The part after the action's dot is unknown.
    #[error(
        "'{arn}' ends in the unknown integration pattern '.{pattern}': known are .sync, .sync:2 and .waitForTaskToken"
    )]
    UnknownPattern {
        /// As written.
        arn: String,
        /// The part after the dot.
        pattern: String,
    },
}

impl Resource {
    /// Parses an ARN of any partition (`aws`, `aws-cn`, …).
    ///
    /// # Errors
    /// [`ResourceError`], which names the ARN.
    pub fn parse(text: &str) -> Result<Self, ResourceError> {
        if text.contains("${") {
            return Err(ResourceError::Placeholder(text.to_owned()));
        }
        let fail = || ResourceError::NotAnArn(text.to_owned());
        let parts: Vec<&str> = text.split(':').collect();
        let [arn, partition, service, region, account, rest @ ..] = parts.as_slice() else {
            return Err(fail());
        };
        if *arn != "arn" || partition.is_empty() || rest.is_empty() || rest.iter().any(|part| part.is_empty()) {
            return Err(fail());
        }
        match (*service, *region, *account, rest) {
            ("lambda", region, account, ["function", _name, ..])
                if !region.is_empty() && !account.is_empty() && rest.len() <= 3 =>
            {
                Ok(Self::LambdaFunction { arn: text.to_owned() })
            }
            ("states", region, account, ["activity", _name]) if !region.is_empty() && !account.is_empty() => {
                Ok(Self::Activity { arn: text.to_owned() })
            }
            ("states", "", "", rest) => Self::integration(text, rest),
            _ => Err(fail()),
        }
    }

    fn integration(text: &str, rest: &[&str]) -> Result<Self, ResourceError> {
        // `.sync:2` contains a colon.
        let (rest, version) = match rest {
            [head @ .., "2"] if head.last().is_some_and(|part| part.ends_with(".sync")) => (head, ":2"),
            _ => (rest, ""),
        };
        let (service, action) = match rest {
            ["aws-sdk", service, action] => (format!("aws-sdk:{service}"), *action),
            [service, action] => ((*service).to_owned(), *action),
            _ => return Err(ResourceError::NotAnArn(text.to_owned())),
        };
        let (action, pattern) = action.split_once('.').unwrap_or((action, ""));
        let pattern = match (pattern, version) {
            ("", "") => Pattern::RequestResponse,
            ("sync", _) => Pattern::Sync,
            ("waitForTaskToken", "") => Pattern::WaitForTaskToken,
            _ => {
                let pattern = format!("{pattern}{version}");
                return Err(ResourceError::UnknownPattern { arn: text.to_owned(), pattern });
            }
        };
        if action.is_empty() {
            return Err(ResourceError::NotAnArn(text.to_owned()));
        }
        Ok(Self::Service { service, action: action.to_owned(), pattern, arn: text.to_owned() })
    }

    /// Returns whether the service's integration has the pattern. Of a service that is not known here, every pattern is
    /// possible.
    pub(crate) fn has_its_pattern(&self) -> bool {
        let Self::Service { service, pattern, arn, .. } = self else { return true };
        let name = service.split(':').next().unwrap_or_default();
        match pattern {
            Pattern::RequestResponse => true,
            Pattern::Sync => !NO_JOBS.contains(&name) && (name == "states" || !arn.ends_with(":2")),
            Pattern::WaitForTaskToken => !NO_TOKENS.contains(&name),
        }
    }

    /// Returns the ARN as written.
    pub fn arn(&self) -> &str {
        match self {
            Self::LambdaFunction { arn } | Self::Activity { arn } | Self::Service { arn, .. } => arn,
        }
    }

    /// Returns the integration pattern.
    pub fn pattern(&self) -> Pattern {
        match self {
            Self::LambdaFunction { .. } => Pattern::RequestResponse,
            Self::Activity { .. } => Pattern::WaitForTaskToken,
            Self::Service { pattern, .. } => *pattern,
        }
    }

    /// Returns `resourceType` of the history's events: `lambda`, `sqs`, `aws-sdk:s3`.
    pub fn resource_type(&self) -> &str {
        match self {
            Self::LambdaFunction { .. } => "lambda",
            Self::Activity { .. } => "activity",
            Self::Service { service, .. } => service,
        }
    }

    /// Returns `resource` of the history's events: `invoke.waitForTaskToken`, or a function's ARN.
    pub fn resource_name(&self) -> &str {
        match self {
            Self::LambdaFunction { arn } | Self::Activity { arn } => arn,
            Self::Service { action, arn, .. } => arn.rfind(&format!(":{action}")).map_or(arn, |at| &arn[at + 1..]),
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.arn())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_function_arn_is_a_lambda_resource_with_or_without_a_version() {
        for arn in [
            "arn:aws:lambda:us-east-1:111122223333:function:host",
            "arn:aws-cn:lambda:cn-north-1:111122223333:function:host:live",
        ] {
            assert_eq!(Resource::parse(arn).unwrap(), Resource::LambdaFunction { arn: arn.into() });
        }
    }

    #[test]
    fn an_activity_waits_for_its_token() {
        let resource = Resource::parse("arn:aws:states:us-east-1:111122223333:activity:wait").unwrap();
        assert_eq!((resource.resource_type(), resource.pattern()), ("activity", Pattern::WaitForTaskToken));
    }

    #[test]
    fn an_integration_is_split_into_service_action_and_pattern() {
        let resource = Resource::parse("arn:aws:states:::lambda:invoke.waitForTaskToken").unwrap();
        assert_eq!(resource.resource_type(), "lambda");
        assert_eq!(resource.resource_name(), "invoke.waitForTaskToken");
        assert_eq!(resource.pattern(), Pattern::WaitForTaskToken);

        let resource = Resource::parse("arn:aws:states:::states:startExecution.sync:2").unwrap();
        assert_eq!((resource.resource_name(), resource.pattern()), ("startExecution.sync:2", Pattern::Sync));

        let resource = Resource::parse("arn:aws:states:::aws-sdk:s3:getObject").unwrap();
        assert_eq!((resource.resource_type(), resource.resource_name()), ("aws-sdk:s3", "getObject"));
    }

    #[test]
    fn an_integration_has_the_patterns_of_its_service() {
        for (resource, has) in [
            ("states:startExecution.sync:2", true),
            ("mediaconvert:createJob.sync", true),
            ("sqs:sendMessage.waitForTaskToken", true),
            ("lambda:invoke.sync", false),
            ("aws-sdk:s3:getObject.sync", false),
            ("glue:startJobRun.sync:2", false),
            ("mediaconvert:createJob.waitForTaskToken", false),
        ] {
            assert_eq!(
                Resource::parse(&format!("arn:aws:states:::{resource}")).unwrap().has_its_pattern(),
                has,
                "{resource}"
            );
        }
    }

    #[test]
    fn a_malformed_resource_is_refused_with_its_text() {
        for (text, part) in [
            ("", "is not a resource"),
            ("arn:aws:s3:::bucket", "is not a resource"),
            ("arn:aws:states:::lambda", "is not a resource"),
            ("arn:aws:states:::lambda:.sync", "is not a resource"),
            ("arn:aws:lambda:::function:host", "is not a resource"),
            ("${HostFunctionArn}", "placeholder"),
            ("arn:aws:states:us-east-1:111122223333:activity", "is not a resource"),
            ("arn:aws:states:::lambda:invoke.later", "'.later'"),
        ] {
            let error = Resource::parse(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
