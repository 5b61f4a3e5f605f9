//! The files that ffmpeg has made, and what a job's event says of them.

use std::path::{Path, PathBuf};

use super::job::FinishedOutput;
use crate::ffmpeg::{self, Media};
use crate::settings::{Content, Frames, Location, Output, Plan};

/// A file to store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MadeFile {
    pub(super) path: PathBuf,
    pub(super) location: Location,
    pub(super) content_type: &'static str,
}

/// What was made of an output.
#[derive(Clone, Debug)]
pub(super) struct Made {
    pub(super) files: Vec<MadeFile>,
    /// What the segments of a stream have in common.
    pub(super) segments: Option<Segments>,
}

/// What the segments of a rendition of a stream have in common.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Segments {
    /// The length of all, in seconds.
    pub(super) seconds: f64,
    /// The highest rate of a segment, in bits per second.
    pub(super) peak: u64,
    /// The average rate.
    pub(super) average: u64,
    /// The picture's codec as RFC 6381 names it, if the first segment tells.
    pub(super) codec: Option<String>,
}

/// Returns the names of the files to make in `folder`, in the plan's order. Those of captures have `%07d` for their number.
pub(super) fn names(plan: &Plan, folder: &Path) -> Vec<PathBuf> {
    let name = |(index, output): (usize, &Output)| match output.content {
        Content::Film(_) => folder.join(format!("output-{index}.mp4")),
        Content::Frames(_) => folder.join(format!("output-{index}-%07d.jpg")),
        Content::Stream(_) => folder.join(format!("output-{index}.m3u8")),
    };
    plan.outputs().enumerate().map(name).collect()
}

/// Returns the files of a film or of captures with this name. A short film has fewer captures than the job allows. Those of a
/// stream are in its playlist.
pub(super) fn files(output: &Output, name: &Path) -> Vec<MadeFile> {
    match &output.content {
        Content::Film(_) => {
            vec![MadeFile { path: name.to_owned(), location: output.file.clone(), content_type: "video/mp4" }]
        }
        Content::Frames(frames) => (0..frames.most)
            .map(|number| MadeFile {
                path: PathBuf::from(name.to_string_lossy().replace("%07d", &format!("{number:07}"))),
                location: frames.file(number),
                content_type: "image/jpeg",
            })
            .take_while(|file| file.path.is_file())
            .collect(),
        Content::Stream(_) => Vec::new(),
    }
}

/// Returns what the job's event says of captures: the last file, as the service does. `None` if there is none.
pub(super) fn captured(plan: &Plan, media: &Media, frames: &Frames, files: &[MadeFile]) -> Option<FinishedOutput> {
    let last = files.last()?;
    let (width, height) = ffmpeg::output_size(frames.size, plan.input.rotate, media.video.as_ref()?);
    Some(FinishedOutput { path: last.location.to_string(), duration_ms: media.duration / 1000, width, height })
}
