//! The size of an output and its filter chain.

use super::colour::Target;
use super::media::VideoStream;
use crate::settings::{PictureSize, Rotate, Scaling};

/// The widest bar, in pixels on both sides together, that comes from rounding to even sizes. The picture is stretched to fill
/// it.
const ROUNDING: u32 = 2;

/// Returns whether ffmpeg must apply the rotation in the file's metadata, and the clockwise degrees to rotate after
/// that.
pub(super) fn rotation(rotate: Rotate, stream: &VideoStream) -> (bool, u16) {
    // The service applies quarter turns only, to within a degree.
    let stored = quarter(stream.rotation);
    match (rotate, stored) {
        (Rotate::Auto, Some(_)) => (true, 0),
        (Rotate::Auto, None) => (false, 0),
        (Rotate::None, Some(stored)) => (true, (360 - stored) % 360),
        (Rotate::None, None) => (false, 0),
        (Rotate::Fixed(degrees), Some(stored)) => (true, (degrees + 360 - stored) % 360),
        (Rotate::Fixed(degrees), None) => (false, degrees % 360),
    }
}

/// Returns the quarter turn in degrees, if the rotation is one.
fn quarter(rotation: u16) -> Option<u16> {
    [0, 90, 180, 270, 360].into_iter().find(|turn| rotation.abs_diff(*turn) <= 1).map(|turn| turn % 360)
}

/// Returns the size of the picture as it is shown, with square pixels.
pub(super) fn upright(rotate: Rotate, stream: &VideoStream) -> (f64, f64) {
    let (width, height) = (f64::from(stream.width) * stream.pixel_aspect, f64::from(stream.height));
    let degrees = match rotate {
        Rotate::Auto => quarter(stream.rotation).unwrap_or(0),
        Rotate::Fixed(degrees) => degrees,
        Rotate::None => 0,
    };
    if degrees % 180 == 90 { (height, width) } else { (width, height) }
}

/// Returns the filter chain of one output.
pub(super) fn filters(size: PictureSize, rotate: Rotate, stream: &VideoStream, target: Target) -> String {
    let mut chain = Vec::new();
    if stream.interlaced {
        // One picture for each frame; frames that are marked as whole stay as they are.
        chain.push("bwdif=mode=send_frame:deint=interlaced".to_owned());
    }
    match rotation(rotate, stream).1 {
        90 => chain.push("transpose=clock".to_owned()),
        180 => chain.push("hflip,vflip".to_owned()),
        270 => chain.push("transpose=cclock".to_owned()),
        _ => {}
    }
    let (scaled, frame) = fitted(size, upright(rotate, stream));
    chain.push(stream.colour.scale(scaled, stream.height.min(stream.width), target));
    match frame {
        Some(Frame::Bars(width, height)) => chain.push(format!("pad={width}:{height}:(ow-iw)/2:(oh-ih)/2")),
        Some(Frame::Crop(width, height)) => chain.push(format!("crop={width}:{height}")),
        None => {}
    }
    chain.push("setsar=1".to_owned());
    chain.extend(stream.colour.convert(target));
    chain.join(",")
}

/// Returns the size of the pictures of an output.
pub(crate) fn output_size(size: PictureSize, rotate: Rotate, stream: &VideoStream) -> (u32, u32) {
    match fitted(size, upright(rotate, stream)) {
        (_, Some(Frame::Bars(width, height) | Frame::Crop(width, height))) => (width, height),
        (scaled, None) => scaled,
    }
}

/// What is done to a scaled picture that does not have the output's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    Bars(u32, u32),
    Crop(u32, u32),
}

/// Returns the size to which a picture is scaled, and what follows.
fn fitted(size: PictureSize, source: (f64, f64)) -> ((u32, u32), Option<Frame>) {
    let (width, height) = match (size.width, size.height) {
        (None, None) => return ((even(source.0), even(source.1)), None),
        (Some(width), None) => return ((width, even(f64::from(width) * source.1 / source.0)), None),
        (None, Some(height)) => return ((even(f64::from(height) * source.0 / source.1), height), None),
        (Some(width), Some(height)) => (width, height),
    };
    let target = (width, height);
    let inside = fit(source, target, f64::min);
    let near = inside.0.abs_diff(width) <= ROUNDING && inside.1.abs_diff(height) <= ROUNDING;
    match size.scaling {
        Scaling::Stretch => (target, None),
        Scaling::Default | Scaling::Fit | Scaling::Fill if near => (target, None),
        Scaling::Default => (inside, Some(Frame::Bars(width, height))),
        Scaling::Fit => (inside, None),
        Scaling::FitNoUpscale => {
            let own = (even(source.0), even(source.1));
            (if own.0 < inside.0 { own } else { inside }, None)
        }
        Scaling::Fill => (fit(source, target, f64::max), Some(Frame::Crop(width, height))),
    }
}

/// Scales `source` so that both sides are within `target` (`min`) or cover it (`max`).
fn fit(source: (f64, f64), target: (u32, u32), choose: fn(f64, f64) -> f64) -> (u32, u32) {
    let factor = choose(f64::from(target.0) / source.0, f64::from(target.1) / source.1);
    let (width, height) = (even(source.0 * factor), even(source.1 * factor));
    match choose(0.0, 1.0) == 0.0 {
        true => (width.min(target.0), height.min(target.1)),
        false => (width.max(target.0), height.max(target.1)),
    }
}

/// Returns the nearest even number of pixels, at least 2.
fn even(length: f64) -> u32 {
    ((length / 2.0).round() as u32).clamp(1, 8192) * 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(width: u32, height: u32, rotation: u16) -> VideoStream {
        VideoStream { codec: Some("h264".into()), width, height, pixel_aspect: 1.0, rotation, ..VideoStream::default() }
    }

    fn video(width: Option<u32>, height: Option<u32>, scaling: Scaling) -> PictureSize {
        PictureSize { width, height, scaling }
    }

    /// Returns the chain without what all have: the colours, the shape of pixels, the format.
    fn chain(size: &PictureSize, rotate: Rotate, stream: &VideoStream) -> String {
        let chain = filters(*size, rotate, stream, Target::Film);
        let chain = chain.strip_suffix(",setsar=1,format=yuv420p").unwrap_or(&chain);
        let without = |filter: &str| filter.split_once(":flags").map_or(filter, |(before, _)| before).to_owned();
        chain.split(',').map(without).collect::<Vec<_>>().join(",")
    }

    #[test]
    fn an_interlaced_video_becomes_whole_pictures_and_any_other_is_left_alone() {
        let interlaced = VideoStream { interlaced: true, ..stream(720, 576, 0) };
        let size = video(Some(720), Some(576), Scaling::Stretch);
        assert_eq!(chain(&size, Rotate::Auto, &interlaced), "bwdif=mode=send_frame:deint=interlaced,scale=720:576");
        assert_eq!(chain(&size, Rotate::Auto, &stream(720, 576, 0)), "scale=720:576");
    }

    #[test]
    fn pixels_that_are_not_square_are_counted_with_their_shape() {
        let wide = VideoStream { pixel_aspect: 4.0 / 3.0, ..stream(1440, 1080, 0) };
        assert_eq!(chain(&video(Some(1280), None, Scaling::Default), Rotate::Auto, &wide), "scale=1280:720");
        assert_eq!(output_size(video(Some(400), Some(400), Scaling::Default), Rotate::Auto, &wide), (400, 400));
    }

    #[test]
    fn a_rotated_video_is_sized_as_it_is_shown() {
        let phone = stream(1920, 1080, 90);
        assert_eq!(chain(&video(Some(720), Some(1280), Scaling::Default), Rotate::Auto, &phone), "scale=720:1280");
        assert_eq!(chain(&video(Some(720), None, Scaling::Default), Rotate::Auto, &phone), "scale=720:1280");
        assert_eq!(chain(&video(None, None, Scaling::Default), Rotate::Auto, &phone), "scale=1080:1920");
    }

    #[test]
    fn without_auto_the_rotation_in_the_file_is_reverted() {
        let phone = stream(1920, 1080, 90);
        assert_eq!(
            chain(&video(None, None, Scaling::Default), Rotate::None, &phone),
            "transpose=cclock,scale=1920:1080"
        );
        assert_eq!(chain(&video(None, None, Scaling::Default), Rotate::Fixed(90), &phone), "scale=1080:1920");
        assert_eq!(
            chain(&video(None, None, Scaling::Default), Rotate::Fixed(180), &stream(64, 32, 0)),
            "hflip,vflip,scale=64:32"
        );
    }

    #[test]
    fn a_rotation_that_is_not_a_quarter_turn_is_not_applied() {
        assert_eq!(rotation(Rotate::Auto, &stream(64, 32, 45)), (false, 0));
        assert_eq!(rotation(Rotate::Auto, &stream(64, 32, 359)), (true, 0));
    }

    #[test]
    fn each_scaling_behaviour_does_what_its_name_says() {
        let wide = stream(1920, 1080, 0);
        let square = |scaling| chain(&video(Some(400), Some(400), scaling), Rotate::Auto, &wide);
        assert_eq!(square(Scaling::Default), "scale=400:226,pad=400:400:(ow-iw)/2:(oh-ih)/2");
        assert_eq!(square(Scaling::Stretch), "scale=400:400");
        assert_eq!(square(Scaling::Fit), "scale=400:226");
        assert_eq!(square(Scaling::Fill), "scale=712:400,crop=400:400");
        let small = stream(64, 32, 0);
        let large = |scaling| chain(&video(Some(640), Some(400), scaling), Rotate::Auto, &small);
        assert_eq!(large(Scaling::FitNoUpscale), "scale=64:32");
        assert_eq!(large(Scaling::Fit), "scale=640:320");
    }

    #[test]
    fn rounding_to_even_sizes_leaves_no_bars() {
        let odd = stream(1278, 719, 0);
        assert_eq!(chain(&video(Some(1280), Some(720), Scaling::Default), Rotate::Auto, &odd), "scale=1280:720");
    }

    proptest::proptest! {
        #[test]
        fn sizes_are_even_and_within_the_target(w in 1u32..16384, h in 1u32..16384, tw in 16u32..4096, th in 16u32..4096) {
            let target = (tw * 2, th * 2);
            let inside = fit((f64::from(w), f64::from(h)), target, f64::min);
            let cover = fit((f64::from(w), f64::from(h)), target, f64::max);
            proptest::prop_assert!(inside.0 <= target.0 && inside.1 <= target.1 && inside.0.is_multiple_of(2) && inside.1.is_multiple_of(2));
            proptest::prop_assert!(cover.0 >= target.0 && cover.1 >= target.1);
        }
    }
}
