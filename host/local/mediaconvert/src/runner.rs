//! Doing one job: fetch, probe, transcode, store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::watch;

use crate::events::Change;
use crate::ffmpeg::{self, Limits, Media, Progress, ToolError};
use crate::job::{JobError, JobStatus, Made, Phase};
use crate::service::Inner;
use crate::settings::{Location, Plan};
use crate::storage::StorageError;

/// Error codes of the service's user guide.
mod code {
    /// The input cannot be opened.
    pub(super) const INPUT: u32 = 1010;
    /// There is no video in it.
    pub(super) const NO_VIDEO: u32 = 1020;
    /// Its codec is not supported, by ffmpeg or for want of ffmpeg.
    pub(super) const CODEC: u32 = 1030;
    /// The input ends early.
    pub(super) const READ: u32 = 1076;
    /// The store refuses.
    pub(super) const PERMISSION: u32 = 1401;
    /// The store does not have it.
    pub(super) const NOT_FOUND: u32 = 1404;
    /// Anything else.
    pub(super) const UNKNOWN: u32 = 1999;
}

/// Share of the percentage that transcoding has; storing has the rest.
const TRANSCODING_SHARE: u32 = 95;

/// Runs the job to its end, which it records and tells.
pub(crate) async fn run(inner: Arc<Inner>, id: String, mut cancel: watch::Receiver<bool>) {
    let work = async {
        // Waits its turn. The semaphore is never closed.
        let _turn = inner.turns.acquire().await;
        inner.begin(&id).await;
        let Some(plan) = inner.plan(&id) else { return Ok(Vec::new()) };
        do_plan(&inner, &id, &plan).await
    };
    let ended = tokio::select! {
        // A job that is over is not cancelled any more.
        biased;
        result = work => Some(result),
        _ = cancel.wait_for(|cancelled| *cancelled) => None,
    };
    let (status, error, made) = match ended {
        Some(Ok(made)) => (JobStatus::Complete, None, made),
        Some(Err(error)) => (JobStatus::Error, Some(error), Vec::new()),
        None => (JobStatus::Canceled, None, Vec::new()),
    };
    if let Some(error) = &error {
        tracing::warn!(job = id, code = error.code, error = error.message, "transcoding failed");
    }
    inner.end(&id, status, error, made).await;
}

async fn do_plan(inner: &Inner, id: &str, plan: &Plan) -> Result<Vec<Vec<Made>>, JobError> {
    // Dropped last, when the process that writes into it has been killed.
    let scratch = tempfile::Builder::new()
        .prefix("mediaconvert-")
        .tempdir()
        .map_err(|error| fail(code::UNKNOWN, format!("no scratch folder could be made: {error}")))?;
    // Canonical, so that ffmpeg's messages name its files in the way that we know them.
    let folder = scratch.path().canonicalize().unwrap_or_else(|_| scratch.path().to_owned());
    let options = &inner.options;
    let limits = Limits { wall: options.timeout, memory: options.memory, file: options.largest_output };

    let source = &plan.input.file;
    let input = inner
        .storage
        .fetch(&source.bucket, &source.key, &folder)
        .await
        .map_err(|error| storage_error("The input could not be read", source, error))?;
    let media = ffmpeg::probe(&options.tools, &input, &folder, &limits).await.map_err(|error| {
        fail(tool_code(&error, code::INPUT), format!("The input {source} could not be opened: {error}"))
    })?;
    check(&media, source)?;

    inner.phase(id, Phase::Transcoding, 0).await;
    let outputs = transcode(inner, id, plan, &media, &input, &folder, &limits).await?;
    let mut made = measure(inner, plan, &media, &outputs, &folder, &limits).await?;

    inner.phase(id, Phase::Uploading, TRANSCODING_SHARE).await;
    for (output, file) in plan.outputs().zip(&outputs) {
        let Location { bucket, key } = &output.file;
        inner
            .storage
            .store(file, bucket, key, "video/mp4")
            .await
            .map_err(|error| storage_error("An output could not be stored", &output.file, error))?;
    }
    // Back into their groups.
    Ok(plan.groups.iter().map(|group| made.drain(..group.len().min(made.len())).collect()).collect())
}

fn check(media: &Media, source: &Location) -> Result<(), JobError> {
    match &media.video {
        None => Err(fail(code::NO_VIDEO, format!("The input {source} has no video in it"))),
        Some(video) if video.codec.is_none() => {
            Err(fail(code::CODEC, format!("The video in {source} is coded in a way that ffmpeg does not know")))
        }
        Some(_) => Ok(()),
    }
}

async fn transcode(
    inner: &Inner,
    id: &str,
    plan: &Plan,
    media: &Media,
    input: &Path,
    folder: &Path,
    limits: &Limits,
) -> Result<Vec<PathBuf>, JobError> {
    let outputs: Vec<PathBuf> =
        (0..plan.outputs().count()).map(|index| folder.join(format!("output-{index}.mp4"))).collect();
    let arguments = ffmpeg::transcode(plan, media, input, &outputs, inner.options.threads);
    tracing::debug!(job = id, ?arguments, "ffmpeg");

    // ffmpeg's reports arrive in a callback that cannot wait; a watch keeps the newest for the one that can.
    let (send, mut reports) = watch::channel((0, 0));
    let work = async move {
        let mut progress = Progress::default();
        ffmpeg::run(&inner.options.tools.ffmpeg, &arguments, folder, limits, |bytes| {
            if progress.push(bytes) {
                let _ = send.send((progress.percent(media.duration), progress.frames));
            }
        })
        .await
        // `send` ends here, and with it the loop below.
        .map(|()| drop(send))
    };
    let tell = async {
        let interval = inner.update_interval(id);
        let mut told = Instant::now();
        while reports.changed().await.is_ok() {
            let (percent, frames) = *reports.borrow_and_update();
            inner.progress(id, percent * TRANSCODING_SHARE / 100, frames);
            if told.elapsed() >= interval {
                told = Instant::now();
                inner.publish(id, Change::Progress).await;
            }
        }
    };
    let (result, ()) = tokio::join!(work, tell);
    result.map_err(|error| {
        fail(tool_code(&error, code::READ), format!("{} could not be transcoded: {error}", plan.input.file))
    })?;
    Ok(outputs)
}

/// What was made, by its own headers. An input that broke off is told by outputs that are too short: ffmpeg itself is
/// content with what it got.
async fn measure(
    inner: &Inner,
    plan: &Plan,
    media: &Media,
    outputs: &[PathBuf],
    folder: &Path,
    limits: &Limits,
) -> Result<Vec<Made>, JobError> {
    let mut made = Vec::with_capacity(outputs.len());
    for (output, file) in plan.outputs().zip(outputs) {
        let result = ffmpeg::probe(&inner.options.tools, file, folder, limits)
            .await
            .map_err(|error| fail(code::UNKNOWN, format!("The output {} is not readable: {error}", output.file)))?;
        let broken = || {
            fail(
                code::READ,
                format!(
                    "{} breaks off or is damaged: only {} ms of its {} ms could be read",
                    plan.input.file,
                    result.duration / 1000,
                    media.duration / 1000
                ),
            )
        };
        let video = result.video.as_ref().ok_or_else(broken)?;
        // A tenth and a second: headers round, and a sound track may end after the picture.
        if result.duration.saturating_add(1_000_000) < media.duration / 10 * 9 {
            return Err(broken());
        }
        made.push(Made {
            path: output.file.to_string(),
            duration_ms: result.duration / 1000,
            width: video.width,
            height: video.height,
        });
    }
    Ok(made)
}

/// `failed` where the program ran and did not like the file.
fn tool_code(error: &ToolError, failed: u32) -> u32 {
    match error {
        ToolError::Failed { .. } => failed,
        // Without ffmpeg no codec is supported here: neither the file's fault nor a defect.
        ToolError::Missing { .. } => code::CODEC,
        ToolError::Start { .. } | ToolError::TimedOut { .. } => code::UNKNOWN,
    }
}

fn storage_error(what: &str, location: &Location, error: StorageError) -> JobError {
    let code = match error {
        StorageError::NotFound(_) => code::NOT_FOUND,
        StorageError::Denied(_) => code::PERMISSION,
        StorageError::Failed(_) => code::UNKNOWN,
    };
    fail(code, format!("{what} [{location}]: {error}"))
}

fn fail(code: u32, message: String) -> JobError {
    JobError { code, message }
}
