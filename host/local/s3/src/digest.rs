//! Checksums: declared, computed and compared.
//!
//! Every body is hashed once, while it is written: always with MD5 for the entity tag and CRC-32 for multipart objects,
//! and with other algorithms if the request declares them. The CRC-32 of a multipart object is combined from those of
//! its parts, without reading them.

use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto;
use s3s::{S3Error, S3ErrorCode, S3Result};
use serde::{Deserialize, Serialize};

use crate::error::refuse;

/// The size of a buffer, in bytes.
pub const BUFFER: usize = 256 * 1024;

/// S3's checksum algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, clippy::upper_case_acronyms)]
pub enum Algorithm {
    CRC32,
    CRC32C,
    CRC64NVME,
    SHA1,
    SHA256,
}

impl Algorithm {
    /// All algorithms with their headers.
    pub const HEADERS: [(Algorithm, &'static str); 5] = [
        (Algorithm::CRC32, "x-amz-checksum-crc32"),
        (Algorithm::CRC32C, "x-amz-checksum-crc32c"),
        (Algorithm::CRC64NVME, "x-amz-checksum-crc64nvme"),
        (Algorithm::SHA1, "x-amz-checksum-sha1"),
        (Algorithm::SHA256, "x-amz-checksum-sha256"),
    ];

    /// Returns the algorithm of a name in requests.
    pub fn from_name(name: &str) -> S3Result<Self> {
        Ok(match name {
            "CRC32" => Self::CRC32,
            "CRC32C" => Self::CRC32C,
            "CRC64NVME" => Self::CRC64NVME,
            "SHA1" => Self::SHA1,
            "SHA256" => Self::SHA256,
            _ => {
                return refuse(
                    S3ErrorCode::InvalidRequest,
                    format!("{name} is not a checksum algorithm of this service"),
                );
            }
        })
    }

    /// Returns the name in requests and responses.
    pub fn name(self) -> &'static str {
        match self {
            Self::CRC32 => "CRC32",
            Self::CRC32C => "CRC32C",
            Self::CRC64NVME => "CRC64NVME",
            Self::SHA1 => "SHA1",
            Self::SHA256 => "SHA256",
        }
    }

    /// Returns the type of `s3s`.
    pub fn to_dto(self) -> dto::ChecksumAlgorithm {
        dto::ChecksumAlgorithm::from_static(self.name())
    }

    /// Returns the length of a digest, in bytes.
    fn length(self) -> usize {
        match self {
            Self::CRC32 | Self::CRC32C => 4,
            Self::CRC64NVME => 8,
            Self::SHA1 => 20,
            Self::SHA256 => 32,
        }
    }

    /// Returns the digest of bytes in memory.
    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::CRC32 => Crc32::checksum(bytes).to_vec(),
            Self::CRC32C => Crc32c::checksum(bytes).to_vec(),
            Self::CRC64NVME => Crc64Nvme::checksum(bytes).to_vec(),
            Self::SHA1 => Sha1::checksum(bytes).to_vec(),
            Self::SHA256 => Sha256::checksum(bytes).to_vec(),
        }
    }
}

/// Checksums by algorithm, in base64; a composite one ends in `-` and the number of parts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Checksums(pub std::collections::BTreeMap<Algorithm, String>);

/// Writes [`Checksums`] into the five checksum fields that many types of `s3s` have.
macro_rules! put_checksums {
    ($target:expr, $checksums:expr) => {{
        use $crate::digest::Algorithm;
        let checksums: &$crate::digest::Checksums = $checksums;
        $target.checksum_crc32 = checksums.get(Algorithm::CRC32);
        $target.checksum_crc32c = checksums.get(Algorithm::CRC32C);
        $target.checksum_crc64nvme = checksums.get(Algorithm::CRC64NVME);
        $target.checksum_sha1 = checksums.get(Algorithm::SHA1);
        $target.checksum_sha256 = checksums.get(Algorithm::SHA256);
    }};
}
pub(crate) use put_checksums;

/// Reads the five checksum fields into [`Checksums`].
macro_rules! take_checksums {
    ($source:expr) => {
        $crate::digest::Checksums::from_fields([
            ($crate::digest::Algorithm::CRC32, $source.checksum_crc32.as_deref()),
            ($crate::digest::Algorithm::CRC32C, $source.checksum_crc32c.as_deref()),
            ($crate::digest::Algorithm::CRC64NVME, $source.checksum_crc64nvme.as_deref()),
            ($crate::digest::Algorithm::SHA1, $source.checksum_sha1.as_deref()),
            ($crate::digest::Algorithm::SHA256, $source.checksum_sha256.as_deref()),
        ])
    };
}
pub(crate) use take_checksums;

impl Checksums {
    /// Returns the checksums of a request's fields.
    pub fn from_fields(fields: [(Algorithm, Option<&str>); 5]) -> Self {
        Self(fields.into_iter().filter_map(|(algorithm, value)| Some((algorithm, value?.to_owned()))).collect())
    }

    /// Returns a CRC-32 only.
    pub fn crc32(crc32: u32) -> Self {
        Self([(Algorithm::CRC32, STANDARD.encode(crc32.to_be_bytes()))].into())
    }

    /// Returns the checksum of an algorithm.
    pub fn get(&self, algorithm: Algorithm) -> Option<String> {
        self.0.get(&algorithm).cloned()
    }

    /// Returns the checksums of these algorithms.
    pub fn only(&self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        Self(algorithms.into_iter().filter_map(|algorithm| Some((algorithm, self.get(algorithm)?))).collect())
    }

    /// Checks that each checksum has the length of its algorithm.
    pub fn check_form(&self) -> S3Result<()> {
        for (algorithm, value) in &self.0 {
            if STANDARD.decode(value).ok().is_none_or(|digest| digest.len() != algorithm.length()) {
                let name = algorithm.name();
                return refuse(
                    S3ErrorCode::InvalidRequest,
                    format!("Value for {name} checksum header is invalid: {value}"),
                );
            }
        }
        Ok(())
    }

    /// Compares the declared checksums with the computed ones.
    ///
    /// # Errors
    /// `BadDigest`, if one differs.
    pub fn check_against(&self, computed: &Checksums) -> S3Result<()> {
        for (algorithm, declared) in &self.0 {
            if computed.0.get(algorithm) != Some(declared) {
                return Err(bad_digest(*algorithm));
            }
        }
        Ok(())
    }
}

/// Returns the error for a declared checksum that differs from the computed one.
pub fn bad_digest(algorithm: Algorithm) -> S3Error {
    let name = algorithm.name();
    S3Error::with_message(
        S3ErrorCode::BadDigest,
        format!("The {name} you specified did not match the calculated checksum."),
    )
}

/// The algorithms to compute besides MD5 and CRC-32.
#[derive(Clone, Copy, Debug, Default)]
pub struct WantedAlgorithms {
    crc32c: bool,
    crc64nvme: bool,
    sha1: bool,
    sha256: bool,
}

impl WantedAlgorithms {
    /// Returns the set of these algorithms.
    pub fn of(algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let mut wanted = Self::default();
        for algorithm in algorithms {
            match algorithm {
                Algorithm::CRC32 => {}
                Algorithm::CRC32C => wanted.crc32c = true,
                Algorithm::CRC64NVME => wanted.crc64nvme = true,
                Algorithm::SHA1 => wanted.sha1 = true,
                Algorithm::SHA256 => wanted.sha256 = true,
            }
        }
        wanted
    }
}

/// Computes all digests of a stream of bytes.
pub struct Hasher {
    md5: Md5,
    crc32: crc32fast::Hasher,
    others: ChecksumHasher,
    size: u64,
}

/// The digests of a body or file.
#[derive(Clone, Debug)]
pub struct Digests {
    pub size: u64,
    /// Lower-case hexadecimal.
    pub md5: String,
    pub crc32: u32,
    /// CRC-32 and the wanted algorithms.
    pub checksums: Checksums,
}

impl Hasher {
    /// Returns a hasher.
    pub fn new(wanted: WantedAlgorithms) -> Self {
        let others = ChecksumHasher {
            crc32: None,
            crc32c: wanted.crc32c.then(Crc32c::new),
            sha1: wanted.sha1.then(Sha1::new),
            sha256: wanted.sha256.then(Sha256::new),
            crc64nvme: wanted.crc64nvme.then(Crc64Nvme::new),
        };
        Self { md5: Md5::new(), crc32: crc32fast::Hasher::new(), others, size: 0 }
    }

    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.crc32.update(bytes);
        self.others.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// Returns the digests.
    pub fn finish(self) -> Digests {
        let others: dto::Checksum = self.others.finalize();
        let mut checksums = take_checksums!(others);
        let crc32 = self.crc32.finalize();
        checksums.0.append(&mut Checksums::crc32(crc32).0);
        Digests { size: self.size, md5: hex::encode(self.md5.finalize()), crc32, checksums }
    }
}

/// Hashes a reader to its end.
pub fn hash(mut reader: impl Read, wanted: WantedAlgorithms) -> std::io::Result<Digests> {
    let mut hasher = Hasher::new(wanted);
    let mut buffer = vec![0; BUFFER];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(read) => hasher.update(buffer.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Returns the CRC-32 of concatenated parts from their CRC-32s and sizes.
pub fn combine_crc32(parts: impl IntoIterator<Item = (u32, u64)>) -> u32 {
    let mut whole = crc32fast::Hasher::new();
    for (crc32, size) in parts {
        whole.combine(&crc32fast::Hasher::new_with_initial_len(crc32, size));
    }
    whole.finalize()
}

/// Returns the entity tag of a multipart object without quotes: the MD5 of the parts' MD5s, and the number of parts.
pub fn multipart_etag<'a>(md5s: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = md5s.len();
    let mut md5 = Md5::new();
    for part in md5s {
        md5.update(&hex::decode(part).unwrap_or_default());
    }
    format!("{}-{count}", hex::encode(md5.finalize()))
}

/// Returns a composite checksum: the checksum of the parts' checksums, and the number of parts. `None` if a part has
/// none.
pub fn composite<'a>(algorithm: Algorithm, parts: impl ExactSizeIterator<Item = &'a Checksums>) -> Option<String> {
    let count = parts.len();
    let mut all = Vec::with_capacity(count * algorithm.length());
    for part in parts {
        all.extend(STANDARD.decode(part.0.get(&algorithm)?).ok()?);
    }
    Some(format!("{}-{count}", STANDARD.encode(algorithm.digest(&all))))
}

/// Returns the MD5 of a `Content-MD5` header in hexadecimal.
pub fn content_md5(header: Option<&str>) -> S3Result<Option<String>> {
    let Some(header) = header else { return Ok(None) };
    match STANDARD.decode(header) {
        Ok(md5) if md5.len() == 16 => Ok(Some(hex::encode(md5))),
        _ => refuse(S3ErrorCode::InvalidDigest, "The Content-MD5 you specified is not valid."),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn digests_are_the_well_known_ones() {
        let all = WantedAlgorithms::of(Algorithm::HEADERS.map(|(algorithm, _)| algorithm));
        let digests = hash(&b"123456789"[..], all).unwrap();
        assert_eq!(digests.md5, "25f9e794323b453885f5181f1b624d0b");
        assert_eq!(digests.crc32, 0xCBF4_3926);
        let value = |algorithm| STANDARD.decode(digests.checksums.get(algorithm).unwrap()).unwrap();
        assert_eq!(value(Algorithm::CRC32), 0xCBF4_3926_u32.to_be_bytes());
        assert_eq!(value(Algorithm::CRC32C), 0xE306_9283_u32.to_be_bytes());
        assert_eq!(value(Algorithm::CRC64NVME), 0xAE8B_1486_0A79_9888_u64.to_be_bytes());
        assert_eq!(hex::encode(value(Algorithm::SHA1)), "f7c3bc1d808e04732adf679965ccc34ca7ae3441");
        assert_eq!(
            hex::encode(value(Algorithm::SHA256)),
            "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"
        );
    }

    #[test]
    fn a_checksum_of_a_wrong_length_is_refused() {
        let bad = Checksums([(Algorithm::SHA256, STANDARD.encode("short"))].into());
        assert_eq!(bad.check_form().unwrap_err().code(), &S3ErrorCode::InvalidRequest);
        assert!(Checksums::crc32(7).check_form().is_ok());
    }

    #[test]
    fn a_malformed_content_md5_is_refused() {
        assert_eq!(content_md5(Some("abc")).unwrap_err().code(), &S3ErrorCode::InvalidDigest);
        let md5 = content_md5(Some("1B2M2Y8AsgTpgAmY7PhCfg==")).unwrap().unwrap();
        assert_eq!(md5, hash(std::io::empty(), WantedAlgorithms::default()).unwrap().md5);
    }

    proptest! {
        #[test]
        fn a_crc32_combined_from_parts_equals_that_of_the_whole(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 0..6)) {
            let whole = crc32fast::hash(&parts.concat());
            let combined = combine_crc32(parts.iter().map(|part| (crc32fast::hash(part), part.len() as u64)));
            prop_assert_eq!(combined, whole);
        }
    }
}
