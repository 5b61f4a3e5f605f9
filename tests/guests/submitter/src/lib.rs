//! Submits a job for every file. Words in its configuration choose which: `none` no job, `more` a higher bit rate, `flood`
//! different jobs without end, `wide` and `many` one job with 100,000 and 1,000 outputs.

wit_bindgen::generate!({ world: "transcode", path: "../../../wit", generate_all });

use exports::toq::media::batch_stage::{Asset, Batch, Context, Failure, Guest, Outcome};
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
            let bitrate = if ctx.config.contains("more") { 9_000_000 } else { 5_000_000 };
            let outputs = match &ctx.config {
                config if config.contains("wide") => 100_000,
                config if config.contains("many") => 1000,
                _ => 1,
            };
            ids.push(submitted(&asset, bitrate, outputs)?);
            let mut more = bitrate;
            while ctx.config.contains("flood") {
                more += 1;
                submitted(&asset, more, 1)?;
            }
        }
        Ok(Outcome {
            assets: vec![],
            bundles: vec![],
            files: vec![],
            attributes: vec![],
            failures: vec![],
            note: Some(ids.join(", ")),
        })
    }
}

fn submitted(asset: &Asset, video_bitrate: u32, outputs: usize) -> Result<String, Failure> {
    let output = Output {
        name: "1080p".into(),
        key: keys::derive(&asset.key, keys::Area::Processed, "1080p", "mp4")?,
        pixels: PixelSize { width: 1920, height: 1080 },
        video_bitrate,
        audio_bitrate: None,
    };
    let source_etag = asset.etag.clone().unwrap_or_default();
    let job = Job { source_key: asset.key.clone(), source_etag, outputs: vec![output; outputs] };
    Ok(match submit(&job)? {
        Submission::Running(id) => id,
        Submission::UpToDate(_) => "up to date".into(),
    })
}
