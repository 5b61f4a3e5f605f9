//! JPEG as TIFF 6.0 described it first (section 22), where there is no stream: strips or tiles of nothing but coded data, and
//! tags with the places of the tables.

use super::directory::Directory;
use super::fault::NAME;
use super::page::subsampling;
use crate::error::PictureError;
use crate::geometry::Size;

/// The length of a table of quantisation: a byte for each coefficient, in the order of JPEG.
const QUANTISATION: u64 = 64;

/// The lengths of codes before a table's symbols.
const LENGTHS: u64 = 16;

mod tag {
    pub const PROCESS: u16 = 512;
    pub const RESTART_INTERVAL: u16 = 515;
    pub const QUANTISATION: u16 = 519;
    pub const FIRST_COEFFICIENTS: u16 = 520;
    pub const OTHER_COEFFICIENTS: u16 = 521;
}

/// Returns the data of a strip or tile of `size` as a JPEG file. Each of its `samples` has a table of each kind.
///
/// # Errors
/// If the tags name fewer tables or another process, or a table does not lie in the file.
pub(super) fn file(
    directory: &Directory<'_>,
    size: Size,
    samples: usize,
    is_ycbcr: bool,
    data: &[u8],
) -> Result<Vec<u8>, PictureError> {
    if directory.number(tag::PROCESS)?.is_some_and(|process| process != 1) {
        return Err(PictureError::Unsupported(
            "is a TIFF with the lossless JPEG compression of 1992, of which no thumbnails can be made".to_owned(),
        ));
    }
    let (Ok(width), Ok(height)) = (u16::try_from(size.width), u16::try_from(size.height)) else {
        return Err(PictureError::damaged(NAME, "its JPEG data is larger than JPEG can be"));
    };
    let mut file = b"\xFF\xD8".to_vec();
    for (kind, class) in
        [(tag::QUANTISATION, None), (tag::FIRST_COEFFICIENTS, Some(0x00)), (tag::OTHER_COEFFICIENTS, Some(0x10))]
    {
        let places = directory.numbers(kind, samples as u64)?;
        if places.len() < samples {
            return Err(PictureError::damaged(
                NAME,
                &format!("its JPEG data has {} of {samples} tables", places.len()),
            ));
        }
        for (number, at) in (0u8..).zip(places) {
            let (marker, head, length) = match class {
                None => (0xDB, number, QUANTISATION),
                Some(class) => {
                    let symbols: u64 = directory.slice(at, LENGTHS)?.iter().map(|&codes| u64::from(codes)).sum();
                    (0xC4, class | number, LENGTHS + symbols)
                }
            };
            segment(marker, &[&[head], directory.slice(at, length)?].concat(), &mut file);
        }
    }
    let (across, down) = if is_ycbcr { subsampling(directory)? } else { (1, 1) };
    let factors = (across << 4 | down) as u8;
    let channels = || (0u8..).take(samples);
    let described = channels().flat_map(|number| [number, if number == 0 { factors } else { 0x11 }, number]);
    let frame: Vec<u8> = [8].into_iter().chain(height.to_be_bytes()).chain(width.to_be_bytes()).collect();
    segment(0xC0, &frame.into_iter().chain([samples as u8]).chain(described).collect::<Vec<_>>(), &mut file);
    if let Some(interval) = directory.number(tag::RESTART_INTERVAL)?.and_then(|units| u16::try_from(units).ok()) {
        segment(0xDD, &interval.to_be_bytes(), &mut file);
    }
    let tables = channels().flat_map(|number| [number, number << 4 | number]);
    segment(0xDA, &[samples as u8].into_iter().chain(tables).chain([0, 63, 0]).collect::<Vec<_>>(), &mut file);
    file.extend_from_slice(data);
    file.extend(b"\xFF\xD9");
    Ok(file)
}

fn segment(marker: u8, content: &[u8], file: &mut Vec<u8>) {
    file.extend([0xFF, marker]);
    // The largest is a table of 16 lengths and at most 16 times 255 symbols.
    file.extend((content.len() as u16 + 2).to_be_bytes());
    file.extend_from_slice(content);
}
