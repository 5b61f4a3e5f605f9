//! ARNs, and the endpoints of the services that they name.

use std::fmt;

/// An ARN in its parts: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arn {
    text: String,
    pub(crate) partition: String,
    pub(crate) service: String,
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) resource: String,
}

impl Arn {
    /// Reads an ARN; `None` if the text is not an ARN, or an ARN without a region or an account.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let mut part = || parts.next().map(str::to_owned);
        let (arn, partition, service, region) = (part()?, part()?, part()?, part()?);
        let (account, resource) = (part()?, part()?);
        // The parts become parts of host names and paths.
        let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let whole = arn == "arn" && [&partition, &service, &region, &account].iter().all(|part| plain(part));
        (whole && !resource.is_empty()).then(|| Self {
            text: text.to_owned(),
            partition,
            service,
            region,
            account,
            resource,
        })
    }

    /// Returns the same ARN as if its resource were one of another service: for that service's endpoint in the same region.
    pub(crate) fn in_service(self, service: &str) -> Self {
        Self { service: service.to_owned(), ..self }
    }

    /// Returns the service's endpoint at AWS, by the SDKs' partitions and endpoint rules (botocore,
    /// `data/partitions.json` and `endpoint-rule-set-1.json`).
    pub(crate) fn aws_endpoint(&self, fips: bool) -> String {
        let suffix = match self.partition.as_str() {
            "aws-cn" => "amazonaws.com.cn",
            "aws-eusc" => "amazonaws.eu",
            "aws-iso" => "c2s.ic.gov",
            "aws-iso-b" => "sc2s.sgov.gov",
            "aws-iso-e" => "cloud.adc-e.uk",
            "aws-iso-f" => "csp.hci.ic.gov",
            _ => "amazonaws.com",
        };
        // In GovCloud, the plain endpoints of these services comply with FIPS, and there are no others.
        let plain = self.partition == "aws-us-gov" && matches!(self.service.as_str(), "sqs" | "ssm");
        let fips = if fips && !plain { "-fips" } else { "" };
        format!("https://{}{fips}.{}.{suffix}/", self.service, self.region)
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_services_endpoint_follows_from_the_partition_the_region_and_fips() {
        for (arn, fips, endpoint) in [
            ("arn:aws:sqs:eu-west-1:123456789012:jobs", false, "https://sqs.eu-west-1.amazonaws.com/"),
            ("arn:aws:sqs:us-east-1:123456789012:jobs", true, "https://sqs-fips.us-east-1.amazonaws.com/"),
            ("arn:aws-us-gov:sqs:us-gov-west-1:123456789012:jobs", true, "https://sqs.us-gov-west-1.amazonaws.com/"),
            ("arn:aws-cn:sqs:cn-north-1:123456789012:jobs", false, "https://sqs.cn-north-1.amazonaws.com.cn/"),
        ] {
            assert_eq!(Arn::parse(arn).unwrap().aws_endpoint(fips), endpoint);
        }
    }

    #[test]
    fn a_text_that_would_change_the_host_or_the_path_is_not_an_arn() {
        for text in [
            "arn:aws:sqs:eu-west-1:123456789012",
            "arn:aws:sqs:eu-west-1:123456789012:",
            "arn:aws:sqs::123456789012:jobs",
            "arn:aws:sqs:evil.example/:123456789012:jobs",
            "arn:aws:sqs:eu-west-1:../other:jobs",
            "urn:aws:sqs:eu-west-1:123456789012:jobs",
        ] {
            assert_eq!(Arn::parse(text), None, "{text}");
        }
    }
}
