//! Running one job: fetch, probe, transcode, store.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::event::Change;
use super::job::{FinishedOutput, JobError, JobStatus, Phase};
use super::job_table::JobTable;
use super::made::{self, Made, MadeFile};
use super::playlists;
use super::scratch::ScratchFolder;
use crate::ffmpeg::{self, Limits, Media, Progress, ToolError};
use crate::settings::{Content, Location, Output, Plan};
use crate::storage::StorageError;

/// Error codes of the service's user guide.
mod code {
    /// The input cannot be opened.
    pub(super) const INPUT: u32 = 1010;
    /// The input has no video.
    pub(super) const NO_VIDEO: u32 = 1020;
    /// The codec is not supported, or ffmpeg is not installed.
    pub(super) const CODEC: u32 = 1030;
    /// The input ends early.
    pub(super) const READ: u32 = 1076;
    /// The store refuses access.
    pub(super) const PERMISSION: u32 = 1401;
    /// The object does not exist.
    pub(super) const NOT_FOUND: u32 = 1404;
    /// Any other error.
    pub(super) const UNKNOWN: u32 = 1999;
}

/// The longest time for reading the headers of a file.
const PROBING: Duration = Duration::from_secs(60);

/// The percentage of progress for transcoding; the rest is for storing.
const TRANSCODING_SHARE: u32 = 95;

/// Runs a job to its end, and records and publishes how it ended.
pub(crate) async fn run(jobs: Arc<JobTable>, id: String, mut cancel: watch::Receiver<bool>) {
    let work = async {
        // The semaphore is never closed.
        let _slot = jobs.slots.acquire().await;
        jobs.begin(&id).await;
        let Some(plan) = jobs.plan(&id) else { return Ok(Vec::new()) };
        carry_out(&jobs, &id, &plan).await
    };
    let ended = tokio::select! {
        // A job that has ended is not cancelled.
        biased;
        result = work => Some(result),
        error = bucket_gone(&jobs, &id) => Some(Err(error)),
        _ = cancel.wait_for(|cancelled| *cancelled) => None,
    };
    let (status, error, outputs) = match ended {
        Some(Ok(outputs)) => (JobStatus::Complete, None, outputs),
        Some(Err(error)) => (JobStatus::Error, Some(error), Vec::new()),
        None => (JobStatus::Canceled, None, Vec::new()),
    };
    if let Some(error) = &error {
        tracing::warn!(job = id, code = error.code, error = error.message, "transcoding failed");
    }
    jobs.end(&id, status, error, outputs).await;
}

/// Waits until a bucket of the job has gone. Without this, a job of hours would notice it only at its end.
async fn bucket_gone(jobs: &JobTable, id: &str) -> JobError {
    let plan = jobs.plan(id);
    let files = plan.iter().flat_map(|plan| plan.outputs().map(|output| &output.file).chain([&plan.input.file]));
    let buckets: BTreeSet<_> = files.map(|file| file.bucket.clone()).collect();
    loop {
        tokio::time::sleep(jobs.options.look).await;
        for bucket in &buckets {
            if let Err(StorageError::NotFound(reason)) = jobs.storage.check(bucket).await {
                return fail(code::NOT_FOUND, format!("The bucket {bucket} has gone while the job ran: {reason}"));
            }
        }
    }
}

async fn carry_out(jobs: &JobTable, id: &str, plan: &Plan) -> Result<Vec<Vec<FinishedOutput>>, JobError> {
    // Dropped last, after the process that writes into it has been killed.
    let scratch = ScratchFolder::new()
        .map_err(|error| fail(code::UNKNOWN, format!("no scratch folder could be made: {error}")))?;
    // Canonical, so that the paths in ffmpeg's messages begin with this one.
    let folder = scratch.path().canonicalize().unwrap_or_else(|_| scratch.path().to_owned());
    let options = &jobs.options;
    let limits = Limits {
        wall: PROBING.min(options.timeout),
        silence: None,
        memory: options.memory,
        file: options.largest_output,
    };

    let source = &plan.input.file;
    let input = jobs
        .storage
        .fetch(&source.bucket, &source.key, &folder)
        .await
        .map_err(|error| storage_error("The input could not be read", source, error))?;
    let media = ffmpeg::probe(&options.tools, &input, &folder, &limits).await.map_err(|error| {
        fail(tool_code(&error, code::INPUT), format!("The input {source} could not be opened: {error}"))
    })?;
    check(plan, &media)?;

    jobs.phase(id, Phase::Transcoding, 0).await;
    let transcoding = Limits {
        wall: longest(media.duration, plan.outputs().count()).min(options.timeout),
        silence: Some(options.silence),
        ..limits
    };
    let outputs = transcode(jobs, id, plan, &media, &input, &folder, &transcoding).await?;
    let mut finished = measure(jobs, plan, &media, &outputs, &folder, &limits).await?;

    let masters = playlists::masters(plan, &media, &outputs, &folder).map_err(playlist_error)?;

    jobs.phase(id, Phase::Uploading, TRANSCODING_SHARE).await;
    for MadeFile { path, location, content_type } in outputs.iter().flat_map(|made| &made.files).chain(&masters) {
        let Location { bucket, key } = location;
        jobs.storage
            .store(path, bucket, key, content_type)
            .await
            .map_err(|error| storage_error("An output could not be stored", location, error))?;
    }
    // Grouped as in the settings.
    Ok(plan.groups.iter().map(|group| finished.drain(..group.len().min(finished.len())).collect()).collect())
}

/// Returns the longest time for transcoding a film of `duration` microseconds: a minute, and thirty times the film's length
/// for every output. A slow machine needs a third of that for the largest film. Without a length there is no such limit.
fn longest(duration: u64, outputs: usize) -> Duration {
    if duration == 0 {
        return Duration::MAX;
    }
    let film = Duration::from_micros(duration);
    let outputs = u32::try_from(outputs).unwrap_or(u32::MAX).max(1);
    Duration::from_secs(60).saturating_add(film.saturating_mul(outputs.saturating_mul(30)))
}

fn check(plan: &Plan, media: &Media) -> Result<(), JobError> {
    let source = &plan.input.file;
    let Some(video) = &media.video else {
        return Err(fail(code::NO_VIDEO, format!("The input {source} has no video")));
    };
    let Some(codec) = &video.codec else {
        return Err(fail(code::CODEC, format!("The video in {source} has a codec that ffmpeg does not know")));
    };
    if !ffmpeg::VIDEO_CODECS.split(',').any(|accepted| accepted == codec) {
        let message = format!("The video in {source} has the codec {codec}, which is not decoded on this machine");
        return Err(fail(code::CODEC, message));
    }
    if video.dolby_vision_only {
        let why = "is Dolby Vision without a base layer (profile 5), whose colours ffmpeg cannot convert";
        return Err(fail(code::CODEC, format!("The video in {source} {why}")));
    }
    for output in plan.outputs() {
        let Some(film) = output.content.film() else { continue };
        let track = film.audio.as_ref().and_then(|audio| audio.track);
        let unknown = track.filter(|track| media.sound.get(*track as usize) == Some(&false));
        if let Some(track) = unknown {
            let message = format!("The sound track {} of {source} has a codec that is not supported", track + 1);
            return Err(fail(code::CODEC, message));
        }
    }
    Ok(())
}

async fn transcode(
    jobs: &JobTable,
    id: &str,
    plan: &Plan,
    media: &Media,
    input: &Path,
    folder: &Path,
    limits: &Limits,
) -> Result<Vec<Made>, JobError> {
    let names = made::names(plan, folder);
    let arguments = ffmpeg::transcode(plan, media, input, &names, jobs.options.threads);
    tracing::debug!(job = id, ?arguments, "ffmpeg");

    // ffmpeg's reports arrive in a callback that cannot await; the channel keeps the newest one for the loop below.
    let (send, mut reports) = watch::channel((0, 0));
    let work = async move {
        let mut progress = Progress::default();
        ffmpeg::run(&jobs.options.tools.ffmpeg, &arguments, folder, limits, |bytes| {
            if progress.push(bytes) {
                let _ = send.send((progress.percent(media.duration), progress.frames));
            }
        })
        .await
        // `send` ends here, and with it the loop below.
        .map(|()| drop(send))
    };
    let publish = async {
        let interval = jobs.update_interval(id);
        let mut published = Instant::now();
        while reports.changed().await.is_ok() {
            let (percent, frames) = *reports.borrow_and_update();
            jobs.progress(id, percent * TRANSCODING_SHARE / 100, frames);
            if published.elapsed() >= interval {
                published = Instant::now();
                jobs.publish(id, Change::Progress).await;
            }
        }
    };
    let (result, ()) = tokio::join!(work, publish);
    result.map_err(|error| {
        let converted = media.video.as_ref().is_some_and(|video| video.colour.needs_zscale());
        if converted && error.to_string().contains("zscale") {
            let why = "its colours need ffmpeg's filter zscale; install an ffmpeg that is built with zimg";
            return fail(code::UNKNOWN, format!("{} could not be transcoded: {why} ({error})", plan.input.file));
        }
        fail(tool_code(&error, code::READ), format!("{} could not be transcoded: {error}", plan.input.file))
    })?;
    let made = |(output, name): (&Output, &PathBuf)| match &output.content {
        Content::Stream(stream) => playlists::files(stream, name).map_err(playlist_error),
        Content::Film(_) | Content::Frames(_) => Ok(Made { files: made::files(output, name), segments: None }),
    };
    plan.outputs().zip(&names).map(made).collect()
}

/// Reads the headers of the outputs. Outputs that are too short reveal an incomplete input, which ffmpeg does not
/// report as an error.
async fn measure(
    jobs: &JobTable,
    plan: &Plan,
    media: &Media,
    outputs: &[Made],
    folder: &Path,
    limits: &Limits,
) -> Result<Vec<FinishedOutput>, JobError> {
    let mut finished = Vec::with_capacity(outputs.len());
    for (output, Made { files, segments }) in plan.outputs().zip(outputs) {
        let nothing = || fail(code::READ, format!("{} has no picture that could be read", plan.input.file));
        let film = match (&output.content, files.first()) {
            (Content::Film(_), Some(film)) => film,
            (Content::Frames(frames), _) => {
                finished.push(made::captured(plan, media, frames, files).ok_or_else(nothing)?);
                continue;
            }
            (Content::Stream(stream), _) => {
                let made = (segments.as_ref().map_or(0.0, |segments| segments.seconds) * 1e6) as u64;
                if too_short(made, media) {
                    return Err(incomplete(plan, media, made));
                }
                let video = media.video.as_ref().ok_or_else(nothing)?;
                let (width, height) = ffmpeg::output_size(stream.film.video.size, plan.input.rotate, video);
                let path = stream.playlist().to_string();
                finished.push(FinishedOutput { path, duration_ms: made / 1000, width, height });
                continue;
            }
            (Content::Film(_), None) => return Err(nothing()),
        };
        let result = ffmpeg::probe(&jobs.options.tools, &film.path, folder, limits)
            .await
            .map_err(|error| fail(code::UNKNOWN, format!("The output {} is not readable: {error}", output.file)))?;
        if too_short(result.duration, media) {
            return Err(incomplete(plan, media, result.duration));
        }
        // Its sound may be whole.
        let video = result.video.as_ref().ok_or_else(nothing)?;
        finished.push(FinishedOutput {
            path: output.file.to_string(),
            duration_ms: result.duration / 1000,
            width: video.width,
            height: video.height,
        });
    }
    Ok(finished)
}

/// Returns whether an output of `made` microseconds lacks a part of the input. A tolerance of a tenth and a second: headers are
/// rounded, and a sound track may be longer than the picture.
fn too_short(made: u64, media: &Media) -> bool {
    made.saturating_add(1_000_000) < media.duration / 10 * 9
}

fn incomplete(plan: &Plan, media: &Media, made: u64) -> JobError {
    let (made, whole) = (made / 1000, media.duration / 1000);
    let message =
        format!("{} is incomplete or damaged: only {made} ms of its {whole} ms could be read", plan.input.file);
    fail(code::READ, message)
}

fn playlist_error(error: std::io::Error) -> JobError {
    fail(code::UNKNOWN, format!("a playlist could not be written: {error}"))
}

/// Returns the code of an error; `failed` if the program ran and refused the file.
fn tool_code(error: &ToolError, failed: u32) -> u32 {
    match error {
        ToolError::Failed { .. } => failed,
        // Without ffmpeg, no codec is supported.
        ToolError::Missing { .. } => code::CODEC,
        ToolError::Start { .. } | ToolError::TimedOut { .. } | ToolError::Silent { .. } | ToolError::Answer { .. } => {
            code::UNKNOWN
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_for_a_film_follows_from_its_length() {
        assert_eq!(longest(5_000_000, 2), Duration::from_secs(60 + 300));
        assert_eq!(longest(0, 2), Duration::MAX, "the length is unknown");
        assert_eq!(longest(u64::MAX, usize::MAX), longest(u64::MAX, usize::MAX), "nothing overflows");
    }
}
