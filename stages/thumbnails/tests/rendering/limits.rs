//! Pictures and renditions that are too large, and those that are not.

use image::ExtendedColorType as Colour;
use stage_sdk::Failure;

use crate::pictures::png;
use crate::stage::{Bucket, KEY, STATE, run};
use crate::support::*;

/// A picture of 72 megapixels with opacity takes 288 MB at its full size.
#[test]
fn a_huge_png_is_decoded_in_little_memory() {
    let (width, height) = (9000usize, 8000usize);
    let row = |left: [u8; 3], right: [u8; 3]| {
        let half = |[r, g, b]: [u8; 3]| [r, g, b, 255].repeat(width / 2);
        [half(left), half(right)].concat()
    };
    let (top, bottom) = (row(CORNERS[0], CORNERS[1]), row(CORNERS[2], CORNERS[3]));
    let samples = [top.repeat(height / 2), bottom.repeat(height / 2)].concat();
    let file = png(&samples, width as u32, height as u32, Colour::Rgba8, None, None);
    drop(samples);
    let seen = one(&file, r#"{"boxes":["1280x960"],"maxMemory":67108864}"#);
    assert_eq!((seen.width, seen.height), (1080, 960));
    for (got, want) in seen.quarters().iter().zip(CORNERS) {
        assert_near(got, &want, 6, "a quarter");
    }
}

/// Decoding takes 27 MB of memory, writing three times as much.
#[test]
fn a_rendition_that_takes_too_much_memory_to_write_is_refused_before_anything_is_decoded() {
    let file = png(&vec![99; 3000 * 3000 * 3], 3000, 3000, Colour::Rgb8, None, None);
    let error = rendered(&file, r#"{"boxes":["3000x3000","32x32"],"maxMemory":67108864}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "has a rendition of 3000x3000 pixels, which takes 98 MiB of memory to write; there are 64 MiB (`maxMemory`)"
    );
    assert!(rendered(&file, r#"{"boxes":["3000x3000"],"maxMemory":134217728}"#).is_ok());
    assert!(rendered(&file, r#"{"boxes":["32x32"],"maxMemory":67108864}"#).is_ok());
}

/// A drawing as high as a long page: a format that cannot hold it is not a reason to leave out the sizes that it can hold.
#[test]
fn a_rendition_that_its_format_cannot_hold_is_named_and_the_others_are_made() {
    let (width, height) = (20usize, 16_400usize);
    let file = png(&vec![99; width * height * 3], width as u32, height as u32, Colour::Rgb8, None, None);
    let mut bucket = Bucket::default();
    bucket.put(KEY, file, None);
    let made = run(&mut bucket, r#"{"widths":[10,20],"boxes":["320x240"],"format":"webp"}"#).unwrap();
    let names: Vec<&str> = made.renditions.iter().map(|rendition| rendition.name.as_str()).collect();
    assert_eq!(names, ["320x240", "w10"]);
    let problem = made.problem.unwrap();
    assert_eq!((problem.state.as_str(), problem.code.as_str()), (STATE, "Stage.TooLarge"));
    assert_eq!(
        problem.message,
        "photo-001.jpg: the rendition w20 would be a WebP of 20x16400 pixels, and a side of that format has at most 16383 \
         (`boxes`, `widths`, `format`)"
    );
    match run(&mut bucket, r#"{"widths":[20],"format":"webp"}"#) {
        Err(Failure::TooLarge(message)) => assert!(message.contains("w20"), "{message}"),
        other => panic!("{other:?}"),
    }
}
