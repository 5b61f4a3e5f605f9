//! What an error of the AWS SDK says, for people.

use std::error::Error;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// Returns why a request failed, in one line without the SDK's debug text: what the service answered, such as `The specified
/// bucket does not exist (NoSuchBucket, HTTP 404)`, or all causes of there being no answer.
pub fn sdk_reason<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            answered(service.err().message(), service.err().code(), service.raw().status().as_u16())
        }
        other => causes(other),
    }
}

/// Returns what a service answered. An answer to a HEAD request has no body, and so neither a message nor always a code.
fn answered(message: Option<&str>, code: Option<&str>, status: u16) -> String {
    let message = message.filter(|message| !message.is_empty()).unwrap_or(match status {
        401 | 403 => "access is denied",
        404 | 410 => "it does not exist",
        412 => "a condition of the request does not hold",
        _ => "the service gives no reason",
    });
    match code {
        Some(code) => format!("{message} ({code}, HTTP {status})"),
        None => format!("{message} (HTTP {status})"),
    }
}

/// Returns an error's message and those of its causes, outermost first. One that repeats its cause says it once.
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        let message = one.to_string();
        if !text.ends_with(&message) {
            text = format!("{text}: {message}");
        }
        cause = one.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io;

    use aws_sdk_s3::error::ConnectorError;
    use aws_sdk_s3::operation::head_object::HeadObjectError;

    use super::*;

    #[test]
    fn an_answer_without_a_body_is_explained_by_its_status() {
        assert_eq!(answered(None, Some("NotFound"), 404), "it does not exist (NotFound, HTTP 404)");
        assert_eq!(answered(Some(""), None, 412), "a condition of the request does not hold (HTTP 412)");
        assert_eq!(answered(Some("Slow down"), Some("SlowDown"), 503), "Slow down (SlowDown, HTTP 503)");
    }

    #[test]
    fn a_request_without_an_answer_says_all_causes_and_no_debug_text() {
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "Connection refused");
        let error: SdkError<HeadObjectError, HttpResponse> =
            SdkError::dispatch_failure(ConnectorError::io(Box::new(refused)));
        assert_eq!(sdk_reason(&error), "dispatch failure: io error: Connection refused");
    }
}
