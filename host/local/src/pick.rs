//! Which service a request is for. AWS has a name for each; here all share one port.

use http::{HeaderMap, Method, Uri};

/// The services of this port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    S3,
    States,
    Lambda,
    MediaConvert,
    Receiver,
    Health,
    /// A service of AWS that is not here, by the name it signs with.
    Absent(String),
}

/// Decides by what is surest first: our own path; the service that the signature names; the operation's header; the
/// path. What is left is S3, whose keys may look like anything.
pub(crate) fn pick(method: &Method, uri: &Uri, headers: &HeaderMap) -> Service {
    let path = uri.path();
    if path == "/_stagehost/health" && method == Method::GET {
        return Service::Health;
    }
    if let Some(service) = signed_for(headers) {
        return named(&service);
    }
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    match target.split_once('.') {
        Some(("AWSStepFunctions", _)) => return Service::States,
        Some((other, _)) => return Service::Absent(other.to_owned()),
        None => {}
    }
    if uri.query().is_some_and(|query| query.contains("X-Amz-Credential=")) {
        return Service::S3;
    }
    let begins = |prefix: &str| path.starts_with(prefix);
    if begins("/2015-03-31/functions/") {
        Service::Lambda
    } else if begins("/2017-08-29/") {
        Service::MediaConvert
    } else if begins("/internal/media-processing/") || begins("/api/v1/") {
        Service::Receiver
    } else {
        Service::S3
    }
}

/// `Credential=AKID/20260102/us-east-1/SERVICE/aws4_request` of the Authorization header.
fn signed_for(headers: &HeaderMap) -> Option<String> {
    let authorization = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    if !authorization.starts_with("AWS4-") {
        return None;
    }
    let (_, rest) = authorization.split_once("Credential=")?;
    let scope = rest.split([',', ' ']).next()?;
    // From the end: an access key may hold slashes. SigV4a's scope has no region, the service is where it is.
    let mut parts = scope.rsplit('/');
    (parts.next()? == "aws4_request").then(|| parts.next().map(str::to_owned))?
}

fn named(service: &str) -> Service {
    match service {
        "s3" | "s3express" => Service::S3,
        "states" => Service::States,
        "lambda" => Service::Lambda,
        "mediaconvert" => Service::MediaConvert,
        other => Service::Absent(other.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn by(path: &str, headers: &[(&'static str, &str)]) -> Service {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        pick(&Method::GET, &path.parse().unwrap(), &map)
    }

    fn signed(service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AK/ID/20260102/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
        )
    }

    #[test]
    fn a_signature_says_which_service_is_meant() {
        for (service, expected) in [
            ("s3", Service::S3),
            ("states", Service::States),
            ("lambda", Service::Lambda),
            ("mediaconvert", Service::MediaConvert),
            ("dynamodb", Service::Absent("dynamodb".into())),
        ] {
            assert_eq!(by("/", &[("authorization", &signed(service))]), expected);
        }
    }

    #[test]
    fn a_bucket_that_is_called_like_a_path_of_ours_is_still_s3s_when_signed() {
        assert_eq!(by("/api/v1/x", &[("authorization", &signed("s3"))]), Service::S3);
        assert_eq!(by("/2017-08-29/x?X-Amz-Credential=AK%2F1", &[]), Service::S3);
    }

    #[test]
    fn without_a_signature_target_and_path_decide() {
        assert_eq!(by("/", &[("x-amz-target", "AWSStepFunctions.StartExecution")]), Service::States);
        assert_eq!(by("/", &[("x-amz-target", "AmazonSQS.SendMessage")]), Service::Absent("AmazonSQS".into()));
        assert_eq!(by("/2015-03-31/functions/host/invocations", &[]), Service::Lambda);
        assert_eq!(by("/2017-08-29/jobs", &[]), Service::MediaConvert);
        assert_eq!(by("/internal/media-processing/callback", &[]), Service::Receiver);
        assert_eq!(by("/api/v1/listings/1/media/batch", &[]), Service::Receiver);
        assert_eq!(by("/_stagehost/health", &[]), Service::Health);
        assert_eq!(by("/bucket/key", &[]), Service::S3);
        assert_eq!(by("/bucket/key", &[("authorization", "Basic eA==")]), Service::S3);
    }

    proptest::proptest! {
        #[test]
        fn no_header_panics(authorization in "(AWS4-HMAC-SHA256 Credential=)?[ -~]{0,80}", target in "[ -~]{0,40}") {
            by("/", &[("authorization", &authorization), ("x-amz-target", &target)]);
        }
    }
}
