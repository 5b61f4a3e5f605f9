//! Turns the SDK's errors into failures that a stage and the state machine can act on.
//!
//! One table serves all services. Whether a retry makes sense follows from the HTTP status and, where a service hides
//! the reason behind a general status, from the error code.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use stagehost_batch::{Case, Failure};
use stagehost_storage::sdk_reason;

/// Returns the failure for an SDK error; `what` names the action and the thing, as in "reading 51/raw/a.jpg".
pub(crate) fn failure<E>(what: &str, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    match error {
        SdkError::ServiceError(service) => {
            let status = service.raw().status().as_u16();
            let code = service.err().code();
            let case = classify(status, code);
            let hint = match (case, code) {
                (_, Some("InvalidObjectState")) => "; the object is archived: restore it from Glacier first",
                (Case::Denied, _) => "; allow it in the policies of the host's role, the bucket and the encryption key",
                (Case::Mismatch, _) => "; it was replaced since it was looked up",
                _ => "",
            };
            Failure::new(case, format!("{what}: {}{hint}", sdk_reason(error)))
        }
        SdkError::ConstructionFailure(_) => {
            Failure::new(Case::Internal, format!("{what}: the request could not be built: {}", sdk_reason(error)))
        }
        other => Failure::new(Case::Transient, format!("{what}: no answer: {}", sdk_reason(other))),
    }
}

/// Returns the case for an answer. Error codes take precedence over the status, because some services use a general
/// status for a transient condition.
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
        // KMS reports a key that must not be used as a bad request. Other faults of it pass.
        code if code.starts_with("KMS.") || code.starts_with("Kms") => of_kms(code),
        // The local S3 over a full disk, which no retry empties.
        "EntityTooLarge" | "StorageFull" => Case::TooLarge,
        "NoSuchUpload" => Case::Transient,
        _ => match status {
            401 | 403 => Case::Denied,
            // 402: MediaConvert's quota of jobs in the queue.
            402 | 408 | 409 | 425 | 429 | 500..=599 => Case::Transient,
            404 | 410 => Case::Missing,
            // 416: the version that was opened has this range, so the object was replaced.
            412 | 416 => Case::Mismatch,
            400 => Case::InvalidInput,
            413 => Case::TooLarge,
            _ => Case::Internal,
        },
    }
}

/// Returns the case for a fault of KMS behind another service: `KMS.ThrottlingException` of S3, `KmsThrottled` of SQS,
/// `KmsThrottlingException` of Step Functions. KMS's own names are in its API reference under each operation's errors.
fn of_kms(code: &str) -> Case {
    let passing = ["Throttl", "Internal", "DependencyTimeout", "KeyUnavailable", "LimitExceeded", "ServiceUnavailable"];
    if passing.iter().any(|part| code.contains(part)) { Case::Transient } else { Case::Denied }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_conditions_that_a_retry_may_solve_are_transient() {
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
    fn a_key_that_is_busy_is_worth_a_retry_and_one_that_is_disabled_is_not() {
        for code in [
            "KMS.ThrottlingException",
            "KMS.KMSInternalException",
            "KMS.DependencyTimeoutException",
            "KMS.KeyUnavailableException",
            "KMS.RequestLimitExceeded",
            "KmsThrottled",
            "KmsThrottlingException",
        ] {
            assert_eq!(classify(400, Some(code)), Case::Transient, "{code}");
        }
        for code in
            ["KMS.DisabledException", "KMS.NotFoundException", "KMS.KMSInvalidStateException", "KmsAccessDenied"]
        {
            assert_eq!(classify(400, Some(code)), Case::Denied, "{code}");
        }
    }

    #[test]
    fn a_failed_precondition_is_a_mismatch_and_an_absent_object_is_missing() {
        assert_eq!(classify(412, Some("PreconditionFailed")), Case::Mismatch);
        assert_eq!(classify(416, Some("InvalidRange")), Case::Mismatch);
        assert_eq!(classify(404, Some("NoSuchKey")), Case::Missing);
        assert_eq!(classify(404, None), Case::Missing);
    }

    #[test]
    fn a_full_disk_is_not_transient() {
        assert_eq!(classify(507, Some("StorageFull")), Case::TooLarge);
    }

    #[test]
    fn a_disabled_encryption_key_is_denied_although_its_status_is_bad_request() {
        assert_eq!(classify(400, Some("KMS.DisabledException")), Case::Denied);
    }
}
