//! The sound tracks of a film, by the names of their codecs (ISO/IEC 14496-12, sections 8.4.3 and 8.5.2).

use crate::bmff::{Box, Boxes, find};
use crate::error::ProbeError;
use crate::source::{Source, Window};

const WITHIN: &str = "the movie header (moov)";

/// The most sound tracks that are returned.
const MAX_TRACKS: usize = 64;

pub(crate) fn codecs<S: Source>(window: &mut Window<'_, S>) -> Result<Vec<[u8; 4]>, ProbeError<S::Error>> {
    let moov = find(window, b"moov", WITHIN)?;
    let mut found = Vec::new();
    let mut boxes = Boxes::within(moov, 0, WITHIN);
    while let Some(trak) = boxes.next(window)? {
        if &trak.kind == b"trak" && found.len() < MAX_TRACKS {
            found.extend(codec(window, trak)?);
        }
    }
    Ok(found)
}

/// Returns the codec of a track, if it is one of sound. A track without a sample description has a codec of zeros.
fn codec<S: Source>(window: &mut Window<'_, S>, trak: Box) -> Result<Option<[u8; 4]>, ProbeError<S::Error>> {
    let Some(mdia) = child(window, trak, b"mdia")? else { return Ok(None) };
    let Some(hdlr) = child(window, mdia, b"hdlr")? else { return Ok(None) };
    let handler: [u8; 4] = window.array(hdlr.body + 8, WITHIN)?;
    if &handler != b"soun" {
        return Ok(None);
    }
    let mut place = Some(mdia);
    for kind in [b"minf", b"stbl", b"stsd"] {
        place = match place {
            Some(parent) => child(window, parent, kind)?,
            None => None,
        };
    }
    // Version and flags, the number of entries, and the first entry's length.
    let at = place.map(|stsd| (stsd.body + 12, stsd.end)).filter(|(at, end)| at + 4 <= *end);
    match at {
        Some((at, _)) => Ok(Some(window.array(at, WITHIN)?)),
        None => Ok(Some([0; 4])),
    }
}

fn child<S: Source>(
    window: &mut Window<'_, S>,
    parent: Box,
    kind: &[u8; 4],
) -> Result<Option<Box>, ProbeError<S::Error>> {
    let mut boxes = Boxes::within(parent, 0, WITHIN);
    while let Some(found) = boxes.next(window)? {
        if &found.kind == kind {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;
    use crate::bmff::tests::boxed;

    fn track(handler: &[u8; 4], codec: &[u8; 4]) -> Vec<u8> {
        let stsd = boxed(b"stsd", &[&[0, 0, 0, 0, 0, 0, 0, 1], &boxed(codec, &[&[0; 28]])]);
        let minf = boxed(b"minf", &[&boxed(b"stbl", &[&stsd])]);
        boxed(b"trak", &[&boxed(b"mdia", &[&boxed(b"hdlr", &[&[0; 8], handler, &[0; 13]]), &minf])])
    }

    fn found(moov: &[u8]) -> Vec<[u8; 4]> {
        codecs(&mut Window::new(&mut &*moov)).unwrap()
    }

    #[test]
    fn the_codecs_of_sound_tracks_are_in_the_order_of_the_file() {
        let tracks =
            [track(b"soun", b"apac"), track(b"vide", b"hvc1"), track(b"soun", b"mp4a"), track(b"meta", b"mebx")];
        assert_eq!(found(&boxed(b"moov", &[&tracks.concat()])), [*b"apac", *b"mp4a"]);
        assert!(found(&boxed(b"moov", &[&track(b"vide", b"avc1")])).is_empty());
    }

    #[test]
    fn a_sound_track_without_a_description_counts_as_one_of_an_unknown_codec() {
        let empty = boxed(b"trak", &[&boxed(b"mdia", &[&boxed(b"hdlr", &[&[0; 8], b"soun", &[0; 13]])])]);
        assert_eq!(found(&boxed(b"moov", &[&empty])), [[0; 4]]);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 0usize..300) {
            let _ = codecs(&mut Window::new(&mut bytes.as_slice()));
            let mut whole = boxed(b"moov", &[&track(b"soun", b"mp4a"), &bytes]);
            whole.truncate(cut.max(8));
            let _ = codecs(&mut Window::new(&mut whole.as_slice()));
        }
    }
}
