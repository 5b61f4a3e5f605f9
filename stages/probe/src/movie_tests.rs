//! What a film's headers mean, on films made here box by box.

#![allow(clippy::unwrap_used)]

use std::convert::Infallible;

use crate::bmff::tests::boxed;
use crate::{Format, Pixels, ProbeError, Source, probe, verify_end};

const ONE: i32 = 0x1_0000;
const UPRIGHT: [i32; 4] = [ONE, 0, 0, ONE];

/// What a film may be asked to look like.
pub(crate) struct Film {
    pub(crate) brand: &'static [u8; 4],
    pub(crate) size: (u16, u16),
    pub(crate) matrix: [i32; 4],
    pub(crate) version: u8,
    pub(crate) duration: u32,
    pub(crate) sound: bool,
    pub(crate) moov_first: bool,
    pub(crate) media: usize,
}

impl Default for Film {
    fn default() -> Self {
        Film {
            brand: b"isom",
            size: (1920, 1080),
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

impl Film {
    /// Creation and modification time, and what comes between them and the duration, in either version.
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
        let entry = boxed(b"avc1", &[&[0; 24], &self.size.0.to_be_bytes(), &self.size.1.to_be_bytes(), &[0; 50]]);
        let stbl = boxed(b"stbl", &[&boxed(b"stsd", &[&bytes_of(&[0, 1]), &entry])]);
        let mdia = boxed(b"mdia", &[&mdhd, &hdlr, &boxed(b"minf", &[&stbl])]);
        boxed(b"trak", &[&tkhd, &mdia])
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
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
        let file = Film { version, ..Film::default() }.bytes();
        let found = probe(&mut file.as_slice()).unwrap();
        assert_eq!(found.format, Format::Mp4);
        assert_eq!(found.pixels, Some(Pixels { width: 1920, height: 1080 }));
        assert_eq!((found.duration_ms, found.has_audio, found.orientation), (Some(5_200), Some(true), 1));
        assert_eq!(verify_end(&mut file.as_slice(), &found), Ok(()));
    }
}

#[test]
fn a_phone_film_on_its_side_is_portrait() {
    let turns = [([0, ONE, -ONE, 0], 6), ([-ONE, 0, 0, -ONE], 3), ([0, -ONE, ONE, 0], 8), (UPRIGHT, 1)];
    for (matrix, orientation) in turns {
        let file = Film { matrix, brand: b"qt  ", sound: false, ..Film::default() }.bytes();
        let found = probe(&mut file.as_slice()).unwrap();
        let (width, height) = if matches!(orientation, 6 | 8) { (1080, 1920) } else { (1920, 1080) };
        assert_eq!(found.pixels, Some(Pixels { width, height }));
        assert_eq!((found.format, found.orientation), (Format::QuickTime, orientation));
        assert_eq!(found.has_audio, Some(false));
    }
}

#[test]
fn a_mirrored_film_is_not_taken_for_a_turned_one() {
    let file = Film { matrix: [-ONE, 0, 0, ONE], ..Film::default() }.bytes();
    assert_eq!(probe(&mut file.as_slice()).unwrap().orientation, 1);
}

#[test]
fn a_duration_that_is_left_open_is_not_zero() {
    for duration in [0, u32::MAX] {
        let file = Film { duration, ..Film::default() }.bytes();
        assert_eq!(probe(&mut file.as_slice()).unwrap().duration_ms, None);
    }
}

/// A file of which only the beginning and the end exist, as far as anybody looks.
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
    let film = Film { media: 0, ..Film::default() }.bytes();
    let mdat = film.windows(4).position(|kind| kind == b"mdat").unwrap();
    let mut head = film[..mdat + 4].to_vec();
    head[mdat - 4..mdat].copy_from_slice(&(8 + hole as u32).to_be_bytes());
    let mut file = Sparse { head, hole, tail: film[mdat + 4..].to_vec(), reads: 0 };
    let found = probe(&mut file).unwrap();
    assert_eq!(found.pixels, Some(Pixels { width: 1920, height: 1080 }));
    assert_eq!(file.reads, 2);
}

#[test]
fn a_film_cut_off_before_its_header_says_so() {
    let file = Film::default().bytes();
    let cut = &file[..600];
    let refused = probe(&mut &*cut).unwrap_err();
    assert_eq!(refused, ProbeError::Truncated { what: "the movie header (moov)", offset: 600 });
}

#[test]
fn a_film_cut_off_behind_its_header_is_probed_but_not_whole() {
    let file = Film { moov_first: true, ..Film::default() }.bytes();
    let cut = &file[..file.len() - 10];
    let found = probe(&mut &*cut).unwrap();
    assert!(matches!(verify_end(&mut &*cut, &found), Err(ProbeError::Truncated { .. })));
}

#[test]
fn a_clock_that_stands_still_is_refused() {
    let mut file = Film { moov_first: true, ..Film::default() }.bytes();
    let mvhd = file.windows(4).position(|kind| kind == b"mvhd").unwrap();
    file[mvhd + 16..mvhd + 20].fill(0);
    let refused = probe(&mut file.as_slice()).unwrap_err();
    assert_eq!(refused, ProbeError::corrupt("a clock that stands still (timescale 0)", mvhd as u64 + 16));
}
