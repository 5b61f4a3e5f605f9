//! The JPEG decoder beside libjpeg-turbo, over files of every kind at every scale, and cut at every byte.

use std::path::{Path, PathBuf};
use std::process::Command;

use stage_thumbnails::decode::{Limits, WantedScale, decode, interleaved};
use stage_thumbnails::error::PictureError;
use stage_thumbnails::format::Format;
use stage_thumbnails::geometry::Size;
use stage_thumbnails::raster::Raster;

const LIMITS: Limits = Limits { pixels: 1 << 24, memory: 1 << 28, held: 0 };

/// What libjpeg-turbo made of a file.
struct Theirs {
    name: String,
    eighths: u32,
    size: Size,
    samples: Vec<u8>,
}

/// Has the files written into a folder of the test's own. `None` if the test is skipped.
#[track_caller]
fn written(test: &str) -> Option<(PathBuf, Vec<Theirs>)> {
    let python = stagehost_needs::pillow()?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    std::fs::create_dir_all(&folder).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rendering/libjpeg.py");
    let output = Command::new(python).arg(script).arg(&folder).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.is_empty(), "libjpeg refuses a file: {said}");
    let listed = String::from_utf8(output.stdout).unwrap();
    let theirs = listed.lines().map(|line| {
        let [name, eighths, width, height, _mode] = line.split(' ').collect::<Vec<_>>().try_into().unwrap();
        Theirs {
            name: name.to_owned(),
            eighths: eighths.parse().unwrap(),
            size: Size::new(width.parse().unwrap(), height.parse().unwrap()),
            samples: std::fs::read(folder.join(format!("{name}.{eighths}.raw"))).unwrap(),
        }
    });
    let theirs: Vec<Theirs> = theirs.collect();
    Some((folder, theirs))
}

fn ours(file: &[u8], wanted: Size) -> Result<Raster, PictureError> {
    let wanted = |_| WantedScale { size: wanted, halved_chroma: false };
    decode(Format::Jpeg, file.to_vec(), LIMITS, &wanted)
        .and_then(|decoded| interleaved(decoded.pixels))
        .map(|made| made.0)
}

fn mean(one: &[u8], other: &[u8]) -> f64 {
    assert_eq!(one.len(), other.len());
    one.iter().zip(other).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / one.len() as f64
}

#[test]
fn every_kind_is_decoded_as_libjpeg_decodes_it() {
    let Some((folder, all)) = written("every-kind") else { return };
    assert!(all.len() > 250, "{} pictures", all.len());
    let mut wrong = Vec::new();
    for theirs in all {
        let what = format!("{} at {}/8", theirs.name, theirs.eighths);
        let file = std::fs::read(folder.join(format!("{}.jpg", theirs.name))).unwrap();
        let made = match ours(&file, theirs.size) {
            Ok(made) => made,
            Err(error) => {
                wrong.push(format!("{what}: {error}"));
                continue;
            }
        };
        if theirs.eighths == 8 || made.size() == theirs.size {
            let mean = mean(made.samples(), &theirs.samples);
            // libjpeg averages pairs of samples where this decoder leaves out frequencies.
            let allowed = if theirs.eighths == 8 { 1.0 } else { 6.0 };
            if made.size() != theirs.size || mean >= allowed {
                wrong.push(format!("{what}: {mean:.2} on average"));
            }
        } else {
            // Pillow scales no picture of a few pixels, and libjpeg none with factors of three.
            assert!(made.size().covers(Size::new(1, 1)), "{what}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A file that is cut may lack an end mark, a trailer, or bits that fill up the last byte. If it lacks more, it is refused.
#[test]
fn a_file_that_is_cut_anywhere_gives_the_whole_picture_or_none() {
    let Some((folder, _)) = written("cut") else { return };
    let mut shown = 0;
    for name in [
        "baseline-420-odd",
        "baseline-444-restarts",
        "progressive-420-odd",
        "progressive-422-restarts",
        "progressive-gray",
        "progressive-cmyk",
        "sampling-411-apart",
        "restarts-apart",
        "trailer",
        "no-tables",
    ] {
        let file = std::fs::read(folder.join(format!("{name}.jpg"))).unwrap();
        let whole = ours(&file, Size::new(77, 53)).unwrap();
        for kept in 0..file.len() {
            match ours(&file[..kept], Size::new(77, 53)) {
                Ok(made) => {
                    assert!(made == whole, "{name} cut to {kept} of {} bytes is another picture", file.len());
                    shown += 1;
                }
                Err(PictureError::Corrupt(_)) => {}
                Err(other) => panic!("{name} cut to {kept} bytes: {other}"),
            }
        }
    }
    assert!(shown >= 10, "{shown}");
}

/// Changed bits shift the blocks that follow. JPEG has no checksum: what tells is that blocks are missing or left in the end.
#[test]
fn data_of_more_or_fewer_blocks_than_the_picture_has_is_refused() {
    let Some((folder, _)) = written("other-blocks") else { return };
    for name in [
        "baseline-420-whole",
        "baseline-444-restarts",
        "baseline-gray",
        "progressive-420-whole",
        "progressive-422-restarts",
        "sampling-411",
        "sampling-411-apart",
        "restarts-apart",
    ] {
        let file = std::fs::read(folder.join(format!("{name}.jpg"))).unwrap();
        let frame = file.windows(2).position(|pair| matches!(pair, [0xFF, 0xC0..=0xC2])).unwrap();
        let rows = u16::from_be_bytes([file[frame + 5], file[frame + 6]]);
        // Two units more and two less.
        for (rows, what) in [(rows + 32, "data ends near line"), (rows - 32, "data is left after")] {
            let mut changed = file.clone();
            changed[frame + 5..frame + 7].copy_from_slice(&rows.to_be_bytes());
            let refused = ours(&changed, Size::new(1000, 1000)).unwrap_err();
            let fits = refused.to_string().contains(what) || refused.to_string().contains("restart marker is missing");
            assert!(fits && matches!(refused, PictureError::Corrupt(_)), "{name} with {rows} rows: {refused}");
        }
    }
}
