//! The settings of MediaConvert's CreateJob for a transcoding job.
//!
//! **The job template.** MediaConvert accepts a job template together with settings. The settings take precedence, and
//! output groups and outputs are merged by position: AWS's own Video on Demand solution (`source/encode/index.js` of
//! aws-solutions/video-on-demand-on-aws) sends a template's name with output groups that hold a destination and an
//! empty list of outputs, and gets the template's outputs. AWS documents no more than that. So two things must never be
//! left to the merge: an output that the template has and the job does not, and sound that the template describes and
//! the file does not have. Therefore
//!
//! - every job states, for every output, all that differs from video to video: the destination, the upright size, the
//!   highest bit rates, rotation by the file's own metadata;
//! - the template is named if its outputs are exactly the job's, in the same order and all with sound, which is the
//!   usual video. It then adds what the job leaves open: profile, GOP, filters;
//! - any other job (a source too small for 1080p, a silent video) is sent without the template. It then has
//!   MediaConvert's defaults where the template would have had its own values.
//!
//! Pictures of the film have output groups of their own behind those of the films, where the template has none.
//!
//! **Names.** A key goes into the job as it is: MediaConvert takes spaces, `#`, `%`, `+` and letters of all languages. Only
//! `$…$` has a meaning in a destination ("Using variables in your job settings" in its user guide), and it cannot be escaped.
//! So a key with such a word is refused.

use aws_sdk_mediaconvert::types::{
    AacCodingMode, AacRateControlMode, AacSettings, AudioCodec, AudioCodecSettings, AudioDefaultSelection,
    AudioDescription, AudioSelector, AudioSelectorType, ContainerSettings, ContainerType, FileGroupSettings,
    H264FramerateControl, H264GopSizeUnits, H264ParControl, H264QualityTuningLevel, H264RateControlMode,
    H264SceneChangeDetect, H264Settings, Input, InputRotate, InputTimecodeSource, JobSettings, Mp4MoovPlacement,
    Mp4Settings, Output, OutputGroup, OutputGroupSettings, OutputGroupType, TimecodeConfig, TimecodeSource, VideoCodec,
    VideoCodecSettings, VideoSelector, builders::OutputBuilder,
};
use stagehost_batch::{Case, Failure, PixelSize};
use stagehost_runtime::capability::{TranscodeJob, TranscodeOutput};

use super::captures;
use super::colours;
use super::source_film::{Sound, SourceFilm};
use super::streams;

/// The sides of a picture that the service takes, in pixels ("VideoDescription" in its API reference; the longest of H.264).
const SIDES: std::ops::RangeInclusive<u32> = 32..=4096;

const AUDIO_SELECTOR: &str = "Audio Selector 1";

/// Returns the settings of one job; `bucket` holds the source and the outputs.
///
/// Errors: `InvalidInput` if the job has no film, an output's key has no name with an extension or a word that MediaConvert
/// would replace, or a size is odd or outside of the service's limits.
pub(crate) fn settings(bucket: &str, job: &TranscodeJob, film: &SourceFilm) -> Result<JobSettings, Failure> {
    if films(job).next().is_none() {
        return Err(invalid(job, "it has no film to make"));
    }
    if let Some(output) = job.outputs.iter().find(|output| has_identifier(&output.key)) {
        let why =
            format!("MediaConvert would replace the words between `$` in the key {:?}; rename the file", output.key);
        return Err(invalid(job, &why));
    }
    let mut input = Input::builder()
        .file_input(format!("s3://{bucket}/{}", job.source_key))
        // By default MediaConvert ignores and drops a file's rotation, so a portrait video would lie on its side.
        .video_selector(VideoSelector::builder().rotate(InputRotate::Auto).build())
        .timecode_source(InputTimecodeSource::Zerobased);
    if job.outputs.iter().any(|output| output.audio_bitrate.is_some()) {
        let mut selector = AudioSelector::builder().default_selection(AudioDefaultSelection::Default);
        if let Sound::Track(track) = film.sound {
            let track = i32::try_from(track).map_err(|_| invalid(job, "its sound track has an impossible number"))?;
            selector = selector.selector_type(AudioSelectorType::Track).tracks(track);
        }
        input = input.audio_selectors(AUDIO_SELECTOR, selector.build());
    }
    let mut groups = groups(bucket, job)?;
    groups.extend(picture_groups(bucket, job, film)?);
    groups.extend(stream_group(bucket, job)?);
    Ok(JobSettings::builder()
        .timecode_config(TimecodeConfig::builder().source(TimecodeSource::Zerobased).build())
        .inputs(input.build())
        .set_output_groups(Some(groups))
        .build())
}

/// Returns whether the template's outputs are exactly those of this job, by name (see above).
pub(crate) fn template_fits(template_outputs: &[String], job: &TranscodeJob) -> bool {
    films(job).count() == template_outputs.len()
        && films(job).zip(template_outputs).all(|(output, name)| output.name == *name)
        && films(job).all(|output| output.audio_bitrate.is_some())
        && common_base(job).is_some()
}

/// Returns the outputs that are films, and neither pictures nor playlists.
fn films(job: &TranscodeJob) -> impl Iterator<Item = &TranscodeOutput> {
    job.outputs.iter().filter(|output| captures::base(output).is_none() && !streams::is_playlist(output))
}

/// Returns a file group for every picture of the film.
fn picture_groups(bucket: &str, job: &TranscodeJob, film: &SourceFilm) -> Result<Vec<OutputGroup>, Failure> {
    let pictures = job.outputs.iter().filter_map(|output| Some((output, captures::base(output)?)));
    pictures
        .map(|(output, base)| {
            let settings = captures::settings(size(job, output)?, film.duration, None);
            Ok(group(&format!("s3://{bucket}/{base}"), vec![settings]))
        })
        .collect()
}

/// Returns the group of the job's stream, if it has one.
fn stream_group(bucket: &str, job: &TranscodeJob) -> Result<Option<OutputGroup>, Failure> {
    let Some(stream) = streams::renditions(&job.outputs).map_err(|why| invalid(job, why))? else { return Ok(None) };
    let rendition = |(output, modifier): &(&TranscodeOutput, &str)| {
        encoded(job, output, streams::container(), true).map(|settings| settings.name_modifier(*modifier).build())
    };
    let outputs = stream.each.iter().map(rendition).collect::<Result<Vec<_>, _>>()?;
    let group = OutputGroup::builder()
        .name("Apple HLS")
        .output_group_settings(streams::group(format!("s3://{bucket}/{}", stream.base)))
        .set_outputs(Some(outputs));
    Ok(Some(group.build()))
}

/// Returns the width and height of an output.
fn size(job: &TranscodeJob, output: &TranscodeOutput) -> Result<(i32, i32), Failure> {
    let wrong = |why: &str| invalid(job, &format!("the output {}: {why}", output.name));
    let PixelSize { width, height } = output.pixels;
    if width % 2 == 1 || height % 2 == 1 {
        return Err(wrong("H.264 requires an even width and height"));
    }
    if !SIDES.contains(&width) || !SIDES.contains(&height) {
        return Err(wrong(&format!("{width} × {height} pixels; MediaConvert takes sides of 32 to 4096")));
    }
    match (i32::try_from(width), i32::try_from(height)) {
        (Ok(width), Ok(height)) => Ok((width, height)),
        _ => Err(wrong("its size is out of range")),
    }
}

/// Returns whether a key has a word between two `$`.
fn has_identifier(key: &str) -> bool {
    let mut parts = key.split('$');
    // What comes before the first and after the last `$` is not between two.
    parts.next();
    parts.next_back();
    parts.any(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// Returns one file group for all outputs if their keys allow it, as in the template; else one group for each output.
///
/// MediaConvert names a file `{destination}{name modifier}.{extension}`; a group of two or more outputs must have
/// modifiers.
fn groups(bucket: &str, job: &TranscodeJob) -> Result<Vec<OutputGroup>, Failure> {
    if let Some(base) = common_base(job) {
        let outputs = films(job)
            .map(|output| {
                let (stem, extension) = split_extension(job, &output.key)?;
                output_settings(job, output, extension, stem.strip_prefix(base))
            })
            .collect::<Result<Vec<_>, _>>()?;
        return Ok(vec![group(&format!("s3://{bucket}/{base}"), outputs)]);
    }
    films(job)
        .map(|output| {
            let (stem, extension) = split_extension(job, &output.key)?;
            let settings = output_settings(job, output, extension, None)?;
            Ok(group(&format!("s3://{bucket}/{stem}"), vec![settings]))
        })
        .collect()
}

/// Returns the common `base` if every film's key is `{base}_{output's name}.{extension}`.
fn common_base(job: &TranscodeJob) -> Option<&str> {
    let mut base = None;
    for output in films(job) {
        let (stem, _) = output.key.rsplit_once('.')?;
        let own = stem.strip_suffix(output.name.as_str())?.strip_suffix('_')?;
        if own.is_empty() || own.ends_with('/') || base.is_some_and(|base| base != own) {
            return None;
        }
        base = Some(own);
    }
    base
}

/// Splits a key in front of its extension.
fn split_extension<'a>(job: &TranscodeJob, key: &'a str) -> Result<(&'a str, &'a str), Failure> {
    match key.rsplit_once('.') {
        Some((stem, extension))
            if !stem.is_empty() && !stem.ends_with('/') && !extension.is_empty() && !extension.contains('/') =>
        {
            Ok((stem, extension))
        }
        _ => Err(invalid(job, &format!("the output key {key:?} must end in a name with an extension"))),
    }
}

fn group(destination: &str, outputs: Vec<Output>) -> OutputGroup {
    OutputGroup::builder()
        .name("File Group")
        .output_group_settings(
            OutputGroupSettings::builder()
                .r#type(OutputGroupType::FileGroupSettings)
                .file_group_settings(FileGroupSettings::builder().destination(destination).build())
                .build(),
        )
        .set_outputs(Some(outputs))
        .build()
}

fn output_settings(
    job: &TranscodeJob,
    output: &TranscodeOutput,
    extension: &str,
    modifier: Option<&str>,
) -> Result<Output, Failure> {
    let container = ContainerSettings::builder()
        .container(ContainerType::Mp4)
        // The index comes first, so that a browser can play the file while it downloads it.
        .mp4_settings(Mp4Settings::builder().moov_placement(Mp4MoovPlacement::ProgressiveDownload).build())
        .build();
    let settings = encoded(job, output, container, false)?;
    Ok(settings.extension(extension).set_name_modifier(modifier.map(str::to_owned)).build())
}

/// Begins the settings of a film or a rendition of a stream. `segmented`: it is cut into segments, at key frames.
fn encoded(
    job: &TranscodeJob,
    output: &TranscodeOutput,
    container: ContainerSettings,
    segmented: bool,
) -> Result<OutputBuilder, Failure> {
    let number = |value: u32| {
        i32::try_from(value).map_err(|_| invalid(job, &format!("the output {}: {value} is out of range", output.name)))
    };
    let h264 = H264Settings::builder()
        .rate_control_mode(H264RateControlMode::Qvbr)
        .max_bitrate(number(output.video_bitrate)?)
        .quality_tuning_level(H264QualityTuningLevel::SinglePassHq)
        .scene_change_detect(H264SceneChangeDetect::TransitionDetection)
        .framerate_control(H264FramerateControl::InitializeFromSource)
        // The size is that of square pixels. By default the output would keep the shape of the source's pixels.
        .par_control(H264ParControl::Specified)
        .par_numerator(1)
        .par_denominator(1)
        .set_gop_size(segmented.then_some(streams::KEY_FRAME_SECONDS))
        .set_gop_size_units(segmented.then_some(H264GopSizeUnits::Seconds))
        .build();
    let video = colours::picture(size(job, output)?)
        .codec_settings(VideoCodecSettings::builder().codec(VideoCodec::H264).h264_settings(h264).build())
        .build();
    let mut settings = Output::builder().container_settings(container).video_description(video);
    if let Some(bitrate) = output.audio_bitrate {
        let aac = AacSettings::builder()
            .bitrate(number(bitrate)?)
            .rate_control_mode(AacRateControlMode::Cbr)
            .coding_mode(AacCodingMode::CodingMode20)
            .sample_rate(48_000)
            .build();
        settings = settings.audio_descriptions(
            AudioDescription::builder()
                .audio_source_name(AUDIO_SELECTOR)
                .codec_settings(AudioCodecSettings::builder().codec(AudioCodec::Aac).aac_settings(aac).build())
                .build(),
        );
    }
    Ok(settings)
}

fn invalid(job: &TranscodeJob, why: &str) -> Failure {
    Failure::new(Case::InvalidInput, format!("the transcoding job of {}: {why}", job.source_key))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use aws_sdk_mediaconvert::types::{ColorSpaceConversion, ScalingBehavior};

    use super::*;

    fn output(name: &str, width: u32, height: u32, audio: Option<u32>) -> TranscodeOutput {
        TranscodeOutput {
            name: name.into(),
            key: format!("51/processed/video/vertical/2025-11-27/tour_{name}.mp4"),
            pixels: PixelSize { width, height },
            video_bitrate: 5_000_000,
            audio_bitrate: audio,
        }
    }

    fn portrait(audio: Option<u32>) -> TranscodeJob {
        TranscodeJob {
            source_key: "51/raw/video/vertical/2025-11-27/tour.mov".into(),
            source_etag: "abc".into(),
            outputs: vec![output("1080p", 1080, 1920, audio), output("720p", 720, 1280, audio)],
        }
    }

    fn names() -> Vec<String> {
        vec!["1080p".into(), "720p".into()]
    }

    /// Returns the keys that MediaConvert writes to, by its naming rule.
    fn written(settings: &JobSettings) -> Vec<String> {
        let mut keys = Vec::new();
        for group in settings.output_groups() {
            let file = group.output_group_settings().unwrap().file_group_settings().unwrap();
            for output in group.outputs() {
                keys.push(format!(
                    "{}{}.{}",
                    file.destination().unwrap(),
                    output.name_modifier().unwrap_or_default(),
                    output.extension().unwrap()
                ));
            }
        }
        keys
    }

    #[test]
    fn a_portrait_video_is_turned_upright_and_written_in_its_upright_size() {
        let settings = settings("medias", &portrait(Some(128_000)), &SourceFilm::default()).unwrap();
        let input = &settings.inputs()[0];
        assert_eq!(input.video_selector().unwrap().rotate(), Some(&InputRotate::Auto));
        let video = settings.output_groups()[0].outputs()[0].video_description().unwrap();
        assert_eq!((video.width(), video.height()), (Some(1080), Some(1920)));
    }

    #[test]
    fn outputs_land_under_exactly_the_keys_that_the_stage_named() {
        let job = portrait(None);
        let together = settings("medias", &job, &SourceFilm::default()).unwrap();
        assert_eq!(together.output_groups().len(), 1);
        let expected: Vec<String> = job.outputs.iter().map(|output| format!("s3://medias/{}", output.key)).collect();
        assert_eq!(written(&together), expected);

        let mut apart = job.clone();
        apart.outputs[1].key = "51/processed/video/vertical/small/other-name.mp4".into();
        let settings = settings("medias", &apart, &SourceFilm::default()).unwrap();
        assert_eq!(settings.output_groups().len(), 2);
        assert_eq!(written(&settings)[1], "s3://medias/51/processed/video/vertical/small/other-name.mp4");
    }

    #[test]
    fn a_silent_video_has_no_audio_settings() {
        let settings = settings("medias", &portrait(None), &SourceFilm::default()).unwrap();
        assert!(settings.inputs()[0].audio_selectors().is_none_or(std::collections::HashMap::is_empty));
        assert!(settings.output_groups()[0].outputs().iter().all(|output| output.audio_descriptions().is_empty()));
    }

    #[test]
    fn an_mp4_begins_with_its_index_and_has_its_highest_bit_rate_limited() {
        let settings = settings("medias", &portrait(Some(96_000)), &SourceFilm::default()).unwrap();
        let output = &settings.output_groups()[0].outputs()[1];
        let mp4 = output.container_settings().unwrap().mp4_settings().unwrap();
        assert_eq!(mp4.moov_placement(), Some(&Mp4MoovPlacement::ProgressiveDownload));
        let h264 = output.video_description().unwrap().codec_settings().unwrap().h264_settings().unwrap();
        assert_eq!(h264.rate_control_mode(), Some(&H264RateControlMode::Qvbr));
        assert_eq!((h264.max_bitrate(), h264.bitrate()), (Some(5_000_000), None));
        let aac = output.audio_descriptions()[0].codec_settings().unwrap().aac_settings().unwrap();
        assert_eq!(aac.bitrate(), Some(96_000));
    }

    #[test]
    fn the_template_is_used_only_if_its_outputs_are_exactly_the_jobs() {
        assert!(template_fits(&names(), &portrait(Some(128_000))));
        assert!(!template_fits(&names(), &portrait(None)), "it would add sound");
        let mut small = portrait(Some(96_000));
        small.outputs.remove(0);
        assert!(!template_fits(&names(), &small), "it would add an enlarged output");
        let mut swapped = portrait(Some(96_000));
        swapped.outputs.reverse();
        assert!(!template_fits(&names(), &swapped), "outputs are merged by position");
    }

    #[test]
    fn an_invalid_job_is_refused_before_it_is_sent() {
        let mut odd = portrait(None);
        odd.outputs[0].pixels.width = 1081;
        let mut nameless = portrait(None);
        nameless.outputs[0].key = "51/processed/video/vertical/.mp4".into();
        let mut empty = portrait(None);
        empty.outputs.clear();
        let mut tiny = portrait(None);
        tiny.outputs[0].pixels = PixelSize { width: 1920, height: 20 };
        let mut replaced = portrait(None);
        replaced.outputs[0].key = "51/processed/video/vertical/2025-11-27/a$dt$_1080p.mp4".into();
        for job in [odd, nameless, empty, tiny, replaced] {
            assert_eq!(settings("medias", &job, &SourceFilm::default()).unwrap_err().case, Case::InvalidInput);
        }
    }

    #[test]
    fn the_sound_track_that_can_be_decoded_is_named() {
        let film = SourceFilm { sound: Sound::Track(2), duration: None };
        let with = settings("medias", &portrait(Some(96_000)), &film).unwrap();
        let selector = &with.inputs()[0].audio_selectors().unwrap()[AUDIO_SELECTOR];
        assert_eq!((selector.selector_type(), selector.tracks()), (Some(&AudioSelectorType::Track), &[2][..]));
        let unknown = settings("medias", &portrait(Some(96_000)), &SourceFilm::default()).unwrap();
        assert!(unknown.inputs()[0].audio_selectors().unwrap()[AUDIO_SELECTOR].tracks().is_empty());
    }

    #[test]
    fn pictures_of_the_film_are_in_groups_of_their_own_and_leave_the_template() {
        let mut job = portrait(Some(96_000));
        let key = "51/processed/video/vertical/2025-11-27/tour_320x240.0000001.jpg";
        job.outputs.push(TranscodeOutput { key: key.into(), ..output("320x240", 136, 240, None) });
        assert!(template_fits(&names(), &job));
        let film = SourceFilm { sound: Sound::Unknown, duration: Some(9000) };
        let settings = settings("medias", &job, &film).unwrap();
        assert_eq!(settings.output_groups().len(), 2);
        assert_eq!(written(&settings)[2], "s3://medias/51/processed/video/vertical/2025-11-27/tour_320x240.jpg");
        let picture = settings.output_groups()[1].outputs()[0].video_description().unwrap();
        assert_eq!((picture.width(), picture.height()), (Some(136), Some(240)));
    }

    #[test]
    fn every_picture_has_its_exact_size_and_the_colours_of_bt_709() {
        let settings = settings("medias", &portrait(None), &SourceFilm::default()).unwrap();
        for output in settings.output_groups()[0].outputs() {
            let video = output.video_description().unwrap();
            assert_eq!(video.scaling_behavior(), Some(&ScalingBehavior::StretchToOutput));
            let colours = video.video_preprocessors().unwrap().color_corrector().unwrap();
            assert_eq!(colours.color_space_conversion(), Some(&ColorSpaceConversion::Force709));
            let h264 = video.codec_settings().unwrap().h264_settings().unwrap();
            assert_eq!((h264.par_numerator(), h264.par_denominator()), (Some(1), Some(1)));
        }
    }

    #[test]
    fn a_name_of_any_letters_goes_into_the_job_as_it_is() {
        for name in ["Küche #1 100%", "a+b", "5$ tour", "🏡"] {
            let mut job = portrait(None);
            for output in &mut job.outputs {
                output.key = output.key.replace("tour", name);
            }
            let settings = settings("medias", &job, &SourceFilm::default()).unwrap();
            let expected: Vec<String> =
                job.outputs.iter().map(|output| format!("s3://medias/{}", output.key)).collect();
            assert_eq!(written(&settings), expected);
        }
    }

    #[test]
    fn a_stream_is_a_group_of_its_own_with_key_frames_for_its_segments() {
        let mut job = portrait(Some(96_000));
        let key = |name: &str| format!("51/processed/video/vertical/2025-11-27/tour_{name}.m3u8");
        for name in ["hls", "hls-720p", "hls-480p"] {
            job.outputs.push(TranscodeOutput { key: key(name), ..output(name, 720, 1280, Some(96_000)) });
        }
        assert!(template_fits(&names(), &job));
        let settings = settings("medias", &job, &SourceFilm::default()).unwrap();
        let group = settings.output_groups().last().unwrap();
        let hls = group.output_group_settings().unwrap().hls_group_settings().unwrap();
        assert_eq!(hls.destination(), Some("s3://medias/51/processed/video/vertical/2025-11-27/tour_hls"));
        let modifiers: Vec<_> = group.outputs().iter().map(|output| output.name_modifier().unwrap()).collect();
        assert_eq!(modifiers, ["-720p", "-480p"]);
        let h264 = group.outputs()[0].video_description().unwrap().codec_settings().unwrap().h264_settings().unwrap();
        assert_eq!((h264.gop_size(), h264.gop_size_units()), (Some(2.0), Some(&H264GopSizeUnits::Seconds)));
    }
}
