//! Reading a job's settings into a plan for ffmpeg.
//!
//! Every field is either supported, known not to affect the result, or refused by its path. Names and ranges follow the
//! API's model.

mod audio;
mod film;
mod frames;
mod location;
mod picture;
mod stream;
mod video;

use std::collections::{HashMap, HashSet};

use serde_json::Value;

pub(crate) use audio::Audio;
pub(crate) use film::Film;
pub(crate) use frames::Frames;
pub(crate) use location::Location;
pub(crate) use picture::{PictureSize, Scaling};
pub(crate) use stream::Stream;
pub(crate) use video::{KeyFrames, RateControl, Rotate, Video};

use crate::document::strict::{StrictObject, missing};
use crate::error::MediaConvertError;

/// The most outputs of one job. The service allows more, but one machine is too slow for that.
const MAX_OUTPUTS: usize = 16;

/// The work of a job.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) input: Input,
    /// Output groups, in the order of the settings.
    pub(crate) groups: Vec<Vec<Output>>,
}

/// The input of a job.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Input {
    pub(crate) file: Location,
    pub(crate) rotate: Rotate,
}

/// One output.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Output {
    /// The file; of captures the first one.
    pub(crate) file: Location,
    pub(crate) content: Content,
}

/// What an output consists of.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    /// One MP4 file.
    Film(Film),
    /// JPEG files.
    Frames(Frames),
    /// A playlist and its segments.
    Stream(Stream),
}

impl Content {
    /// Returns the film, unless these are captures.
    pub(crate) fn film(&self) -> Option<&Film> {
        match self {
            Self::Film(film) | Self::Stream(Stream { film, .. }) => Some(film),
            Self::Frames(_) => None,
        }
    }
}

impl Plan {
    /// Reads complete settings: those of a template have been merged already.
    pub(crate) fn read(settings: &Value) -> Result<Self, MediaConvertError> {
        let mut fields = StrictObject::new("/settings", settings.clone())?;
        // Timecodes affect metadata only, because inputs cannot be clipped here.
        fields.ignore(&["timecodeConfig"]);
        fields.number("adAvailOffset", 0..=0)?;
        fields.number("followSource", 1..=1)?;
        let inputs = fields.list("inputs")?;
        let groups = fields.list("outputGroups")?;
        fields.finish()?;

        let mut inputs = inputs.into_iter();
        let (path, input) = inputs.next().ok_or_else(|| missing("/settings/inputs"))?;
        if inputs.next().is_some() {
            return Err(MediaConvertError::bad_request(
                "/settings/inputs: joining several inputs is not supported by the local MediaConvert; send one job for each",
            ));
        }
        let (input, selectors) = read_input(StrictObject::new(path, input)?)?;

        if groups.is_empty() {
            return Err(missing("/settings/outputGroups"));
        }
        let groups = groups
            .into_iter()
            .map(|(path, group)| read_group(StrictObject::new(path, group)?, &input, &selectors))
            .collect::<Result<Vec<_>, _>>()?;
        let plan = Self { input, groups };
        plan.check()?;
        Ok(plan)
    }

    /// Returns all outputs, group by group.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &Output> {
        self.groups.iter().flatten()
    }

    /// Refuses too many outputs, equal names, and an output that would overwrite the input.
    fn check(&self) -> Result<(), MediaConvertError> {
        let count = self.outputs().count();
        if count > MAX_OUTPUTS {
            return Err(MediaConvertError::bad_request(format!(
                "/settings/outputGroups: {count} outputs are more than the {MAX_OUTPUTS} that one job may have here"
            )));
        }
        let mut files = HashSet::new();
        for output in self.outputs() {
            if output.file == self.input.file {
                return Err(MediaConvertError::bad_request(format!(
                    "{}: an output would overwrite the input",
                    output.file
                )));
            }
            if !files.insert(&output.file) {
                return Err(MediaConvertError::bad_request(format!(
                    "{}: two outputs have the same name; give each a nameModifier of its own",
                    output.file
                )));
            }
        }
        Ok(())
    }
}

/// Reads the input. Returns it with the sound track of each selector (0 is the first, `None` the first that can be decoded).
fn read_input(mut fields: StrictObject) -> Result<(Input, HashMap<String, Option<u32>>), MediaConvertError> {
    let file = fields.string("fileInput")?.ok_or_else(|| missing(&fields.at("fileInput")))?;
    let file = Location::object(&fields.at("fileInput"), &file)?;
    fields.ignore(&["timecodeSource", "timecodeStart", "psiControl", "filterStrength"]);
    fields.only("filterEnable", &["AUTO", "DISABLE"])?;
    fields.only("deblockFilter", &["DISABLED"])?;
    fields.only("denoiseFilter", &["DISABLED"])?;
    fields.only("inputScanType", &["AUTO"])?;
    fields.only("advancedInputFilter", &["DISABLED"])?;
    let rotate = match fields.object("videoSelector")? {
        Some(selector) => video::read_selector(selector)?,
        None => Rotate::default(),
    };
    let selectors = match fields.object("audioSelectors")? {
        Some(selectors) => audio::read_selectors(selectors)?,
        None => HashMap::new(),
    };
    fields.finish()?;
    Ok((Input { file, rotate }, selectors))
}

fn read_group(
    mut fields: StrictObject,
    input: &Input,
    selectors: &HashMap<String, Option<u32>>,
) -> Result<Vec<Output>, MediaConvertError> {
    fields.ignore(&["name", "customName"]);
    let mut settings =
        fields.object("outputGroupSettings")?.ok_or_else(|| missing(&fields.at("outputGroupSettings")))?;
    let is_file = settings
        .choice("type", &[("FILE_GROUP_SETTINGS", true), ("HLS_GROUP_SETTINGS", false)])?
        .ok_or_else(|| missing(&settings.at("type")))?;
    let (path, destination, segment) = if is_file {
        let mut file =
            settings.object("fileGroupSettings")?.ok_or_else(|| missing(&settings.at("fileGroupSettings")))?;
        let path = file.at("destination");
        let destination = file.string("destination")?.ok_or_else(|| missing(&path))?;
        // Encryption, storage class and ACL depend on the store.
        file.ignore(&["destinationSettings"]);
        file.finish()?;
        (path, destination, None)
    } else {
        let hls = settings.object("hlsGroupSettings")?.ok_or_else(|| missing(&settings.at("hlsGroupSettings")))?;
        let (path, destination, segment) = stream::read_group(hls)?;
        (path, destination, Some(segment))
    };
    let destination = Location::destination(&path, &destination, &input.file)?;
    settings.finish()?;
    let outputs = fields.list("outputs")?;
    if outputs.is_empty() {
        return Err(missing(&fields.at("outputs")));
    }
    fields.finish()?;
    // The playlist above those of a stream's renditions has the name without a modifier.
    let modified = outputs.len() > 1 || segment.is_some();
    let group = Group { destination, modified, segment };
    outputs.into_iter().map(|(path, output)| read_output(StrictObject::new(path, output)?, &group, selectors)).collect()
}

/// What the outputs of a group share.
struct Group {
    destination: Location,
    /// Every output needs a name modifier.
    modified: bool,
    /// The length of segments in seconds, if the outputs are renditions of a stream.
    segment: Option<u32>,
}

fn read_output(
    mut fields: StrictObject,
    group: &Group,
    selectors: &HashMap<String, Option<u32>>,
) -> Result<Output, MediaConvertError> {
    let modifier = fields.string("nameModifier")?.unwrap_or_default();
    if group.modified && modifier.is_empty() {
        return Err(missing(&fields.at("nameModifier")));
    }
    let extension = match group.segment {
        None => fields.string("extension")?,
        Some(_) => {
            fields.only("extension", &["m3u8"])?;
            None
        }
    };
    let path = fields.at("nameModifier");

    let mut container = fields.object("containerSettings")?.ok_or_else(|| missing(&fields.at("containerSettings")))?;
    let is_film = match group.segment {
        None => container.choice("container", &[("MP4", true), ("RAW", false)])?.unwrap_or(true),
        Some(_) => {
            container.only("container", &["M3U8"])?;
            if let Some(transport) = container.object("m3u8Settings")? {
                transport.finish()?;
            }
            true
        }
    };
    let progressive_download = match container.object("mp4Settings")? {
        None => false,
        Some(mut mp4) => {
            mp4.ignore(&["audioDuration", "cslgAtom", "cttsVersion", "freeSpaceBox", "mp4MajorBrand"]);
            mp4.only("c2paManifest", &["EXCLUDE"])?;
            let placement = mp4.choice("moovPlacement", &[("PROGRESSIVE_DOWNLOAD", true), ("NORMAL", false)])?;
            mp4.finish()?;
            placement.unwrap_or(false)
        }
    };
    container.finish()?;

    let mut video = fields.object("videoDescription")?.ok_or_else(|| missing(&fields.at("videoDescription")))?;
    let size = picture::read(&mut video)?;
    let mut codec = video.object("codecSettings")?.ok_or_else(|| missing(&video.at("codecSettings")))?;
    video.finish()?;
    // The service has captures in raw files only, and films of H.264 in MP4 here.
    codec.only("codec", if is_film { &["H_264"] } else { &["FRAME_CAPTURE"] })?;
    if !is_film {
        let captures =
            codec.object("frameCaptureSettings")?.ok_or_else(|| missing(&codec.at("frameCaptureSettings")))?;
        codec.finish()?;
        fields.finish()?;
        let base = group.destination.modified(&path, &modifier)?;
        let frames = frames::read(captures, size, base, extension.unwrap_or_else(|| "jpg".to_owned()))?;
        return Ok(Output { file: frames.file(0), content: Content::Frames(frames) });
    }
    let h264 = codec.object("h264Settings")?.ok_or_else(|| missing(&codec.at("h264Settings")))?;
    codec.finish()?;
    let video = video::read(h264, size)?;
    let default = if group.segment.is_some() { "m3u8" } else { "mp4" };
    let file = group.destination.named(&path, &modifier, extension.as_deref().unwrap_or(default))?;
    let mut tracks = fields.list("audioDescriptions")?.into_iter();
    let audio = match tracks.next() {
        Some((path, track)) => Some(audio::read(StrictObject::new(path, track)?, selectors)?),
        None => None,
    };
    if let Some((path, _)) = tracks.next() {
        return Err(MediaConvertError::bad_request(format!(
            "{path}: more than one sound track in an output is not supported by the local MediaConvert"
        )));
    }
    fields.finish()?;
    let film = Film { progressive_download, video, audio };
    let content = match group.segment {
        None => Content::Film(film),
        Some(segment) => Content::Stream(Stream::new(film, segment, group.destination.clone(), modifier)),
    };
    Ok(Output { file, content })
}

#[cfg(test)]
mod tests;
