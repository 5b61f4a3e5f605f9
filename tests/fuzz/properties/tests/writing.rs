//! What writing a rendition takes, beside what the stage computes from its size before it decodes anything.
#![allow(clippy::unwrap_used, missing_docs)]

use stage_thumbnails::config::{Config, OutputFormat};
use stage_thumbnails::encode;
use stage_thumbnails::geometry::Size;
use stage_thumbnails::planes::Planes;
use stage_thumbnails::raster::{Layout, Raster};
use stage_thumbnails::webp;
use stagehost_properties::memory::peak_of;

/// Large enough for lists to be in several pieces, and with sides that fill no block.
const SIZE: Size = Size { width: 1501, height: 1101 };

/// Returns a gray picture with noise of up to `strength` levels; the same one in every run.
fn noise(layout: Layout, strength: u64) -> Raster {
    let mut state = 88_172_645_463_325_252u64;
    let samples = (0..SIZE.pixels() as usize * layout.channels()).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (128 - strength / 2 + state % (strength + 1)) as u8
    });
    Raster::new(SIZE, layout, samples.collect()).unwrap()
}

/// Compares what was held with what was computed. Of what is the worst for a format, a computed number is not much more.
fn compare(what: &str, held: u64, computed: u64, is_worst: bool) {
    assert!(held <= computed, "{what}: {held} bytes are held and {computed} computed");
    if is_worst {
        assert!(2 * computed <= 3 * held, "{what}: {held} bytes are held and {computed} computed");
    }
}

#[test]
fn a_jpeg_takes_at_most_what_is_computed() {
    let config = Config::default();
    for (strength, quality) in [(255, 100), (255, 85), (60, 95), (20, 100), (8, 100), (4, 100), (40, 85), (0, 85)] {
        let raster = noise(Layout::Rgb, strength);
        for halved in [true, false] {
            let planes = Planes::of(&raster, halved).unwrap();
            let own: usize = std::iter::once(&planes.luma)
                .chain(planes.chroma.iter().flatten())
                .map(|plane| plane.samples.len())
                .sum();
            let (file, peak) = peak_of(|| encode::jpeg::encode(&planes, quality));
            let what =
                format!("noise of {strength} at quality {quality}, halved {halved}, {} bytes", file.unwrap().len());
            let computed = encode::memory(SIZE, &config, halved, false);
            compare(&what, (own + peak) as u64, computed, strength == 255 && quality == 100);
        }
    }
}

#[test]
fn a_webp_takes_at_most_what_is_computed() {
    for lossless in [false, true] {
        let config = Config { format: OutputFormat::Webp, lossless, ..Config::default() };
        for (strength, quality) in [(255, 100), (255, 85), (20, 100), (0, 85)] {
            for layout in [Layout::Rgb, Layout::Rgba] {
                let raster = noise(layout, strength);
                let (file, peak) =
                    peak_of(|| if lossless { webp::lossless(&raster) } else { webp::lossy(&raster, quality) });
                let bytes = file.unwrap().len();
                let what =
                    format!("noise of {strength} at quality {quality}, lossless {lossless}, {layout:?}, {bytes} bytes");
                let computed = encode::memory(SIZE, &config, false, layout == Layout::Rgba);
                let held = raster.samples().len() + peak;
                compare(&what, held as u64, computed, strength == 255 && quality == 100);
            }
        }
    }
}

/// The largest photos of phones at their full size, within the 512 MiB of the stage's pin.
#[test]
fn a_photo_of_48_megapixels_can_be_written_at_its_full_size() {
    let size = Size::new(8064, 6048);
    for format in [OutputFormat::Jpeg, OutputFormat::Webp] {
        let config = Config { format, ..Config::default() };
        let computed = encode::memory(size, &config, true, false);
        assert!(computed <= 484 << 20, "{format:?}: {} MiB", computed >> 20);
    }
}
