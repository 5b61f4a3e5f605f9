//! What a completed job has made, as it is in the bucket.

use stagehost_batch::{Case, Failure, Rendition};

use crate::jobs::captures;
use crate::jobs::ticket::{TicketJob, TicketOutput};
use crate::objects::bucket::MediaBucket;

/// Returns the renditions of a completed job.
///
/// A film is good without a picture of it.
///
/// Errors: `Transient` if the bucket does not answer; any other if an output cannot be used.
pub(crate) async fn renditions(bucket: &MediaBucket, job: &TicketJob) -> Result<Vec<Rendition>, Failure> {
    let capture = best_capture(bucket, &job.outputs).await?;
    let mut renditions = Vec::with_capacity(job.outputs.len());
    for output in &job.outputs {
        let captured = captures::captured(&output.key);
        let key = captured.as_ref().and_then(|keys| keys.get(capture)).unwrap_or(&output.key);
        match bucket.head(key, None).await {
            Ok(info) => renditions.push(Rendition {
                name: output.name.clone(),
                content_type: captures::content_type(&info.key).to_owned(),
                key: info.key,
                pixels: Some(output.pixels),
                bytes: info.bytes,
                etag: info.etag,
                crc32: info.crc32,
                reused: false,
            }),
            Err(failure) if failure.case == Case::Transient => return Err(failure),
            Err(failure) if captured.is_some() => {
                tracing::warn!(job = %job.id, key, %failure, "the film has no picture");
            }
            Err(Failure { case, message }) => {
                let message =
                    format!("MediaConvert completed job {}, but its output cannot be used: {message}", job.id);
                return Err(Failure::new(case, message));
            }
        }
    }
    Ok(renditions)
}

/// Returns the index of the captures that become the film's pictures, the same one in every size: the first that shows
/// something, or else the first that is there. The smallest size tells, because noise is averaged out of it.
async fn best_capture(bucket: &MediaBucket, outputs: &[TicketOutput]) -> Result<usize, Failure> {
    let pictures = outputs.iter().filter_map(|output| Some((output.pixels, captures::captured(&output.key)?)));
    let smallest = pictures.min_by_key(|(size, _)| u64::from(size.width) * u64::from(size.height));
    let Some((pixels, keys)) = smallest else { return Ok(0) };
    let mut plain = None;
    for (index, key) in keys.iter().enumerate() {
        match bucket.head(key, None).await {
            Ok(info) if !captures::is_plain(info.bytes, pixels) => return Ok(index),
            Ok(_) => plain = plain.or(Some(index)),
            Err(failure) if failure.case == Case::Transient => return Err(failure),
            Err(_) => {}
        }
    }
    Ok(plain.unwrap_or(0))
}
