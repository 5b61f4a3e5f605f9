//! The decoders of the thumbnails stage: JPEG, PNG, GIF, WebP, TIFF and HEIC.

use stage_probe::{Format, probe};
use stage_thumbnails::config::{Config, OutputFormat};
use stage_thumbnails::decode::{Decoded, Limits, WantedScale, decode};
use stage_thumbnails::error::PictureError;
use stage_thumbnails::format::recognise;
use stage_thumbnails::geometry::{Bounds, Orientation, Size};
use stage_thumbnails::render::{Unmade, render};

use crate::memory::peak_of;

const LIMITS: Limits = Limits { pixels: 1 << 20, memory: 32 << 20, held: 0 };

/// What a decoder may hold beyond its limit, in bytes: tables, and a copy of the file's metadata. Before it begins it asks for
/// 8 MiB more than it needs.
const OVERHEAD: usize = 10 << 20;

/// What a WebP may take. The headers of a lossless one do not say how many Huffman tables follow, so the stage cannot refuse
/// it before the library decodes it; on a host the pin's memory ends such a call.
const WEBP_MEMORY: usize = 256 << 20;

/// Any file is decoded or refused for what is wrong with it, within the limits of memory, and as large and turned as the
/// probe says. Renditions have the sizes that follow from that.
pub fn check(bytes: &[u8]) {
    let Ok(format) = recognise(bytes) else { return };
    // rav1d 1.1 ends the process on some damaged frames. In the sandbox that is the trap of one call.
    if format.name() == "AVIF" {
        return;
    }
    let decoded = |wanted: &dyn Fn(Size) -> Size| {
        let wanted = |size| WantedScale { size: wanted(size), halved_chroma: false };
        let (decoded, peak) = peak_of(|| decode(format, bytes.to_vec(), LIMITS, &wanted));
        let most = match format.name() {
            "WebP" => WEBP_MEMORY,
            _ => LIMITS.memory as usize + OVERHEAD + 4 * bytes.len(),
        };
        assert!(peak <= most, "{peak} bytes of memory for a {} of {} bytes", format.name(), bytes.len());
        is_no_defect(decoded)
    };
    let whole = decoded(&|size| size);
    let small = decoded(&|_| Size::new(1, 1));
    if let Some(whole) = &whole {
        let (raster, full) = (whole.pixels.size(), whole.full);
        assert_eq!(raster, full, "not decoded at its full size");
        assert!((1..=LIMITS.pixels).contains(&full.pixels()), "{full} pixels");
        agrees_with_the_probe(whole, bytes);
    }
    if let (Some(whole), Some(small)) = (&whole, &small) {
        assert_eq!((whole.full, whole.orientation), (small.full, small.orientation));
        assert!(whole.pixels.size().covers(small.pixels.size()), "larger when less is wanted");
    }
    renders(bytes, whole.as_ref().or(small.as_ref()));
}

fn is_no_defect(decoded: Result<Decoded, PictureError>) -> Option<Decoded> {
    if let Err(error) = &decoded {
        assert!(!matches!(error, PictureError::Internal(_)), "no fault of the file: {error}");
        assert!(error.to_string().len() < 1_000, "a message of {} bytes", error.to_string().len());
    }
    decoded.ok()
}

/// What an upload is accepted by must be what is rendered of it.
fn agrees_with_the_probe(decoded: &Decoded, bytes: &[u8]) {
    let Ok(found) = probe(&mut &*bytes) else { return };
    let upright = decoded.orientation.apply(decoded.full);
    let probed = found.pixels.map_or(Size::new(0, 0), |pixels| Size::new(pixels.width, pixels.height));
    match found.format {
        // A picture that reaches beyond the screen counts for the probe and is cut by the decoder.
        Format::Gif => assert!(probed.covers(upright), "{upright} decoded, {probed} probed"),
        _ => assert_eq!(upright, probed, "another size than that of the probe"),
    }
    assert_eq!(decoded.orientation, Orientation::from_exif(found.orientation.into()));
}

fn renders(bytes: &[u8], decoded: Option<&Decoded>) {
    let renditions = [Bounds::Box(Size::new(24, 24)), Bounds::Box(Size::new(9, 7)), Bounds::Width(5)];
    let config = Config {
        renditions: renditions.to_vec(),
        format: OutputFormat::Jpeg,
        quality: 50,
        lossless: false,
        subsampling: None,
        max_pixels: LIMITS.pixels,
        max_memory: Some(LIMITS.memory),
        max_bytes: u64::MAX,
    };
    let mut made = Vec::new();
    let result: Result<Vec<Unmade>, PictureError> = render(bytes.to_vec(), &config, &renditions, |rendered| {
        made.push((rendered.bounds, rendered.size));
        assert!(rendered.bytes.starts_with(b"\xff\xd8\xff"), "no JPEG was made");
        Ok(())
    });
    if let Err(error) = &result {
        assert!(!matches!(error, PictureError::Internal(_)), "no fault of the file: {error}");
    }
    if let (Ok(_), Some(decoded)) = (result, decoded) {
        let upright = decoded.orientation.apply(decoded.full);
        assert_eq!(made.len(), renditions.len());
        for (bounds, size) in made {
            assert_eq!(size, bounds.fit(upright), "of {upright} within {bounds}");
        }
    }
}
