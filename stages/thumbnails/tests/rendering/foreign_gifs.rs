//! GIFs as other programs write them: frames beside or beyond their screen, numbers beyond the palette, no palette at all. The
//! right colours are those that Pillow and libvips give.

use stage_thumbnails::error::PictureError;

use crate::support::{one, rendered};

const RED: [u8; 3] = [200, 0, 0];
const GREEN: [u8; 3] = [0, 200, 0];
const BLACK: [u8; 3] = [0; 3];
const LOSSLESS: &str = r#"{"boxes":["100x100"],"format":"webp","lossless":true}"#;

/// Returns a GIF: a screen, a palette of four colours or none, and a frame at `left` and `top`.
fn gif(
    screen: [u8; 2],
    palette: Option<[[u8; 3]; 4]>,
    transparent: Option<u8>,
    [left, top, width, height]: [u8; 4],
    numbers: &[u8],
) -> Vec<u8> {
    let mut file = b"GIF89a".to_vec();
    // Flags of the screen: a palette of 2 to the power of 2 colours. The background's number is 2.
    let flags = if palette.is_some() { 0x81 } else { 0 };
    file.extend([screen[0], 0, screen[1], 0, flags, 2, 0]);
    file.extend(palette.iter().flatten().flatten());
    if let Some(number) = transparent {
        file.extend([0x21, 0xF9, 4, 1, 0, 0, number, 0]);
    }
    file.extend([0x2C, left, 0, top, 0, width, 0, height, 0, 0]);
    // Numbers of two bits. A code that clears the table before each number keeps all codes at three bits; the last one ends.
    let codes = numbers.iter().flat_map(|number| [4, *number]).chain([5]);
    let mut bits = codes.flat_map(|code| (0..3).map(move |bit| code >> bit & 1)).peekable();
    let mut data = Vec::new();
    while bits.peek().is_some() {
        data.push((0..8).map(|place| bits.next().unwrap_or(0) << place).sum::<u8>());
    }
    file.extend([2, data.len() as u8]);
    file.extend(data);
    file.extend([0, 0x3B]);
    file
}

fn palette() -> Option<[[u8; 3]; 4]> {
    Some([[10, 20, 30], RED, [0, 0, 200], GREEN])
}

/// Returns the size and the pixels, of three samples or four.
fn pixels(file: &[u8]) -> (u32, u32, Vec<Vec<u8>>) {
    let seen = one(file, LOSSLESS);
    (seen.width, seen.height, seen.samples.chunks(seen.channels).map(<[u8]>::to_vec).collect())
}

#[test]
fn what_a_frame_leaves_of_its_screen_is_black_or_transparent() {
    let (width, height, seen) = pixels(&gif([3, 2], palette(), None, [1, 0, 1, 2], &[1, 3]));
    assert_eq!((width, height), (3, 2));
    assert_eq!(seen, [BLACK, RED, BLACK, BLACK, GREEN, BLACK]);
    let (.., seen) = pixels(&gif([3, 2], palette(), Some(3), [1, 0, 1, 2], &[1, 3]));
    assert_eq!(seen[1], [200, 0, 0, 255]);
    assert!([0, 2, 3, 4, 5].iter().all(|&at| seen[at][3] == 0), "{seen:?}");
}

#[test]
fn a_frame_beyond_its_screen_enlarges_it() {
    let (width, height, seen) = pixels(&gif([1, 1], palette(), None, [1, 1, 2, 1], &[1, 3]));
    assert_eq!((width, height), (3, 2));
    assert_eq!(seen, [BLACK, BLACK, BLACK, BLACK, RED, GREEN]);
    let (width, height, seen) = pixels(&gif([0, 0], palette(), None, [0, 0, 2, 1], &[1, 3]));
    assert_eq!((width, height, seen), (2, 1, vec![RED.to_vec(), GREEN.to_vec()]));
}

#[test]
fn a_number_beyond_the_palette_is_black() {
    let mut file = gif([2, 1], palette(), None, [0, 0, 2, 1], &[1, 3]);
    // Two colours fewer.
    file[10] = 0x80;
    file.drain(13 + 6..13 + 12);
    assert_eq!(pixels(&file).2, [RED, BLACK]);
}

#[test]
fn a_picture_without_a_palette_or_with_too_little_data_is_refused_with_the_reason() {
    let reason = |file: &[u8]| match rendered(file, LOSSLESS).unwrap_err() {
        PictureError::Corrupt(message) => message,
        other => panic!("{other:?}"),
    };
    let without = reason(&gif([2, 1], None, None, [0, 0, 2, 1], &[0, 1]));
    assert!(without.contains("it has no palette"), "{without}");
    let short = reason(&gif([2, 2], palette(), None, [0, 0, 2, 2], &[0, 1]));
    assert!(short.contains("ends before the last line"), "{short}");
}
