//! HEIC and AVIF: on small files that libheif and libavif wrote, on real ones, beside other decoders.

use std::panic::catch_unwind;
use std::path::Path;
use std::process::Command;

use stage_thumbnails::error::PictureError;
use stagehost_needs::pillow;

use crate::pictures::png;
use crate::stated_colours::add_chunk;
use crate::support::*;

/// The whole picture, without loss.
const WHOLE: &str = r#"{"boxes":["16383x16383"],"format":"webp","lossless":true}"#;

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/rendering/files/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn the_primary_picture_is_rendered_in_its_colours() {
    for name in ["quarters.heic", "quarters.avif"] {
        let seen = one(&file(name), WHOLE);
        assert_eq!((seen.width, seen.height), (120, 80), "{name}");
        for (got, want) in seen.quarters().iter().zip(CORNERS) {
            assert_near(got, &want, 6, name);
        }
    }
}

#[test]
fn a_picture_is_turned_once_as_its_properties_say() {
    for name in ["turned.heic", "turned.avif"] {
        let seen = one(&file(name), WHOLE);
        assert_eq!((seen.width, seen.height), (80, 120), "{name}");
        // A quarter turn clockwise: what was at the bottom left is at the top left.
        for (got, want) in seen.quarters().iter().zip([2, 0, 3, 1].map(|corner| CORNERS[corner])) {
            assert_near(got, &want, 6, name);
        }
    }
}

#[test]
fn opacity_is_kept_in_a_webp_and_white_in_a_jpeg() {
    for name in ["transparent.heic", "transparent.avif"] {
        let seen = one(&file(name), WHOLE);
        assert_eq!(seen.channels, 4, "{name}");
        let opacity = seen.quarters().map(|pixel| pixel[3]);
        for (got, want) in opacity.iter().zip([255u8, 0, 255, 255]) {
            assert!(got.abs_diff(want) < 4, "{name}: {opacity:?}");
        }
        let seen = one(&file(name), r#"{"boxes":["120x80"]}"#);
        assert_near(&seen.quarter(true, false), &[255, 255, 255], 6, name);
    }
}

#[test]
fn stated_primaries_become_srgb() {
    // Display P3's pure colours are outside of sRGB; (30, 160, 30) is (0, 162, 7) there.
    let seen = one(&file("p3.heic"), WHOLE);
    assert_near(&seen.quarter(true, false), &[0, 162, 7], 8, "green");
    assert_near(&seen.quarter(false, true), &[24, 28, 208], 8, "blue");
}

/// PQ and HLG, which no profile in an 8-bit file describes: the light that they mean is known of PNG, whose tests state it.
#[test]
fn code_points_of_high_dynamic_range_mean_what_they_mean_in_a_png() {
    for transfer in [16, 18] {
        let mut heic = file("p3.heic");
        let at = heic.windows(4).position(|name| name == b"nclx").unwrap() + 4;
        heic[at..at + 4].copy_from_slice(&[0, 12, 0, transfer]);
        let mut png = png(&quarters(120, 80), 120, 80, image::ExtendedColorType::Rgb8, None, None);
        add_chunk(&mut png, b"cICP", &[12, transfer, 0, 1]);
        let (seen, wanted) = (one(&heic, WHOLE), one(&png, WHOLE));
        for (got, want) in seen.quarters().iter().zip(wanted.quarters()) {
            assert_near(got, &want, 12, &format!("transfer {transfer}"));
        }
        // A sample of 160 is far brighter than white in PQ, and darker than it in HLG.
        assert_ne!(seen.quarters(), one(&file("p3.heic"), WHOLE).quarters());
    }
}

#[test]
fn every_truncation_is_the_whole_picture_or_corrupt() {
    for name in ["quarters.heic", "turned.avif", "transparent.heic"] {
        let whole = file(name);
        let seen = one(&whole, WHOLE).samples;
        for length in 1..whole.len() {
            match rendered(&whole[..length], WHOLE) {
                Ok(all) => assert_eq!(all[0].samples, seen, "{name} cut at {length}"),
                Err(PictureError::Corrupt(_) | PictureError::Unsupported(_)) => {}
                Err(other) => panic!("{name} cut at {length}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_damaged_heic_is_refused_or_rendered_and_never_a_panic() {
    // AVIF is left out: rav1d 1.1 ends the process when a frame's data is damaged, because it looks at the frame's header after
    // it has given it away (`on_error` in its `decode.rs`). In the sandbox that ends one call.
    for name in ["quarters.heic", "transparent.heic", "p3.heic"] {
        let whole = file(name);
        for at in 0..whole.len() {
            for bits in [0x01, 0x80, 0xff] {
                let mut damaged = whole.clone();
                damaged[at] ^= bits;
                let outcome = catch_unwind(|| rendered(&damaged, r#"{"boxes":["64x64"],"maxPixels":1000000}"#));
                match outcome {
                    Ok(Err(PictureError::Internal(why))) => panic!("{name}, byte {at} ^ {bits:#x}: {why}"),
                    Ok(_) => {}
                    Err(_) => panic!("{name}, byte {at} ^ {bits:#x}: a panic"),
                }
            }
        }
    }
}

#[test]
fn a_trailer_after_the_boxes_changes_nothing() {
    for name in ["quarters.heic", "quarters.avif"] {
        let whole = file(name);
        let seen = one(&whole, WHOLE).samples;
        for trailer in [&b"\0\0\0\0"[..], b"SEFT\x01\x02", &[0xff; 100]] {
            assert_eq!(one(&[&whole, trailer].concat(), WHOLE).samples, seen, "{name}");
        }
    }
}

#[test]
fn more_pixels_or_memory_than_allowed_are_refused_before_anything_is_decoded() {
    for (config, setting) in [(r#"{"maxPixels":9599}"#, "maxPixels"), (r#"{"maxMemory":100000}"#, "maxMemory")] {
        for name in ["quarters.heic", "quarters.avif"] {
            match rendered(&file(name), config) {
                Err(PictureError::TooLarge(why)) => assert!(why.contains(setting), "{name}: {why}"),
                other => panic!("{name}: {other:?}"),
            }
        }
    }
}

/// What Pillow shows of a file, in sRGB: `width height` and a file of red, green, blue.
const SHOW: &str = r#"
import io, sys, numpy, pillow_heif
from PIL import Image, ImageCms, ImageOps
pillow_heif.register_heif_opener()
picture = ImageOps.exif_transpose(Image.open(sys.argv[1]))
profile = picture.info.get('icc_profile')
if picture.mode.startswith('I;16'):
    picture = Image.fromarray(numpy.round(numpy.asarray(picture) / 257).astype('uint8'))
picture = picture.convert('RGB')
if profile:
    picture = ImageCms.profileToProfile(picture, io.BytesIO(profile), ImageCms.createProfile('sRGB'), outputMode='RGB')
open(sys.argv[2], 'wb').write(picture.tobytes())
print(*picture.size)
"#;

/// Panics if this picture differs from what Pillow shows by more than `most` levels on average.
fn looks_as_pillow_shows_it(python: &Path, file: &Path, most: f64) {
    let what = file.display();
    let shown = tempfile::NamedTempFile::new().unwrap();
    let output = Command::new(python).arg("-c").arg(SHOW).arg(file).arg(shown.path()).output().unwrap();
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
    let samples = std::fs::read(shown.path()).unwrap();
    let seen = one(&std::fs::read(file).unwrap(), WHOLE);
    let size = String::from_utf8(output.stdout).unwrap();
    assert_eq!(size.trim(), format!("{} {}", seen.width, seen.height), "{what}");
    // What is nearly transparent hardly counts: its colours depend on how one of four is spread, and nobody sees them.
    let (mut sum, mut weight) = (0, 0);
    for (ours, theirs) in seen.samples.chunks_exact(seen.channels).zip(samples.as_chunks::<3>().0) {
        let opacity = ours.get(3).map_or(255, |&opacity| u64::from(opacity));
        sum += opacity * ours.iter().zip(theirs).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
        weight += 3 * opacity;
    }
    let mean = sum as f64 / weight as f64;
    assert!(mean <= most, "{what}: {mean:.2} levels on average");
}

#[test]
fn real_heic_files_look_as_libheif_shows_them() {
    let (Some(files), Some(python)) = (media("heic"), pillow()) else { return };
    let mut compared = 0;
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        match name.as_str() {
            "LICENSE" => continue,
            "corrupted.heic" => {
                let refused = rendered(&std::fs::read(&file).unwrap(), WHOLE).unwrap_err();
                assert!(matches!(refused, PictureError::Corrupt(_)), "{refused}");
                continue;
            }
            // libheif shows a thumbnail of this one, because the header of its primary picture misses a property.
            "invalid_id.heic" => continue,
            _ => {}
        }
        // A few pixels of noise, whose colours depend on how one of four is spread.
        let most = if name.starts_with("RGB_10") { 4.0 } else { 1.0 };
        looks_as_pillow_shows_it(&python, &file, most);
        compared += 1;
    }
    assert!(compared >= 11, "only {compared} files");
}

#[test]
fn avif_files_of_every_kind_look_as_libavif_shows_them() {
    let Some(python) = pillow() else { return };
    let folder = std::env::temp_dir().join(format!("stage-thumbnails-{}-avif", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let make = r#"
import sys
from PIL import Image
folder, source = sys.argv[1:]
picture = Image.open(source).convert('RGB')
picture.thumbnail((333, 333))
for kind in ['4:2:0', '4:2:2', '4:4:4']:
    picture.save(f'{folder}/{kind.replace(":", "")}.avif', quality=80, subsampling=kind)
picture.save(f'{folder}/limited.avif', quality=80, range='limited')
picture.save(f'{folder}/tiles.avif', quality=80, tile_rows=1, tile_cols=1)
picture.convert('L').save(f'{folder}/gray.avif', quality=80)
picture.crop((0, 0, 101, 67)).save(f'{folder}/odd.avif', quality=80)
for orientation in range(2, 9):
    exif = Image.Exif()
    exif[0x112] = orientation
    picture.save(f'{folder}/turned-{orientation}.avif', quality=80, exif=exif)
"#;
    let source = format!("{}/../../samples/listing/front.jpg", env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(&python).arg("-c").arg(make).arg(&folder).arg(source).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // The same samples with another meaning: YCgCo, and the matrix that follows from the primaries. The box says it.
    let plain = std::fs::read(folder.join("444.avif")).unwrap();
    let stated = 4 + plain.windows(4).position(|name| name == b"nclx").unwrap();
    for (primaries, matrix) in [(1, 8), (1, 12), (2, 12)] {
        let mut changed = plain.clone();
        (changed[stated + 1], changed[stated + 5]) = (primaries, matrix);
        std::fs::write(folder.join(format!("matrix-{matrix}-of-{primaries}.avif")), changed).unwrap();
    }
    for entry in std::fs::read_dir(&folder).unwrap() {
        looks_as_pillow_shows_it(&python, &entry.unwrap().path(), 1.0);
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
