//! Compares the job that MediaConvert has made from a request and a job template with the request.
//!
//! Settings and template are merged by position, and AWS documents little of the merge (see `job_settings`). The answer of
//! CreateJob has the merged settings. A job with another output, or with an output at another place, would be paid and would
//! replace files that it must not.

use aws_sdk_mediaconvert::types::{JobSettings, Output, OutputGroup};

/// Returns the first difference that matters, in words; `None` if there is none, or if the answer has no output groups.
pub(crate) fn difference(wanted: &JobSettings, made: &JobSettings) -> Option<String> {
    let (wanted, made) = (wanted.output_groups(), made.output_groups());
    if made.is_empty() {
        return None;
    }
    if wanted.len() != made.len() {
        return Some(format!("{} output groups in place of {}", made.len(), wanted.len()));
    }
    wanted.iter().zip(made).find_map(|(wanted, made)| of_group(wanted, made))
}

fn of_group(wanted: &OutputGroup, made: &OutputGroup) -> Option<String> {
    let place = |group: &OutputGroup| {
        let settings = group.output_group_settings()?;
        let of_files = settings.file_group_settings().and_then(|files| files.destination());
        let of_stream = settings.hls_group_settings().and_then(|stream| stream.destination());
        of_files.or(of_stream).filter(|to| !to.is_empty()).map(str::to_owned)
    };
    if place(wanted) != place(made) {
        let shown = |group: &OutputGroup| place(group).unwrap_or_else(|| "none".to_owned());
        return Some(format!("the destination {} in place of {}", shown(made), shown(wanted)));
    }
    if wanted.outputs().len() != made.outputs().len() {
        return Some(format!("{} outputs in place of {}", made.outputs().len(), wanted.outputs().len()));
    }
    wanted.outputs().iter().zip(made.outputs()).find_map(|(wanted, made)| of_output(wanted, made))
}

fn of_output(wanted: &Output, made: &Output) -> Option<String> {
    let name = |output: &Output| (output.name_modifier().map(str::to_owned), output.extension().map(str::to_owned));
    let size = |output: &Output| output.video_description().map(|video| (video.width(), video.height()));
    if name(wanted) != name(made) {
        return Some(format!("the file {} in place of {}", shown_name(made), shown_name(wanted)));
    }
    (size(wanted) != size(made)).then(|| format!("the size {} in place of {}", shown_size(made), shown_size(wanted)))
}

/// Returns the end of an output's file name for messages: `…_1080p.mp4`.
fn shown_name(output: &Output) -> String {
    let extension = output.extension().map(|extension| format!(".{extension}")).unwrap_or_default();
    format!("…{}{extension}", output.name_modifier().unwrap_or_default())
}

/// Returns the size of an output for messages: `1920×1080`, with `auto` for a side that the settings leave open.
fn shown_size(output: &Output) -> String {
    let side = |side: Option<i32>| side.map_or_else(|| "auto".to_owned(), |side| side.to_string());
    let video = output.video_description();
    format!("{}×{}", side(video.and_then(|video| video.width())), side(video.and_then(|video| video.height())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use aws_sdk_mediaconvert::types::{FileGroupSettings, HlsGroupSettings, OutputGroupSettings, VideoDescription};

    use super::*;

    fn settings(destination: &str, outputs: &[(&str, i32)]) -> JobSettings {
        let outputs = outputs.iter().map(|(modifier, height)| {
            let video = VideoDescription::builder().height(*height).build();
            Output::builder().name_modifier(*modifier).extension("mp4").video_description(video).build()
        });
        let file = FileGroupSettings::builder().destination(destination).build();
        let group = OutputGroup::builder()
            .output_group_settings(OutputGroupSettings::builder().file_group_settings(file).build())
            .set_outputs(Some(outputs.collect()))
            .build();
        JobSettings::builder().output_groups(group).build()
    }

    #[test]
    fn what_the_template_adds_to_an_output_is_not_a_difference_but_another_output_or_place_is() {
        let wanted = settings("s3://b/51/v", &[("_1080p", 1080), ("_720p", 720)]);
        assert_eq!(difference(&wanted, &wanted), None);
        assert_eq!(difference(&wanted, &JobSettings::builder().build()), None, "an answer without settings");
        for (made, said) in [
            (settings("s3://b/51/v", &[("_1080p", 1080)]), "1 outputs in place of 2"),
            (
                settings("s3://b/51/v", &[("_1080p", 1080), ("_480p", 720)]),
                "the file …_480p.mp4 in place of …_720p.mp4",
            ),
            (settings("s3://b/51/v", &[("_1080p", 1080), ("_720p", 480)]), "the size auto×480 in place of auto×720"),
            (
                settings("s3://other/v", &[("_1080p", 1080), ("_720p", 720)]),
                "the destination s3://other/v in place of s3://b/51/v",
            ),
        ] {
            assert!(difference(&wanted, &made).unwrap().contains(said), "{said}");
        }
    }

    #[test]
    fn another_place_of_a_stream_is_a_difference() {
        let stream = |to: &str| {
            let hls = HlsGroupSettings::builder().destination(to).build();
            let settings = OutputGroupSettings::builder().hls_group_settings(hls).build();
            let group = OutputGroup::builder().output_group_settings(settings).outputs(Output::builder().build());
            JobSettings::builder().output_groups(group.build()).build()
        };
        assert_eq!(difference(&stream("s3://b/51/v_hls"), &stream("s3://b/51/v_hls")), None);
        assert!(difference(&stream("s3://b/51/v_hls"), &stream("s3://b/v")).unwrap().contains("s3://b/v"));
    }
}
