//! The checksums that a request declares for its body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use s3s::{S3ErrorCode, S3Request, S3Result};

use crate::digest::{Algorithm, Checksums, Digests, WantedAlgorithms, content_md5};
use crate::error::{custom_error, refuse};
use crate::http::chunked::Trailers;
use crate::http::unsigned::PayloadSha256;

/// The checksums that a request declares for its body.
pub struct DeclaredChecksums {
    fields: Checksums,
    trailers: Option<TrailerSource>,
    trailer_names: Vec<Algorithm>,
    payload_sha256: Option<String>,
    md5: Option<String>,
}

/// The trailers, which are known after the body, of the decoder that reads it.
enum TrailerSource {
    Own(Trailers),
    Protocol(s3s::TrailingHeaders),
}

impl DeclaredChecksums {
    /// Reads the request's headers, before its body is read.
    pub fn new<T>(request: &S3Request<T>, fields: Checksums, md5: Option<&str>) -> S3Result<Self> {
        fields.check_form()?;
        let names = request.headers.get_all("x-amz-trailer").iter().filter_map(|value| value.to_str().ok());
        let names: Vec<String> =
            names.flat_map(|names| names.split(',')).map(|name| name.trim().to_lowercase()).collect();
        let trailer_names = Algorithm::HEADERS.iter().filter(|(_, header)| names.iter().any(|name| name == header));
        let own = request.extensions.get::<Trailers>().cloned().map(TrailerSource::Own);
        Ok(Self {
            fields,
            trailers: own.or_else(|| request.trailing_headers.clone().map(TrailerSource::Protocol)),
            trailer_names: trailer_names.map(|(algorithm, _)| *algorithm).collect(),
            payload_sha256: request.extensions.get::<PayloadSha256>().map(|sha256| sha256.0.clone()),
            md5: content_md5(md5)?,
        })
    }

    /// Returns the algorithms to compute: the declared ones and `others`.
    pub fn wanted(&self, others: impl IntoIterator<Item = Algorithm>) -> WantedAlgorithms {
        let sha256 = self.payload_sha256.as_ref().map(|_| Algorithm::SHA256);
        WantedAlgorithms::of(self.fields.0.keys().chain(&self.trailer_names).copied().chain(sha256).chain(others))
    }

    /// Returns a declared algorithm that is not `expected`.
    pub fn other_than(&self, expected: Algorithm) -> Option<Algorithm> {
        self.fields.0.keys().chain(&self.trailer_names).copied().find(|algorithm| *algorithm != expected)
    }

    /// Compares the declared checksums with those of the received body, and returns the declared ones.
    pub fn check(self, digests: &Digests) -> S3Result<Checksums> {
        let mut declared = self.fields;
        for (algorithm, header) in Algorithm::HEADERS {
            let trailer = match &self.trailers {
                Some(TrailerSource::Own(trailers)) => trailers.get(header),
                Some(TrailerSource::Protocol(trailers)) => trailers
                    .read(|trailers| trailers.get(header).and_then(|value| value.to_str().ok()).map(str::to_owned))
                    .flatten(),
                None => None,
            };
            if let Some(trailer) = trailer {
                declared.0.insert(algorithm, trailer);
            } else if self.trailer_names.contains(&algorithm) {
                return refuse(S3ErrorCode::InvalidRequest, format!("The announced trailer {header} is missing"));
            }
        }
        declared.check_form()?;
        if self.md5.is_some_and(|md5| md5 != digests.md5) {
            return refuse(S3ErrorCode::BadDigest, "The Content-MD5 you specified did not match what we received.");
        }
        declared.check_against(&digests.checksums)?;
        if let Some(sha256) = self.payload_sha256 {
            let computed = digests.checksums.get(Algorithm::SHA256).unwrap_or_default();
            let computed = STANDARD.decode(computed).map(hex::encode);
            if computed.ok() != Some(sha256) {
                let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
                return Err(custom_error("XAmzContentSHA256Mismatch", hyper::StatusCode::BAD_REQUEST, message));
            }
        }
        Ok(declared)
    }
}
