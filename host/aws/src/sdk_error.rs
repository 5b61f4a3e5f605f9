//! From the SDK's errors to the failures that a stage and the state machine can act on.
//!
//! One table for all services: what decides whether a retry makes sense is the HTTP status and, where a service hides
//! the reason behind a general one, the error code.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use stagehost_batch::{Case, Failure};

/// Turns an SDK error into a failure; `what` says what was being done to which thing ("reading 51/raw/a.jpg").
pub(crate) fn failure<E>(what: &str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code();
            let said = service.err().message().unwrap_or("no message");
            let case = classify(status, code);
            let hint = match (case, code) {
                (_, Some("InvalidObjectState")) => "; the object is archived: restore it from Glacier first",
                (Case::Denied, _) => "; the host's role or the key's policy does not allow it",
                _ => "",
            };
            let code = code.map_or_else(|| format!("HTTP {status}"), |code| format!("{code}, HTTP {status}"));
            Failure::new(case, format!("{what}: {said} ({code}){hint}"))
        }
        SdkError::ConstructionFailure(_) => Failure::new(
            Case::Internal,
            format!("{what}: the request could not be built: {}", DisplayErrorContext(error)),
        ),
        other => Failure::new(Case::Transient, format!("{what}: no answer: {}", DisplayErrorContext(other))),
    }
}

/// Which case an answer is. Codes win over the status where a service uses a general status for a passing condition.
fn classify(status: u16, code: Option<&str>) -> Case {
    match code.unwrap_or_default() {
        "SlowDown"
        | "Throttling"
        | "ThrottlingException"
        | "RequestTimeout"
        | "RequestTimeTooSkewed"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "OperationAborted"
        | "ConditionalRequestConflict" => Case::Transient,
        // A key that may not be used is reported as a bad request.
        code if code.starts_with("KMS.") => Case::Denied,
        "EntityTooLarge" => Case::TooLarge,
        "NoSuchUpload" => Case::Transient,
        _ => match status {
            401 | 403 => Case::Denied,
            // 402: MediaConvert's quota of jobs in the queue.
            402 | 408 | 409 | 425 | 429 | 500..=599 => Case::Transient,
            404 | 410 => Case::Missing,
            // 416: the version that was opened had that range, so this is another one.
            412 | 416 => Case::Mismatch,
            400 => Case::InvalidInput,
            413 => Case::TooLarge,
            _ => Case::Internal,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_retry_may_cure_is_transient() {
        for (status, code) in
            [(503, Some("SlowDown")), (429, None), (500, None), (409, None), (400, Some("RequestTimeout"))]
        {
            assert_eq!(classify(status, code), Case::Transient, "{status} {code:?}");
        }
        for (status, code) in [(400, Some("InvalidArgument")), (403, Some("AccessDenied")), (404, None), (412, None)] {
            assert_ne!(classify(status, code), Case::Transient, "{status} {code:?}");
        }
    }

    #[test]
    fn a_precondition_that_does_not_hold_is_a_mismatch_and_an_absent_object_is_missing() {
        assert_eq!(classify(412, Some("PreconditionFailed")), Case::Mismatch);
        assert_eq!(classify(416, Some("InvalidRange")), Case::Mismatch);
        assert_eq!(classify(404, Some("NoSuchKey")), Case::Missing);
        assert_eq!(classify(404, None), Case::Missing);
    }

    #[test]
    fn a_disabled_encryption_key_is_denied_although_it_comes_as_a_bad_request() {
        assert_eq!(classify(400, Some("KMS.DisabledException")), Case::Denied);
    }
}
