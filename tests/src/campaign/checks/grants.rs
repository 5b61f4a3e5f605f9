//! No request exceeds what the state that sent it may do.

use super::Findings;
use crate::campaign::log::Entry;
use crate::campaign::request::{Called, Seen};
use crate::campaign::work::Work;
use crate::campaign::world::World;

/// Where the host keeps its own documents.
const OWN: &str = "pipeline/";

pub(super) fn check(world: &World, findings: &mut Findings) {
    for entry in world.shared.log.entries() {
        if let Some(why) = refused(&entry) {
            let text = format!("{entry}: {why}");
            if findings.violations.len() < 50 {
                findings.wrong(text);
            }
        }
    }
}

/// The parts of a listing that a state may read and write.
fn parts(state: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match state {
        "ValidateRawAssets" => (&["raw"], &[]),
        "GenerateThumbnails" => (&["raw"], &["thumb"]),
        "ProcessVideos" => (&["raw", "processed"], &[]),
        "CreateZipBundle" => (&["raw", "thumb", "processed"], &["zip"]),
        // The host looks at what a job has made.
        "event" => (&["processed"], &[]),
        _ => (&[], &[]),
    }
}

fn refused(entry: &Entry) -> Option<String> {
    let seen = entry.seen.as_ref()?;
    let Some(work) = &entry.work else {
        // What goes on after the answer: the rest of an upload is aborted.
        let cleans = matches!(seen.operation.as_str(), "AbortMultipartUpload");
        return (!cleans).then(|| "a request outside any invocation".to_owned());
    };
    let state = work.state.as_str();
    let calls_back = matches!(state, "FinalizeAndCallback" | "ReportValidationFailed" | "ReportProcessingFailed");
    let allowed = match seen.service {
        Called::S3 => return object_refused(seen, work),
        Called::Backend | Called::Secrets => calls_back,
        Called::MediaConvert => state == "ProcessVideos",
        Called::Sqs => state == "queue",
        Called::States if matches!(&*seen.operation, "StartExecution" | "ListExecutions" | "DescribeExecution") => {
            state == "queue"
        }
        Called::States => matches!(state, "ProcessVideos" | "event") && seen.operation.starts_with("SendTask"),
        Called::Unknown => false,
    };
    (!allowed).then(|| format!("{state} may not call this"))
}

fn object_refused(seen: &Seen, work: &Work) -> Option<String> {
    let Some(key) = seen.key.as_deref() else { return Some("a request about the whole bucket".to_owned()) };
    if key.starts_with(OWN) {
        return None;
    }
    let (reads, writes) = parts(&work.state);
    let within = |key: &str, parts: &[&str]| {
        let (listing, rest) = key.split_once('/').unwrap_or_default();
        let own = work.listing.as_deref().is_none_or(|own| own == listing);
        own && parts.iter().any(|part| rest.starts_with(&format!("{part}/")))
    };
    let readable = |key: &str| within(key, reads) || within(key, writes);
    let allowed = match seen.operation.as_str() {
        "HeadObject" | "GetObject" => readable(key),
        // Raw files are marked for the bucket's lifecycle rule.
        "GetObjectTagging" | "PutObjectTagging" => work.state == "ValidateRawAssets" && within(key, &["raw"]),
        "AbortMultipartUpload" => within(key, writes),
        _ if seen.writes() => within(key, writes) && seen.source.as_deref().is_none_or(readable),
        _ => false,
    };
    (!allowed).then(|| format!("{} may not do this", work.state))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn entry(state: &str, operation: &str, key: &str) -> Entry {
        let seen = Seen {
            service: Called::S3,
            operation: operation.into(),
            key: Some(key.into()),
            source: None,
            conditional: false,
            identity: String::new(),
        };
        let work = Work { state: state.into(), listing: Some("51".into()), execution: None };
        Entry {
            at: Duration::ZERO,
            undisturbed: false,
            environment: 1,
            work: Some(work),
            seen: Some(seen),
            fault: None,
            status: None,
            note: String::new(),
        }
    }

    #[test]
    fn a_state_stays_within_its_listing_and_its_parts() {
        for (state, operation, key) in [
            ("ValidateRawAssets", "GetObject", "51/raw/a.jpg"),
            ("ValidateRawAssets", "PutObjectTagging", "51/raw/a.jpg"),
            ("GenerateThumbnails", "PutObject", "51/thumb/a.jpg"),
            ("CreateZipBundle", "UploadPartCopy", "51/zip/a.zip"),
            ("ProcessVideos", "PutObject", "pipeline/tickets/1.json"),
        ] {
            assert_eq!(refused(&entry(state, operation, key)), None, "{state} {operation} {key}");
        }
        for (state, operation, key) in [
            ("ValidateRawAssets", "GetObject", "52/raw/a.jpg"),
            ("ValidateRawAssets", "PutObject", "51/raw/a.jpg"),
            ("GenerateThumbnails", "PutObject", "51/zip/a.zip"),
            ("GenerateThumbnails", "DeleteObject", "51/thumb/a.jpg"),
            ("FinalizeAndCallback", "GetObject", "51/raw/a.jpg"),
        ] {
            assert!(refused(&entry(state, operation, key)).is_some(), "{state} {operation} {key}");
        }
    }
}
