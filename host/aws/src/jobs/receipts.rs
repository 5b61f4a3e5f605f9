//! Receipts: which outputs were made from which source, so that a second run transcodes nothing.
//!
//! MediaConvert writes its files by itself and cannot note a fingerprint on them. So the host writes a receipt to
//! `pipeline/receipts/` once it has seen a job's outputs. A receipt holds as long as every output still has the entity
//! tag that the receipt names, and the segments of streams are the same.

use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use stagehost_batch::{Batch, Case, Failure, Rendition, list_digest};

use crate::jobs::captures;
use crate::jobs::segments;
use crate::jobs::ticket::TicketOutput;
use crate::objects::bucket::MediaBucket;
use crate::objects::in_memory;

/// What a receipt is for: outputs of one version of a source.
#[derive(Clone, Copy)]
pub(crate) struct Transcoding<'a> {
    /// The batch that the source belongs to.
    pub(crate) batch: &'a Batch,
    pub(crate) source_key: &'a str,
    pub(crate) source_etag: &'a str,
    pub(crate) outputs: &'a [TicketOutput],
    /// What the host itself adds to every job (the job template). With other settings, the files are made again.
    pub(crate) settings: &'a str,
}

/// A receipt as it is kept in the bucket.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Receipt {
    source: String,
    source_etag: String,
    renditions: Vec<Rendition>,
    /// The digest of the segments; see `segments`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    segments: Option<String>,
}

impl Transcoding<'_> {
    /// Returns the receipt's key, derived from the source's content and everything that shapes the outputs.
    ///
    /// A file that is uploaded again unchanged keeps its SHA-256, but gets another entity tag where the bucket encrypts
    /// with a KMS key. So the SHA-256 is used if the batch has it, else the entity tag.
    fn receipt_key(&self) -> String {
        let asset = self.batch.assets.iter().find(|asset| asset.key == self.source_key);
        let content = asset
            .filter(|asset| asset.verified && asset.etag.as_deref() == Some(self.source_etag))
            .and_then(|asset| asset.sha256.as_deref())
            .unwrap_or(self.source_etag);
        let mut parts =
            vec!["receipt".to_owned(), self.settings.to_owned(), self.source_key.to_owned(), content.to_owned()];
        for output in self.outputs {
            parts.extend([
                output.name.clone(),
                output.key.clone(),
                format!("{}x{}", output.pixels.width, output.pixels.height),
                output.video_bitrate.to_string(),
                output.audio_bitrate.map_or_else(|| "silent".to_owned(), |rate| rate.to_string()),
            ]);
        }
        format!("pipeline/receipts/{}.json", list_digest(parts.iter().map(String::as_str)))
    }
}

/// Returns the outputs of an earlier run if all of them are unchanged.
pub(crate) async fn find(
    bucket: &MediaBucket,
    transcoding: Transcoding<'_>,
) -> Result<Option<Vec<Rendition>>, Failure> {
    let receipt = match in_memory::read_document::<Receipt>(bucket, &transcoding.receipt_key()).await {
        Ok(Some(receipt)) => receipt,
        Ok(None) => return Ok(None),
        // An unreadable receipt counts as absent: the files are made again, and a new receipt replaces it.
        Err(failure) if failure.case == Case::Internal => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let checks = receipt.renditions.into_iter().map(|rendition| async move {
        match bucket.head(&rendition.key, Some(&rendition.etag)).await {
            Ok(_) => Ok(Some(Rendition { reused: true, ..rendition })),
            Err(failure) if matches!(failure.case, Case::Missing | Case::Mismatch) => Ok(None),
            Err(failure) => Err(failure),
        }
    });
    let renditions: Option<Vec<Rendition>> = try_join_all(checks).await?.into_iter().collect();
    let Some(renditions) = renditions.filter(|renditions| are_all(renditions, transcoding.outputs)) else {
        return Ok(None);
    };
    let segments = segments::digest(bucket, transcoding.outputs).await?;
    Ok((segments == receipt.segments).then_some(renditions))
}

/// Returns whether these are the renditions of all outputs.
fn are_all(renditions: &[Rendition], outputs: &[TicketOutput]) -> bool {
    // The picture of a film is one of several captures.
    let is_of = |rendition: &Rendition, output: &TicketOutput| {
        rendition.key == output.key || captures::captured(&output.key).is_some_and(|keys| keys.contains(&rendition.key))
    };
    renditions.len() == outputs.len()
        && renditions.iter().zip(outputs).all(|(rendition, output)| is_of(rendition, output))
}

/// Writes the receipt for the outputs of a finished job.
pub(crate) async fn write(
    bucket: &MediaBucket,
    transcoding: Transcoding<'_>,
    renditions: &[Rendition],
) -> Result<(), Failure> {
    let receipt = Receipt {
        source: transcoding.source_key.to_owned(),
        source_etag: transcoding.source_etag.to_owned(),
        renditions: renditions.to_vec(),
        segments: segments::digest(bucket, transcoding.outputs).await?,
    };
    in_memory::write_document(bucket, &transcoding.receipt_key(), &receipt).await
}
