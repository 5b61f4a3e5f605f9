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

/// Returns the names of the files to make in `folder`, in the plan's order. Those of captures have `%07d` for their number.
pub(super) fn names(plan: &Plan, folder: &Path) -> Vec<PathBuf> {
    let name = |(index, output): (usize, &Output)| match output.content {
        Content::Film(_) => folder.join(format!("output-{index}.mp4")),
        Content::Frames(_) => folder.join(format!("output-{index}-%07d.jpg")),
    };
    plan.outputs().enumerate().map(name).collect()
}

/// Returns the files of an output with this name. A short film has fewer captures than the job allows.
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
    }
}

/// Returns what the job's event says of captures: the last file, as the service does. `None` if there is none.
pub(super) fn captured(plan: &Plan, media: &Media, frames: &Frames, files: &[MadeFile]) -> Option<FinishedOutput> {
    let last = files.last()?;
    let (width, height) = ffmpeg::output_size(frames.size, plan.input.rotate, media.video.as_ref()?);
    Some(FinishedOutput { path: last.location.to_string(), duration_ms: media.duration / 1000, width, height })
}
