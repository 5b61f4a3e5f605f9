//! Finding the service of a request. On AWS each service has a host name; here all share one port.

use http::{HeaderMap, Method, Uri};

/// The service of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Service {
    S3,
    States,
    Lambda,
    MediaConvert,
    Receiver,
    Health,
    /// Pages for a person's browser.
    Pages,
    /// A service of AWS that is not available here, by its name in signatures.
    Unknown(String),
}

impl Service {
    /// Returns the service of a request. Checks, in this order: the path of the health check; the service in the
    /// signature; the header that names the operation; the path. Any other request is for S3, whose keys can be any
    /// path; a bucket named like the pages is reached by signed requests.
    pub(super) fn of(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let path = uri.path();
        if path == "/_stagehost/health" && method == Method::GET {
            return Service::Health;
        }
        if let Some(service) = signed_for(headers) {
            return Self::named(&service);
        }
        let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
        match target.split_once('.') {
            Some(("AWSStepFunctions", _)) => return Service::States,
            Some((other, _)) => return Service::Unknown(other.to_owned()),
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
        } else if path == "/console" || begins("/console/") || (path == "/" && is_browser(method, headers)) {
            Service::Pages
        } else {
            Service::S3
        }
    }

    /// Returns the service of a name in signatures.
    fn named(service: &str) -> Self {
        match service {
            "s3" | "s3express" => Service::S3,
            "states" => Service::States,
            "lambda" => Service::Lambda,
            "mediaconvert" => Service::MediaConvert,
            other => Service::Unknown(other.to_owned()),
        }
    }
}

/// Returns whether a person's browser asks for a page. Clients of S3 that list buckets accept XML, or anything.
fn is_browser(method: &Method, headers: &HeaderMap) -> bool {
    let accept = headers.get(http::header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    matches!(*method, Method::GET | Method::HEAD)
        && accept.split(',').filter_map(|kind| kind.split(';').next()).any(|kind| kind.trim() == "text/html")
}

/// Returns the service in the Authorization header: `Credential=AKID/20260102/us-east-1/SERVICE/aws4_request`.
fn signed_for(headers: &HeaderMap) -> Option<String> {
    let authorization = headers.get(http::header::AUTHORIZATION)?.to_str().ok()?;
    if !authorization.starts_with("AWS4-") {
        return None;
    }
    let (_, rest) = authorization.split_once("Credential=")?;
    let scope = rest.split([',', ' ']).next()?;
    // From the end: an access key may contain slashes, and the scope of SigV4a has no region.
    let mut parts = scope.rsplit('/');
    (parts.next()? == "aws4_request").then(|| parts.next().map(str::to_owned))?
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
        Service::of(&Method::GET, &path.parse().unwrap(), &map)
    }

    fn signed(service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AK/ID/20260102/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=00"
        )
    }

    #[test]
    fn the_signature_names_the_service() {
        for (service, expected) in [
            ("s3", Service::S3),
            ("states", Service::States),
            ("lambda", Service::Lambda),
            ("mediaconvert", Service::MediaConvert),
            ("dynamodb", Service::Unknown("dynamodb".into())),
        ] {
            assert_eq!(by("/", &[("authorization", &signed(service))]), expected);
        }
    }

    #[test]
    fn a_signed_request_for_a_bucket_named_like_another_path_is_for_s3() {
        assert_eq!(by("/api/v1/x", &[("authorization", &signed("s3"))]), Service::S3);
        assert_eq!(by("/2017-08-29/x?X-Amz-Credential=AK%2F1", &[]), Service::S3);
    }

    #[test]
    fn without_a_signature_the_target_and_the_path_decide() {
        assert_eq!(by("/", &[("x-amz-target", "AWSStepFunctions.StartExecution")]), Service::States);
        assert_eq!(by("/", &[("x-amz-target", "AmazonSQS.SendMessage")]), Service::Unknown("AmazonSQS".into()));
        assert_eq!(by("/2015-03-31/functions/host/invocations", &[]), Service::Lambda);
        assert_eq!(by("/2017-08-29/jobs", &[]), Service::MediaConvert);
        assert_eq!(by("/internal/media-processing/callback", &[]), Service::Receiver);
        assert_eq!(by("/api/v1/listings/1/media/batch", &[]), Service::Receiver);
        assert_eq!(by("/_stagehost/health", &[]), Service::Health);
        assert_eq!(by("/bucket/key", &[]), Service::S3);
        assert_eq!([by("/console", &[]), by("/console/batch/a", &[])], [Service::Pages, Service::Pages]);
        assert_eq!([by("/console-2/a", &[]), by("/", &[])], [Service::S3, Service::S3]);
        assert_eq!(by("/console/a", &[("authorization", &signed("s3"))]), Service::S3, "a bucket of this name");
        assert_eq!(by("/bucket/key", &[("authorization", "Basic eA==")]), Service::S3);
    }

    #[test]
    fn a_browser_gets_pages_and_a_client_of_s3_its_buckets() {
        let browser = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");
        assert_eq!(by("/", &[browser]), Service::Pages);
        assert_eq!(by("/", &[("accept", "application/xhtml+xml, text/html ;q=0.9")]), Service::Pages);
        assert_eq!(by("/", &[browser, ("authorization", &signed("s3"))]), Service::S3);
        assert_eq!(by("/", &[("accept", "*/*")]), Service::S3);
        assert_eq!(by("/bucket/", &[browser]), Service::S3);
    }

    proptest::proptest! {
        #[test]
        fn no_header_panics(authorization in "(AWS4-HMAC-SHA256 Credential=)?[ -~]{0,80}", target in "[ -~]{0,40}") {
            by("/", &[("authorization", &authorization), ("x-amz-target", &target)]);
        }
    }
}
