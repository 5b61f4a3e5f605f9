//! Submits a job for every file. Words in its configuration choose which: `none` no job, `more` a higher bit rate.

wit_bindgen::generate!({ world: "transcode", path: "../../../wit", generate_all });

use exports::toq::media::batch_stage::{Batch, Context, Failure, Guest, Outcome};
use toq::media::keys;
use toq::media::transcoder::{Job, Output, Submission, submit};
use toq::media::types::PixelSize;

struct Submitter;
export!(Submitter);

impl Guest for Submitter {
    fn process(ctx: Context, batch: Batch) -> Result<Outcome, Failure> {
        let mut ids = Vec::new();
        for asset in batch.assets {
            if ctx.config.contains("none") {
                continue;
            }
            let output = Output {
                name: "1080p".into(),
                key: keys::derive(&asset.key, keys::Area::Processed, "1080p", "mp4")?,
                pixels: PixelSize { width: 1920, height: 1080 },
                video_bitrate: if ctx.config.contains("more") { 9_000_000 } else { 5_000_000 },
                audio_bitrate: None,
            };
            let job = Job { source_key: asset.key, source_etag: asset.etag.unwrap_or_default(), outputs: vec![output] };
            ids.push(match submit(&job)? {
                Submission::Running(id) => id,
                Submission::UpToDate(_) => "up to date".into(),
            });
        }
        Ok(Outcome { assets: vec![], bundles: vec![], failures: vec![], note: Some(ids.join(", ")) })
    }
}
