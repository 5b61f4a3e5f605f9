//! Pictures for the tests: small and different in every corner.

use std::path::PathBuf;

use jpeg_encoder::{ColorType, Encoder};
use stage_thumbnails::config::Config;
use stage_thumbnails::error::PictureError;
use stage_thumbnails::render::render;

/// The colours of the four corners: top left, top right, bottom left, bottom right.
pub const CORNERS: [[u8; 3]; 4] = [[200, 30, 30], [30, 160, 30], [30, 30, 200], [220, 220, 40]];

/// An RGB picture whose quarters have the colours of [`CORNERS`].
pub fn quarters(width: usize, height: usize) -> Vec<u8> {
    paint(width, height, |right, bottom| CORNERS[usize::from(right) + 2 * usize::from(bottom)].to_vec())
}

pub fn paint(width: usize, height: usize, colour: impl Fn(bool, bool) -> Vec<u8>) -> Vec<u8> {
    let mut samples = Vec::new();
    for y in 0..height {
        for x in 0..width {
            samples.extend(colour(x >= width / 2, y >= height / 2));
        }
    }
    samples
}

/// An EXIF block with an orientation and, as phones write it, a position.
pub fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08\0\x02".to_vec();
    block.extend([0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0]);
    // The pointer to the GPS directory, which holds the northern hemisphere and nothing else.
    block.extend([0x88, 0x25, 0, 4, 0, 0, 0, 1, 0, 0, 0, 38]);
    block.extend([0, 0, 0, 0]);
    block.extend([0, 1, 0, 1, 0, 2, 0, 0, 0, 2, b'N', 0, 0, 0]);
    block.extend([0, 0, 0, 0]);
    block
}

pub struct Jpeg {
    pub progressive: bool,
    pub sampling: jpeg_encoder::SamplingFactor,
    pub restart: u16,
    pub exif: Option<Vec<u8>>,
    pub icc: Option<Vec<u8>>,
}

impl Default for Jpeg {
    fn default() -> Self {
        Self { progressive: false, sampling: jpeg_encoder::SamplingFactor::F_2_2, restart: 0, exif: None, icc: None }
    }
}

impl Jpeg {
    pub fn encode(&self, samples: &[u8], width: usize, height: usize, colour: ColorType) -> Vec<u8> {
        let mut out = Vec::new();
        let mut encoder = Encoder::new(&mut out, 95);
        encoder.set_progressive(self.progressive);
        encoder.set_sampling_factor(self.sampling);
        if self.restart > 0 {
            encoder.set_restart_interval(self.restart);
        }
        if let Some(exif) = &self.exif {
            encoder.add_exif_metadata(exif).unwrap();
        }
        if let Some(icc) = &self.icc {
            encoder.add_icc_profile(icc).unwrap();
        }
        encoder.encode(samples, width as u16, height as u16, colour).unwrap();
        out
    }
}

/// A rendition, decoded again.
#[derive(Debug)]
pub struct Seen {
    pub name: String,
    pub width: u32,
    pub height: u32,
    pub channels: usize,
    pub samples: Vec<u8>,
    pub file: Vec<u8>,
}

impl Seen {
    /// The colour at the middle of a quarter.
    pub fn quarter(&self, right: bool, bottom: bool) -> Vec<u8> {
        let at = |side: u32, far: bool| side as usize * if far { 3 } else { 1 } / 4;
        let index = (at(self.height, bottom) * self.width as usize + at(self.width, right)) * self.channels;
        self.samples[index..index + self.channels].to_vec()
    }

    /// The four quarters, in the order of [`CORNERS`].
    pub fn quarters(&self) -> [Vec<u8>; 4] {
        [(false, false), (true, false), (false, true), (true, true)].map(|(right, bottom)| self.quarter(right, bottom))
    }
}

/// Renders a photo and decodes its renditions.
pub fn rendered(source: &[u8], config: &str) -> Result<Vec<Seen>, PictureError> {
    let config = Config::parse(config).unwrap();
    let mut seen = Vec::new();
    render::<PictureError>(source.to_vec(), &config, &config.renditions, |rendition| {
        let file = rendition.bytes.to_vec();
        let (width, height, channels, samples) = if file.starts_with(b"RIFF") {
            let mut decoder = image_webp::WebPDecoder::new(std::io::Cursor::new(&file)).unwrap();
            let mut samples = vec![0; decoder.output_buffer_size().unwrap()];
            decoder.read_image(&mut samples).unwrap();
            let (width, height) = decoder.dimensions();
            (width, height, if decoder.has_alpha() { 4 } else { 3 }, samples)
        } else {
            let mut decoder = jpeg_decoder::Decoder::new(file.as_slice());
            let samples = decoder.decode().unwrap();
            let info = decoder.info().unwrap();
            assert_eq!(info.coding_process, jpeg_decoder::CodingProcess::DctProgressive);
            (info.width.into(), info.height.into(), info.pixel_format.pixel_bytes(), samples)
        };
        assert_eq!((width, height), (rendition.size.width, rendition.size.height));
        seen.push(Seen { name: rendition.bounds.to_string(), width, height, channels, samples, file });
        Ok(())
    })?;
    Ok(seen)
}

/// The only rendition.
pub fn one(source: &[u8], config: &str) -> Seen {
    let mut all = rendered(source, config).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

pub fn near(got: &[u8], want: &[u8], tolerance: u8) -> bool {
    got.len() == want.len() && got.iter().zip(want).all(|(a, b)| a.abs_diff(*b) <= tolerance)
}

/// Panics if the samples differ by more than `tolerance` anywhere.
pub fn assert_near(got: &[u8], want: &[u8], tolerance: u8, what: &str) {
    assert!(near(got, want, tolerance), "{what}: got {got:?}, want {want:?} within {tolerance}");
}

/// Returns the files in a folder of the media collection. `None` if the test is skipped without it.
#[track_caller]
pub fn media(folder: &str) -> Option<Vec<PathBuf>> {
    let dir = stagehost_needs::media(folder)?;
    let entries = std::fs::read_dir(&dir).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", dir.display());
    Some(files)
}
