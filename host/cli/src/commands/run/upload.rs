//! The files of a batch, put into the bucket.

use std::path::Path;

use anyhow::{Context, Result, anyhow};
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use stagehost_storage::sdk_reason;

use super::intake::Intake;
use crate::local::pipeline::Pipeline;
use crate::output::printer::Printer;

/// Uploads the files, except those that the bucket has already.
///
/// # Errors
/// If a file cannot be read or stored.
pub async fn upload(pipeline: &Pipeline, intake: &Intake, printer: &Printer) -> Result<()> {
    let total = intake.uploads.values().filter_map(|file| file.metadata().ok()).map(|m| m.len()).sum();
    let bar = printer.transfer("upload", total);
    for (key, file) in &intake.uploads {
        // Such a file fails alone: the batch's result says what is wrong with its key.
        if stagehost_batch::KeyParts::parse(key).is_err() {
            continue;
        }
        let stored = pipeline.bucket.join(key);
        let there = stored.is_file() && tokio::task::block_in_place(|| same_bytes(file, &stored)).unwrap_or(false);
        if !there {
            let body = ByteStream::from_path(file).await.with_context(|| format!("cannot read {}", file.display()))?;
            let put = pipeline.clients.s3.put_object().bucket(&pipeline.aws.options().bucket).key(key).body(body);
            put.send().await.map_err(|error| anyhow!("cannot upload {key}: {}", sentence(&error)))?;
        }
        bar.inc(file.metadata().map_or(0, |m| m.len()));
    }
    bar.finish_and_clear();
    Ok(())
}

/// Returns an error of a local service as a sentence.
fn sentence<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> String {
    match (error.code(), error.message()) {
        (Some("StorageFull"), Some(message)) => format!("{message}; make room, and run it again"),
        (_, Some(message)) => message.to_owned(),
        (_, None) => sdk_reason(error),
    }
}

/// Returns whether two files hold the same bytes.
fn same_bytes(a: &Path, b: &Path) -> std::io::Result<bool> {
    use std::io::Read;
    let (mut a, mut b) = (std::fs::File::open(a)?, std::fs::File::open(b)?);
    if a.metadata()?.len() != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let read = a.read(&mut left)?;
        if read == 0 {
            return Ok(true);
        }
        b.read_exact(&mut right[..read])?;
        if left[..read] != right[..read] {
            return Ok(false);
        }
    }
}
