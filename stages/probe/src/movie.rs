//! MP4 and QuickTime: the movie header, its tracks, and the picture's rotation (ISO/IEC 14496-12, section 8).

use crate::bmff::{Box, Boxes, find};
use crate::error::ProbeError;
use crate::format::Format;
use crate::orientation;
use crate::pixels::Pixels;
use crate::probe::Probe;
use crate::source::{Source, Window};

const WITHIN: &str = "the movie header (moov)";

/// The most tracks of a video. Most have two or three; some cameras add a dozen for their sensors.
const MAX_TRACKS: usize = 64;

pub(crate) fn probe<S: Source>(window: &mut Window<'_, S>, format: Format) -> Result<Probe, ProbeError<S::Error>> {
    let moov = find(window, b"moov", WITHIN)?;
    let movie = Movie::read(window, moov)?;
    let picture = movie.picture();
    let orientation = picture.map_or(1, |track| rotation(combine(track.matrix, movie.matrix)));
    let pixels = picture.map(|track| orientation::upright(track.shown, orientation));
    Ok(Probe {
        format,
        pixels,
        orientation,
        duration_ms: movie.duration_ms(),
        has_audio: Some(movie.tracks.iter().any(|track| &track.handler == b"soun")),
        progressive: false,
        adobe_rgb: false,
        body: moov.end,
    })
}

/// The linear part of a transformation, `[a, b, c, d]` in 16.16 fixed point, which turns and mirrors.
type Matrix = [i32; 4];

#[derive(Default)]
struct Movie {
    timescale: u32,
    duration: u64,
    fragments_duration: u64,
    matrix: Matrix,
    tracks: Vec<Track>,
}

#[derive(Clone, Copy)]
struct Track {
    enabled: bool,
    handler: [u8; 4],
    shown: Pixels,
    matrix: Matrix,
    timescale: u32,
    duration: u64,
}

impl Movie {
    fn read<S: Source>(window: &mut Window<'_, S>, moov: Box) -> Result<Self, ProbeError<S::Error>> {
        let mut movie = Movie::default();
        let mut has_header = false;
        let mut boxes = Boxes::within(moov, 0, WITHIN);
        while let Some(found) = boxes.next(window)? {
            match &found.kind {
                b"mvhd" => {
                    has_header = true;
                    let times = Times::read(window, found, 12)?;
                    movie.timescale = times.timescale;
                    movie.duration = times.duration;
                    // The rate, the volume and reserved bytes come first.
                    movie.matrix = matrix(window, found, times.end + 16)?;
                }
                b"mvex" => movie.fragments_duration = fragments_duration(window, found)?,
                b"trak" if movie.tracks.len() == MAX_TRACKS => {
                    return Err(ProbeError::corrupt("more tracks than a video can have", found.start));
                }
                b"trak" => movie.tracks.push(Track::read(window, found)?),
                _ => {}
            }
        }
        if !has_header {
            return Err(ProbeError::corrupt("the movie header has no mvhd box", moov.start));
        }
        Ok(movie)
    }

    /// Returns the largest picture track that is enabled. Phones add small ones for previews.
    fn picture(&self) -> Option<&Track> {
        self.tracks
            .iter()
            .filter(|track| &track.handler == b"vide" && track.shown.count() > 0)
            .max_by_key(|track| (track.enabled, track.shown.count()))
    }

    fn duration_ms(&self) -> Option<u64> {
        let of_picture = self.picture().and_then(|track| milliseconds(track.duration, track.timescale));
        milliseconds(self.duration, self.timescale)
            .or(of_picture)
            .or_else(|| milliseconds(self.fragments_duration, self.timescale))
    }
}

/// Returns a duration in milliseconds. `None` for 0 and for "unknown", which is written as all bits set.
fn milliseconds(duration: u64, timescale: u32) -> Option<u64> {
    if duration == 0 || duration == u64::MAX {
        return None;
    }
    let precise = u128::from(duration) * 1000 / u128::from(timescale).max(1);
    u64::try_from(precise).ok()
}

/// The time scale and duration of an `mvhd` or `mdhd` box, whose two versions have fields of different widths.
struct Times {
    timescale: u32,
    duration: u64,
    /// The offset of the next field.
    end: u64,
}

impl Times {
    /// Reads them. `before_v0` is the number of bytes between the box's content and the time scale in version 0.
    fn read<S: Source>(window: &mut Window<'_, S>, found: Box, before_v0: u64) -> Result<Self, ProbeError<S::Error>> {
        let [version] = window.array(found.body, WITHIN)?;
        let at = found.body + before_v0 + if version == 1 { 8 } else { 0 };
        let timescale = window.u32(at, WITHIN)?;
        if timescale == 0 {
            return Err(ProbeError::corrupt("the time scale is 0", at));
        }
        let (duration, end) = duration_at(window, at + 4, version)?;
        Ok(Self { timescale, duration, end })
    }
}

/// Returns a duration, which has 8 bytes in version 1 and 4 in version 0, and the offset after it.
fn duration_at<S: Source>(
    window: &mut Window<'_, S>,
    at: u64,
    version: u8,
) -> Result<(u64, u64), ProbeError<S::Error>> {
    if version == 1 {
        return Ok((window.u64(at, WITHIN)?, at + 8));
    }
    let duration = match window.u32(at, WITHIN)? {
        u32::MAX => u64::MAX,
        duration => u64::from(duration),
    };
    Ok((duration, at + 4))
}

/// Returns the duration of all fragments, or 0 if it is not given.
fn fragments_duration<S: Source>(window: &mut Window<'_, S>, mvex: Box) -> Result<u64, ProbeError<S::Error>> {
    let mut boxes = Boxes::within(mvex, 0, WITHIN);
    while let Some(found) = boxes.next(window)? {
        if &found.kind == b"mehd" {
            let [version] = window.array(found.body, WITHIN)?;
            return Ok(duration_at(window, found.body + 4, version)?.0);
        }
    }
    Ok(0)
}

impl Track {
    fn read<S: Source>(window: &mut Window<'_, S>, trak: Box) -> Result<Self, ProbeError<S::Error>> {
        let none = Pixels { width: 0, height: 0 };
        let mut track =
            Track { enabled: false, handler: [0; 4], shown: none, matrix: [0; 4], timescale: 1, duration: 0 };
        let mut coded = Coded { size: none, spacing: (1, 1) };
        let mut boxes = Boxes::within(trak, 0, WITHIN);
        while let Some(found) = boxes.next(window)? {
            match &found.kind {
                b"tkhd" => {
                    let [version, _, _, flags] = window.array(found.body, WITHIN)?;
                    let matrix_at = found.body + if version == 1 { 52 } else { 40 };
                    track.enabled = flags & 1 != 0;
                    track.matrix = matrix(window, found, matrix_at)?;
                    track.shown = Pixels {
                        width: rounded(window.u32(matrix_at + 36, WITHIN)?),
                        height: rounded(window.u32(matrix_at + 40, WITHIN)?),
                    };
                }
                b"mdia" => {
                    let mut parts = Boxes::within(found, 0, WITHIN);
                    while let Some(part) = parts.next(window)? {
                        match &part.kind {
                            b"mdhd" => {
                                let times = Times::read(window, part, 12)?;
                                (track.timescale, track.duration) = (times.timescale, times.duration);
                            }
                            b"hdlr" => track.handler = window.array(part.body + 8, WITHIN)?,
                            b"minf" => coded = Coded::read(window, part)?,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        // The track header has the size on screen, corrected for pixels that are not square, but not every writer fills it in
        // or corrects it.
        if &track.handler == b"vide" && (track.shown.count() == 0 || track.shown == coded.size) {
            track.shown = coded.with_square_pixels();
        }
        Ok(track)
    }
}

/// Returns a 16.16 fixed-point number as the nearest integer.
fn rounded(fixed: u32) -> u32 {
    (fixed >> 16) + (fixed >> 15 & 1)
}

/// The size in the first sample description, and the shape of its pixels. It is meaningless for a sound track.
#[derive(Clone, Copy)]
struct Coded {
    size: Pixels,
    /// The width and the height of a pixel, in any unit.
    spacing: (u32, u32),
}

impl Coded {
    fn read<S: Source>(window: &mut Window<'_, S>, minf: Box) -> Result<Self, ProbeError<S::Error>> {
        let mut coded = Self { size: Pixels { width: 0, height: 0 }, spacing: (1, 1) };
        let mut boxes = Boxes::within(minf, 0, WITHIN);
        while let Some(stbl) = boxes.next(window)? {
            if &stbl.kind != b"stbl" {
                continue;
            }
            let mut tables = Boxes::within(stbl, 0, WITHIN);
            while let Some(stsd) = tables.next(window)? {
                // Version and flags, the number of entries, the entry's header, and 24 bytes before its size.
                let at = stsd.body + 4 + 4 + 8 + 24;
                if &stsd.kind == b"stsd" && at + 4 <= stsd.end {
                    let (width, height) = (window.u16(at, WITHIN)?, window.u16(at + 2, WITHIN)?);
                    coded.size = Pixels { width: width.into(), height: height.into() };
                    coded.spacing = pixel_spacing(window, stsd).unwrap_or((1, 1));
                    return Ok(coded);
                }
            }
        }
        Ok(coded)
    }

    /// Returns the size with the width that square pixels would have. An extreme shape is not believed.
    fn with_square_pixels(self) -> Pixels {
        let (across, down) = (u64::from(self.spacing.0), u64::from(self.spacing.1));
        if across == 0 || down == 0 || across > 10 * down || down > 10 * across {
            return self.size;
        }
        let width = (u64::from(self.size.width) * across + down / 2) / down;
        Pixels { width: u32::try_from(width).unwrap_or(self.size.width), ..self.size }
    }
}

/// Returns the `pasp` box of the first sample description of a picture track. `None` if there is none, or if what follows the
/// description's fields is not a list of boxes: a sound track has other fields.
fn pixel_spacing<S: Source>(window: &mut Window<'_, S>, stsd: Box) -> Option<(u32, u32)> {
    let start = stsd.body + 8;
    let length = u64::from(window.u32(start, WITHIN).ok()?);
    let end = start.checked_add(length).filter(|end| *end <= stsd.end)?;
    let entry = Box { kind: *b"stsd", start, body: start + 8, end };
    // The fields of a picture's description have 78 bytes.
    let mut boxes = Boxes::within(entry, 78, WITHIN);
    while let Ok(Some(found)) = boxes.next(window) {
        if &found.kind == b"pasp" {
            return Some((window.u32(found.body, WITHIN).ok()?, window.u32(found.body + 4, WITHIN).ok()?));
        }
    }
    None
}

/// Returns the matrix at `at`. It is written as nine numbers in rows of three; the third column and row are not needed.
fn matrix<S: Source>(window: &mut Window<'_, S>, owner: Box, at: u64) -> Result<Matrix, ProbeError<S::Error>> {
    if at + 36 > owner.end {
        return Err(ProbeError::corrupt("a header that is too short for its fields", owner.start));
    }
    let mut read = |place: u64| window.u32(at + place, WITHIN).map(u32::cast_signed);
    Ok([read(0)?, read(4)?, read(12)?, read(16)?])
}

/// Returns the track's transformation followed by the movie's.
fn combine(track: Matrix, movie: Matrix) -> [i64; 4] {
    let [a, b, c, d] = track.map(i64::from);
    // Some writers leave the movie's matrix zero.
    if movie == [0; 4] {
        return [a, b, c, d];
    }
    let [e, f, g, h] = movie.map(|value| i64::from(value) >> 8);
    let [a, b, c, d] = [a, b, c, d].map(|value| value >> 8);
    [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h]
}

/// Returns the orientation of the quarter turn nearest to a transformation. Some front cameras write mirrored pictures: such
/// a picture counts as turned only if its axes are exchanged, or both reversed.
fn rotation([a, b, c, d]: [i64; 4]) -> u8 {
    let on_its_side = b.unsigned_abs() > a.unsigned_abs() && c.unsigned_abs() > d.unsigned_abs();
    orientation::turned(match (on_its_side, b > 0, a < 0 && d < 0) {
        (true, true, _) => 1,
        (true, false, _) => 3,
        (false, _, true) => 2,
        (false, _, false) => 0,
    })
}

#[cfg(test)]
mod tests;
