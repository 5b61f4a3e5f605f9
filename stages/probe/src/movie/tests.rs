//! Videos made box by box, and what their headers give.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;

use crate::bmff::tests::boxed;
use crate::{Format, Pixels, ProbeError, Source, probe, verify_end};

const ONE: i32 = 0x1_0000;
const UPRIGHT: [i32; 4] = [ONE, 0, 0, ONE];

/// A video to be made.
struct Video {
    brand: &'static [u8; 4],
    size: (u16, u16),
    /// The `pasp` box.
    spacing: (u32, u32),
    matrix: [i32; 4],
    version: u8,
    duration: u32,
    sound: bool,
    moov_first: bool,
    media: usize,
}

impl Default for Video {
    fn default() -> Self {
        Video {
            brand: b"isom",
            size: (1920, 1080),
            spacing: (1, 1),
            matrix: UPRIGHT,
            version: 0,
            duration: 5_200,
            sound: true,
            moov_first: false,
            media: 1000,
        }
    }
}

fn bytes_of(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

fn matrix([a, b, c, d]: [i32; 4]) -> Vec<u8> {
    let [a, b, c, d] = [a, b, c, d].map(i32::cast_unsigned);
    bytes_of(&[a, b, 0, c, d, 0, 0, 0, 0x4000_0000])
}

impl Video {
    /// Returns version, flags, creation and modification time, the fields `between`, and the duration, in either version.
    fn times(&self, flags: u32, between: &[u32]) -> Vec<u8> {
        let first = bytes_of(&[u32::from(self.version) << 24 | flags]);
        let (dates, duration) = match self.version {
            1 => (bytes_of(&[0; 4]), bytes_of(&[0, self.duration])),
            _ => (bytes_of(&[0; 2]), bytes_of(&[self.duration])),
        };
        [first, dates, bytes_of(between), duration].concat()
    }

    fn track(&self, handler: &[u8; 4], size: (u16, u16)) -> Vec<u8> {
        let shown = bytes_of(&[u32::from(size.0) << 16, u32::from(size.1) << 16]);
        let tkhd = boxed(b"tkhd", &[&self.times(3, &[1, 0]), &bytes_of(&[0; 4]), &matrix(self.matrix), &shown]);
        let mdhd = boxed(b"mdhd", &[&self.times(0, &[1000]), &[0; 4]]);
        let hdlr = boxed(b"hdlr", &[&[0; 8], handler, &[0; 13]]);
        let pasp = boxed(b"pasp", &[&bytes_of(&[self.spacing.0, self.spacing.1])]);
        let sides = [self.size.0.to_be_bytes(), self.size.1.to_be_bytes()].concat();
        let entry = boxed(b"avc1", &[&[0; 24], &sides, &[0; 50], &pasp]);
        let stbl = boxed(b"stbl", &[&boxed(b"stsd", &[&bytes_of(&[0, 1]), &entry])]);
        let mdia = boxed(b"mdia", &[&mdhd, &hdlr, &boxed(b"minf", &[&stbl])]);
        boxed(b"trak", &[&tkhd, &mdia])
    }

    fn bytes(&self) -> Vec<u8> {
        let mvhd = boxed(
            b"mvhd",
            &[&self.times(0, &[1000]), &bytes_of(&[0x1_0000, 0x0100_0000, 0, 0]), &matrix(UPRIGHT), &[0; 28]],
        );
        let sound = if self.sound { self.track(b"soun", (0, 0)) } else { Vec::new() };
        let moov = boxed(b"moov", &[&mvhd, &sound, &self.track(b"vide", self.size)]);
        let ftyp = boxed(b"ftyp", &[self.brand, &[0; 4], self.brand]);
        let mdat = boxed(b"mdat", &[&vec![7; self.media]]);
        if self.moov_first { [ftyp, moov, mdat].concat() } else { [ftyp, mdat, moov].concat() }
    }
}

#[test]
fn size_duration_and_sound_come_from_either_version_of_the_headers() {
    for version in [0, 1] {
        let file = Video { version, ..Video::default() }.bytes();
        let found = probe(&mut file.as_slice()).unwrap();
        assert_eq!(found.format, Format::Mp4);
        assert_eq!(found.pixels, Some(Pixels { width: 1920, height: 1080 }));
        assert_eq!((found.duration_ms, found.has_audio, found.orientation), (Some(5_200), Some(true), 1));
        assert_eq!(verify_end(&mut file.as_slice(), &found), Ok(()));
    }
}

#[test]
fn a_video_that_a_phone_stored_on_its_side_is_portrait() {
    let turns = [([0, ONE, -ONE, 0], 6), ([-ONE, 0, 0, -ONE], 3), ([0, -ONE, ONE, 0], 8), (UPRIGHT, 1)];
    for (matrix, orientation) in turns {
        let file = Video { matrix, brand: b"qt  ", sound: false, ..Video::default() }.bytes();
        let found = probe(&mut file.as_slice()).unwrap();
        let (width, height) = if matches!(orientation, 6 | 8) { (1080, 1920) } else { (1920, 1080) };
        assert_eq!(found.pixels, Some(Pixels { width, height }));
        assert_eq!((found.format, found.orientation), (Format::QuickTime, orientation));
        assert_eq!(found.has_audio, Some(false));
    }
}

#[test]
fn pixels_that_are_not_square_count_in_the_width_if_the_track_header_does_not_say_so() {
    let pixels = |video: Video| probe(&mut video.bytes().as_slice()).unwrap().pixels.unwrap();
    let anamorphic = |spacing| Video { size: (1440, 1080), spacing, ..Video::default() };
    assert_eq!(pixels(anamorphic((4, 3))), Pixels { width: 1920, height: 1080 });
    for unknown in [(0, 0), (1, 0), (1000, 1)] {
        assert_eq!(pixels(anamorphic(unknown)), Pixels { width: 1440, height: 1080 });
    }
}

#[test]
fn a_mirrored_video_does_not_count_as_turned() {
    let file = Video { matrix: [-ONE, 0, 0, ONE], ..Video::default() }.bytes();
    assert_eq!(probe(&mut file.as_slice()).unwrap().orientation, 1);
}

#[test]
fn an_open_duration_is_none_and_not_zero() {
    for duration in [0, u32::MAX] {
        let file = Video { duration, ..Video::default() }.bytes();
        assert_eq!(probe(&mut file.as_slice()).unwrap().duration_ms, None);
    }
}

/// A file with a hole of the given length between its beginning and its end.
struct Sparse {
    head: Vec<u8>,
    hole: u64,
    tail: Vec<u8>,
    reads: usize,
}

impl Source for Sparse {
    type Error = Infallible;

    fn len(&self) -> u64 {
        self.head.len() as u64 + self.hole + self.tail.len() as u64
    }

    fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, Infallible> {
        self.reads += 1;
        let byte = |place: u64| match place.checked_sub(self.head.len() as u64) {
            None => self.head[place as usize],
            Some(behind) if behind < self.hole => 0xaa,
            Some(behind) => self.tail[(behind - self.hole) as usize],
        };
        Ok((offset..self.len().min(offset + len as u64)).map(byte).collect())
    }
}

#[test]
fn a_header_behind_256_mib_of_media_costs_two_reads() {
    let hole = 256 * 1024 * 1024;
    let video = Video { media: 0, ..Video::default() }.bytes();
    let mdat = video.windows(4).position(|kind| kind == b"mdat").unwrap();
    let mut head = video[..mdat + 4].to_vec();
    head[mdat - 4..mdat].copy_from_slice(&(8 + hole as u32).to_be_bytes());
    let mut file = Sparse { head, hole, tail: video[mdat + 4..].to_vec(), reads: 0 };
    let found = probe(&mut file).unwrap();
    assert_eq!(found.pixels, Some(Pixels { width: 1920, height: 1080 }));
    assert_eq!(file.reads, 2);
}

#[test]
fn a_video_cut_off_before_its_header_is_truncated() {
    let file = Video::default().bytes();
    let cut = &file[..600];
    let refused = probe(&mut &*cut).unwrap_err();
    assert_eq!(refused, ProbeError::Truncated { what: "the movie header (moov)", offset: 600 });
}

#[test]
fn a_video_cut_off_after_its_header_is_probed_but_incomplete() {
    let file = Video { moov_first: true, ..Video::default() }.bytes();
    let cut = &file[..file.len() - 10];
    let found = probe(&mut &*cut).unwrap();
    assert!(matches!(verify_end(&mut &*cut, &found), Err(ProbeError::Truncated { .. })));
}

#[test]
fn a_time_scale_of_zero_is_refused() {
    let mut file = Video { moov_first: true, ..Video::default() }.bytes();
    let mvhd = file.windows(4).position(|kind| kind == b"mvhd").unwrap();
    file[mvhd + 16..mvhd + 20].fill(0);
    let refused = probe(&mut file.as_slice()).unwrap_err();
    assert_eq!(refused, ProbeError::corrupt("the time scale is 0", mvhd as u64 + 16));
}
