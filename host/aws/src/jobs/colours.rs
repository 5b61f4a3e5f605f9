//! The part of an output that films and pictures share: exact size, whole frames, colours of BT.709.

use aws_sdk_mediaconvert::types::{
    ColorCorrector, ColorSpaceConversion, DeinterlaceAlgorithm, Deinterlacer, DeinterlacerControl, DeinterlacerMode,
    HdrToSdrToneMapper, SampleRangeConversion, ScalingBehavior, VideoDescription, VideoPreprocessor,
    builders::VideoDescriptionBuilder,
};

/// Begins the description of a picture of this size.
///
/// - The size is exact and has the film's own aspect ratio, so the picture is stretched to fill it. By default MediaConvert
///   pads the picture, which leaves lines at the edges where a side was rounded.
/// - HDR is tone mapped to BT.709. H.264 of 8 bits that still says HDR is shown washed out. `VIBRANT` is the service's
///   recommendation for HDR10; for HLG it chooses by itself, and SDR it leaves alone.
/// - Full range becomes limited range, and only frames that are marked as interlaced are deinterlaced.
pub(crate) fn picture((width, height): (i32, i32)) -> VideoDescriptionBuilder {
    let colours = ColorCorrector::builder()
        .color_space_conversion(ColorSpaceConversion::Force709)
        .hdr_to_sdr_tone_mapper(HdrToSdrToneMapper::Vibrant)
        .sample_range_conversion(SampleRangeConversion::LimitedRangeSqueeze)
        .build();
    let frames = Deinterlacer::builder()
        .mode(DeinterlacerMode::Deinterlace)
        .algorithm(DeinterlaceAlgorithm::Interpolate)
        .control(DeinterlacerControl::Normal)
        .build();
    VideoDescription::builder()
        .width(width)
        .height(height)
        .scaling_behavior(ScalingBehavior::StretchToOutput)
        .video_preprocessors(VideoPreprocessor::builder().color_corrector(colours).deinterlacer(frames).build())
}
