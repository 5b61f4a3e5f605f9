//! A job's settings, read strictly into the plan of what ffmpeg is to do.
//!
//! Every field of the service's model that occurs is either understood, known to leave the result as it is, or refused by
//! its path. Names and ranges follow the API's model.

mod audio;
mod location;
mod video;

use std::collections::HashMap;

use serde_json::Value;

pub(crate) use audio::Audio;
pub(crate) use location::Location;
pub(crate) use video::{KeyFrames, RateControl, Rotate, Scaling, Video};

use crate::error::ApiError;
use crate::node::{Node, missing};

/// The most outputs of one job. The service allows more; one machine should not try.
const MAX_OUTPUTS: usize = 16;

/// What a job is to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) input: Input,
    /// Output groups, in the order of the settings.
    pub(crate) groups: Vec<Vec<Output>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Input {
    pub(crate) file: Location,
    pub(crate) rotate: Rotate,
}

/// One MP4 file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Output {
    pub(crate) file: Location,
    /// The index goes to the front, so that playing can begin before all is loaded.
    pub(crate) progressive_download: bool,
    pub(crate) video: Video,
    pub(crate) audio: Option<Audio>,
}

impl Plan {
    /// Reads settings that are complete: a template's are laid under them already.
    pub(crate) fn read(settings: &Value) -> Result<Self, ApiError> {
        let mut node = Node::new("/settings", settings.clone())?;
        // Timecodes end up in metadata only, as inputs cannot be clipped here.
        node.indifferent(&["timecodeConfig"]);
        node.number("adAvailOffset", 0..=0)?;
        node.number("followSource", 1..=1)?;
        let inputs = node.list("inputs")?;
        let groups = node.list("outputGroups")?;
        node.finish()?;

        let mut inputs = inputs.into_iter();
        let (path, input) = inputs.next().ok_or_else(|| missing("/settings/inputs"))?;
        if inputs.next().is_some() {
            return Err(ApiError::bad_request(
                "/settings/inputs: joining several inputs is not supported by the local MediaConvert; send one job for each",
            ));
        }
        let (input, selectors) = read_input(Node::new(path, input)?)?;

        if groups.is_empty() {
            return Err(missing("/settings/outputGroups"));
        }
        let groups = groups
            .into_iter()
            .map(|(path, group)| read_group(Node::new(path, group)?, &input, &selectors))
            .collect::<Result<Vec<_>, _>>()?;
        let plan = Self { input, groups };
        plan.check()?;
        Ok(plan)
    }

    /// All outputs, group by group.
    pub(crate) fn outputs(&self) -> impl Iterator<Item = &Output> {
        self.groups.iter().flatten()
    }

    fn check(&self) -> Result<(), ApiError> {
        let count = self.outputs().count();
        if count > MAX_OUTPUTS {
            return Err(ApiError::bad_request(format!(
                "/settings/outputGroups: {count} outputs are more than the {MAX_OUTPUTS} that one job may have here"
            )));
        }
        let mut seen = HashMap::new();
        for output in self.outputs() {
            if output.file == self.input.file {
                return Err(ApiError::bad_request(format!("{}: an output would overwrite the input", output.file)));
            }
            if seen.insert(&output.file, ()).is_some() {
                return Err(ApiError::bad_request(format!(
                    "{}: two outputs have the same name; give each a nameModifier of its own",
                    output.file
                )));
            }
        }
        Ok(())
    }
}

/// The input, and its sound tracks by the name of their selector (0 is the first).
fn read_input(mut node: Node) -> Result<(Input, HashMap<String, u32>), ApiError> {
    let file = node.string("fileInput")?.ok_or_else(|| missing(&node.at("fileInput")))?;
    let file = Location::object(&node.at("fileInput"), &file)?;
    node.indifferent(&["timecodeSource", "timecodeStart", "psiControl", "filterStrength"]);
    node.only("filterEnable", &["AUTO", "DISABLE"])?;
    node.only("deblockFilter", &["DISABLED"])?;
    node.only("denoiseFilter", &["DISABLED"])?;
    node.only("inputScanType", &["AUTO"])?;
    node.only("advancedInputFilter", &["DISABLED"])?;
    let rotate = match node.object("videoSelector")? {
        Some(selector) => video::read_selector(selector)?,
        None => Rotate::default(),
    };
    let selectors = match node.object("audioSelectors")? {
        Some(selectors) => audio::read_selectors(selectors)?,
        None => HashMap::new(),
    };
    node.finish()?;
    Ok((Input { file, rotate }, selectors))
}

fn read_group(mut node: Node, input: &Input, selectors: &HashMap<String, u32>) -> Result<Vec<Output>, ApiError> {
    node.indifferent(&["name", "customName"]);
    let mut settings = node.object("outputGroupSettings")?.ok_or_else(|| missing(&node.at("outputGroupSettings")))?;
    settings.only("type", &["FILE_GROUP_SETTINGS"])?;
    let mut file = settings.object("fileGroupSettings")?.ok_or_else(|| missing(&settings.at("fileGroupSettings")))?;
    let path = file.at("destination");
    let destination = file.string("destination")?.ok_or_else(|| missing(&path))?;
    let destination = Location::destination(&path, &destination, &input.file)?;
    // Encryption, storage class and ACL are the store's business.
    file.indifferent(&["destinationSettings"]);
    file.finish()?;
    settings.finish()?;
    let outputs = node.list("outputs")?;
    if outputs.is_empty() {
        return Err(missing(&node.at("outputs")));
    }
    node.finish()?;
    let several = outputs.len() > 1;
    outputs
        .into_iter()
        .map(|(path, output)| read_output(Node::new(path, output)?, &destination, several, selectors))
        .collect()
}

fn read_output(
    mut node: Node,
    destination: &Location,
    several: bool,
    selectors: &HashMap<String, u32>,
) -> Result<Output, ApiError> {
    let modifier = node.string("nameModifier")?.unwrap_or_default();
    if several && modifier.is_empty() {
        return Err(missing(&node.at("nameModifier")));
    }
    let extension = node.string("extension")?.unwrap_or_else(|| "mp4".to_owned());
    let file = destination.named(&node.at("nameModifier"), &modifier, &extension)?;

    let mut container = node.object("containerSettings")?.ok_or_else(|| missing(&node.at("containerSettings")))?;
    container.only("container", &["MP4"])?;
    let progressive_download = match container.object("mp4Settings")? {
        None => false,
        Some(mut mp4) => {
            mp4.indifferent(&["audioDuration", "cslgAtom", "cttsVersion", "freeSpaceBox", "mp4MajorBrand"]);
            mp4.only("c2paManifest", &["EXCLUDE"])?;
            let placement = mp4.choice("moovPlacement", &[("PROGRESSIVE_DOWNLOAD", true), ("NORMAL", false)])?;
            mp4.finish()?;
            placement.unwrap_or(false)
        }
    };
    container.finish()?;

    let video = node.object("videoDescription")?.ok_or_else(|| missing(&node.at("videoDescription")))?;
    let video = video::read(video)?;
    let mut tracks = node.list("audioDescriptions")?.into_iter();
    let audio = match tracks.next() {
        Some((path, track)) => Some(audio::read(Node::new(path, track)?, selectors)?),
        None => None,
    };
    if let Some((path, _)) = tracks.next() {
        return Err(ApiError::bad_request(format!(
            "{path}: more than one sound track in an output is not supported by the local MediaConvert"
        )));
    }
    node.finish()?;
    Ok(Output { file, progressive_download, video, audio })
}

#[cfg(test)]
mod tests;
