//! Why a source did not answer.

use aws_sdk_sfn::config::http::HttpResponse;
use aws_sdk_sfn::error::{ProvideErrorMetadata, SdkError};
use stagehost_storage::sdk_reason;

/// Why something that a page needs could not be read or done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It does not exist, or not any more.
    #[error("{0}")]
    Missing(String),
    /// The request cannot be carried out as it is; the text says why.
    #[error("{0}")]
    Refused(String),
    /// The service did not answer, or not as expected.
    #[error("{0}")]
    Failed(String),
}

impl SourceError {
    /// Returns the error of a request of the AWS SDK. `what` begins the sentence: "the execution cannot be read".
    pub fn of_sdk<E>(what: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let missing = ["ExecutionDoesNotExist", "StateMachineDoesNotExist", "NoSuchKey", "NotFound", "NoSuchBucket"];
        let refused = [
            "InvalidToken",
            "InvalidArn",
            "InvalidName",
            "InvalidExecutionInput",
            "ExecutionAlreadyExists",
            "ExecutionNotRedrivable",
            "ExecutionLimitExceeded",
        ];
        let text = match (error.code(), error.message()) {
            (Some(code), Some(message)) => format!("{what}: {message} ({code})"),
            (Some(code), None) => format!("{what}: {code}"),
            (None, _) => format!("{what}: {}", sdk_reason(error)),
        };
        match error.code() {
            Some(code) if missing.contains(&code) => Self::Missing(text),
            Some(code) if refused.contains(&code) => Self::Refused(text),
            _ => Self::Failed(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use aws_sdk_sfn::error::ConnectorError;
    use aws_sdk_sfn::operation::describe_execution::DescribeExecutionError;

    use super::*;

    #[test]
    fn a_request_without_an_answer_is_a_sentence_without_the_sdk_s_debug_text() {
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "Connection refused");
        let error: SdkError<DescribeExecutionError, HttpResponse> =
            SdkError::dispatch_failure(ConnectorError::io(Box::new(refused)));
        assert_eq!(
            SourceError::of_sdk("the execution cannot be read", &error),
            SourceError::Failed(
                "the execution cannot be read: dispatch failure: io error: Connection refused".to_owned()
            )
        );
    }
}
