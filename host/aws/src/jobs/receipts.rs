//! Which outputs were made from which source: the reason why a second run transcodes nothing.
//!
//! MediaConvert writes its files by itself and notes nothing on them, so there is no fingerprint to compare. A receipt is
//! written beside the listings (`pipeline/receipts/`, nobody browses there) once a job's outputs have been seen; it holds
//! as long as every output is still the very object that it names.

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use stagehost_batch::{Batch, Case, Failure, Rendition};

use crate::ids;
use crate::jobs::tickets::TicketJob;
use crate::objects::bucket::Store;

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    source: String,
    source_etag: String,
    renditions: Vec<Rendition>,
}

/// The name of a job's outcome: the source's content and everything that shapes the outputs. `settings` is what the
/// host itself adds (the template), so that a change of it makes new files.
///
/// A file that was uploaded again unchanged has the same SHA-256 and, on S3 with a key of one's own, another entity tag;
/// so the digest is used where the batch has it.
fn receipt_key(batch: &Batch, job: &TicketJob, settings: &str) -> String {
    let asset = batch.assets.iter().find(|asset| asset.key == job.source_key);
    let content = asset
        .filter(|asset| asset.verified && asset.etag.as_deref() == Some(job.source_etag.as_str()))
        .and_then(|asset| asset.sha256.as_deref())
        .unwrap_or(&job.source_etag);
    let mut parts = vec!["receipt".to_owned(), settings.to_owned(), job.source_key.clone(), content.to_owned()];
    for output in &job.outputs {
        parts.extend([
            output.name.clone(),
            output.key.clone(),
            format!("{}x{}", output.pixels.width, output.pixels.height),
            output.video_bitrate.to_string(),
            output.audio_bitrate.map_or_else(|| "silent".to_owned(), |rate| rate.to_string()),
        ]);
    }
    format!("pipeline/receipts/{}.json", ids::hash(parts.iter().map(String::as_str)))
}

/// The outputs of an earlier run, if all of them are still what it left.
pub(crate) async fn find(
    store: &Store,
    batch: &Batch,
    job: &TicketJob,
    settings: &str,
) -> Result<Option<Vec<Rendition>>, Failure> {
    let key = receipt_key(batch, job, settings);
    let receipt = match store.get_document::<Receipt>(&key).await {
        Ok(Some(receipt)) => receipt,
        Ok(None) => return Ok(None),
        // Unreadable counts as absent: making the files again puts it right.
        Err(failure) if failure.case == Case::Internal => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let checks = receipt.renditions.into_iter().map(|rendition| async move {
        match store.head(&rendition.key, Some(&rendition.etag)).await {
            Ok(_) => Ok(Some(Rendition { reused: true, ..rendition })),
            Err(failure) if matches!(failure.case, Case::Missing | Case::Mismatch) => Ok(None),
            Err(failure) => Err(failure),
        }
    });
    let renditions: Option<Vec<Rendition>> = try_join_all(checks).await?.into_iter().collect();
    Ok(renditions.filter(|renditions| {
        renditions.len() == job.outputs.len()
            && renditions.iter().zip(&job.outputs).all(|(rendition, output)| rendition.key == output.key)
    }))
}

/// Notes what a job made.
pub(crate) async fn write(
    store: &Store,
    batch: &Batch,
    job: &TicketJob,
    settings: &str,
    renditions: &[Rendition],
) -> Result<(), Failure> {
    let receipt = Receipt {
        source: job.source_key.clone(),
        source_etag: job.source_etag.clone(),
        renditions: renditions.to_vec(),
    };
    store.put_document(&receipt_key(batch, job, settings), &receipt).await
}
