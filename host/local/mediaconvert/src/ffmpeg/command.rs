//! The command line that carries out a plan.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::colour::{OUTPUT_TAGS, Target};
use super::media::Media;
use super::process::file_argument;
use super::size;
use super::tools::INPUT_OPTIONS;
use crate::settings::{Audio, Content, Film, Frames, KeyFrames, Plan, RateControl, Stream, Video};

/// Returns the arguments of one run that decodes once and writes every output. `outputs` are the files to write, in the
/// plan's order; for captures with `%07d` in place of the number. The input must have a video stream.
pub(crate) fn transcode(plan: &Plan, media: &Media, input: &Path, outputs: &[PathBuf], threads: u32) -> Vec<OsString> {
    let mut line = Line(Vec::new());
    let threads = threads.max(1).to_string();
    line.add(&["-hide_banner", "-nostdin", "-loglevel", "error", "-nostats", "-y"]);
    line.add(&["-progress", "pipe:1", "-stats_period", "0.5", "-filter_threads", "1"]);
    line.add(&INPUT_OPTIONS);
    line.add(&["-threads", &threads]);
    let Some(stream) = &media.video else { return line.0 };
    if !size::rotation(plan.input.rotate, stream).0 {
        line.add(&["-noautorotate"]);
    }
    line.0.push("-i".into());
    line.0.push(file_argument(input).into());
    for (output, file) in plan.outputs().zip(outputs) {
        // The first video stream that is not a cover picture.
        line.add(&["-map", "0:V:0"]);
        match &output.content {
            Content::Film(content) => {
                let filters = size::filters(content.video.size, plan.input.rotate, stream, Target::Film);
                line.add(&["-vf", &filters]);
                film(&mut line, content, media, &threads);
                mp4(&mut line, content);
            }
            Content::Stream(content) => {
                let filters = size::filters(content.film.video.size, plan.input.rotate, stream, Target::Film);
                line.add(&["-vf", &filters]);
                film(&mut line, &content.film, media, &threads);
                hls(&mut line, content, file);
            }
            Content::Frames(content) => {
                let filters = size::filters(content.size, plan.input.rotate, stream, Target::Jpeg);
                frames(&mut line, content, &filters);
            }
        }
        line.0.push(file_argument(file).into());
    }
    line.0
}

fn film(line: &mut Line, film: &Film, media: &Media, threads: &str) {
    video(line, &film.video);
    line.add(&OUTPUT_TAGS);
    match (&film.audio, sound_track(film, media)) {
        (Some(settings), Some(track)) => audio(line, settings, track),
        _ => line.add(&["-an"]),
    }
    // Metadata is dropped: it contains the place and time of the recording.
    line.add(&["-sn", "-dn", "-map_metadata", "-1", "-map_chapters", "-1"]);
    line.add(&["-threads", threads]);
    // Equal input and settings give equal bytes.
    line.add(&["-fflags", "+bitexact"]);
}

/// Returns the index of the sound track that a film gets; `None` for a silent one.
pub(crate) fn sound_track(film: &Film, media: &Media) -> Option<usize> {
    match film.audio.as_ref()?.track {
        Some(track) => usize::try_from(track).ok().filter(|track| *track < media.sound.len()),
        None => media.first_sound(),
    }
}

fn mp4(line: &mut Line, film: &Film) {
    if film.progressive_download {
        line.add(&["-movflags", "+faststart"]);
    }
    line.add(&["-f", "mp4"]);
}

/// Writes the playlist to `file`, and the segments beside it: `{its name without extension}_{five digits from 1 on}.ts`.
fn hls(line: &mut Line, stream: &Stream, file: &Path) {
    line.add(&["-f", "hls", "-hls_time", &stream.segment.to_string(), "-hls_playlist_type", "vod"]);
    line.add(&["-hls_list_size", "0", "-hls_flags", "independent_segments", "-start_number", "1"]);
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    line.add(&["-hls_segment_filename"]);
    line.0.push(file_argument(&file.with_file_name(format!("{stem}_%05d.ts"))).into());
}

fn frames(line: &mut Line, frames: &Frames, filters: &str) {
    // The times of the chosen frames are replaced by their numbers, because the writer of files would repeat the first one
    // until the time of the second.
    let chosen = format!("select=isnan(prev_selected_t)+gte(t-prev_selected_t\\,{:.6})", frames.interval);
    line.add(&["-vf", &format!("{chosen},{filters},settb=1/25,setpts=N"), "-r", "25"]);
    line.add(&["-frames:v", &frames.most.to_string(), "-an", "-sn", "-dn", "-map_metadata", "-1"]);
    // The encoder's scale goes from 2, the best, to 31.
    let scale = 2 + (100 - frames.quality.min(100)) * 29 / 99;
    line.add(&[
        "-c:v",
        "mjpeg",
        "-q:v",
        &scale.to_string(),
        "-fflags",
        "+bitexact",
        "-f",
        "image2",
        "-start_number",
        "0",
    ]);
}

struct Line(Vec<OsString>);

impl Line {
    fn add(&mut self, words: &[&str]) {
        self.0.extend(words.iter().map(OsString::from));
    }
}

fn video(line: &mut Line, video: &Video) {
    line.add(&["-c:v", "libx264", "-preset", video.preset, "-profile:v", video.profile]);
    if let Some(level) = video.level {
        line.add(&["-level:v", level]);
    }
    let bits = |bits: u32| bits.to_string();
    // The bits of one second at the highest rate, unless the job sets the decoder's buffer.
    let buffer = |ceiling: u32| bits(video.buffer.unwrap_or(ceiling));
    match video.rate {
        RateControl::Quality { level, max } => {
            line.add(&["-crf", &quality(level).to_string(), "-maxrate", &bits(max), "-bufsize", &buffer(max)]);
        }
        RateControl::Variable { average, max } => {
            line.add(&["-b:v", &bits(average)]);
            if let Some(max) = max {
                line.add(&["-maxrate", &bits(max), "-bufsize", &buffer(max)]);
            }
        }
        RateControl::Constant { rate } => {
            let bits = bits(rate);
            line.add(&["-b:v", &bits, "-minrate", &bits, "-maxrate", &bits, "-bufsize", &buffer(rate)]);
            line.add(&["-x264-params", "nal-hrd=cbr"]);
        }
    }
    if let Some((numerator, denominator)) = video.frame_rate {
        line.add(&["-r", &format!("{numerator}/{denominator}")]);
    }
    match video.key_frames {
        KeyFrames::Auto => {}
        KeyFrames::Count(count) => line.add(&["-g", &count.to_string()]),
        KeyFrames::Millis(millis) => {
            line.add(&["-force_key_frames", &format!("expr:gte(t,n_forced*{})", f64::from(millis) / 1000.0)]);
        }
    }
    if let Some(count) = video.b_frames {
        line.add(&["-bf", &count.to_string()]);
    }
    if let Some(count) = video.references {
        line.add(&["-refs", &count.to_string()]);
    }
    if !video.scene_cuts {
        line.add(&["-sc_threshold", "0"]);
    }
    if video.cavlc {
        line.add(&["-coder", "vlc"]);
    }
}

/// Returns x264's constant rate factor for the service's quality level. Level 7 and factor 23 are their recommendations
/// for general viewing; one level is about two factors.
fn quality(level: u32) -> u32 {
    23 + 2 * 7 - 2 * level.clamp(1, 10)
}

fn audio(line: &mut Line, audio: &Audio, track: usize) {
    line.add(&["-map", &format!("0:a:{track}")]);
    line.add(&["-c:a", "aac", "-b:a", &audio.bitrate.to_string(), "-ar", &audio.sample_rate.to_string()]);
    if let Some(channels) = audio.channels {
        line.add(&["-ac", &channels.to_string()]);
    }
}
