//! AV1, one picture. The decoder has the interface of a C library, so this module is where it is unsafe.

use std::ptr::NonNull;

use heifer_isobmff::ItemId;
use rav1d::include::dav1d::data::Dav1dData;
use rav1d::include::dav1d::dav1d::{Dav1dContext, Dav1dLogger, Dav1dSettings};
use rav1d::include::dav1d::headers::{
    DAV1D_CHR_COLOCATED, DAV1D_CHR_VERTICAL, DAV1D_PIXEL_LAYOUT_I400, DAV1D_PIXEL_LAYOUT_I420, DAV1D_PIXEL_LAYOUT_I422,
    DAV1D_PIXEL_LAYOUT_I444, Dav1dSequenceHeader,
};
use rav1d::include::dav1d::picture::Dav1dPicture;
use rav1d::src::lib::{
    dav1d_close, dav1d_data_create, dav1d_data_unref, dav1d_default_settings, dav1d_get_picture, dav1d_open,
    dav1d_picture_unref, dav1d_send_data,
};

use super::container::Container;
use super::frame::{Chroma, Colours, Frame, Siting};
use crate::error::PictureError;
use crate::geometry::Size;

/// Decodes an item whose coded size is at most `most` pixels.
pub(super) fn decode(container: &Container<'_>, item: ItemId, most: u64) -> Result<Frame, PictureError> {
    let data = container.data(item)?;
    if data.is_empty() {
        return Err(container.damaged("a picture in it has no data"));
    }
    let damaged = || container.damaged("its data breaks the rules of AV1");
    let decoder = Decoder::new(most).ok_or_else(|| PictureError::defect("the AV1 decoder does not start"))?;
    let picture = decoder.decode(&data).ok_or_else(damaged)?;
    picture.frame().ok_or_else(damaged)
}

/// A decoder, which is closed when it is dropped.
struct Decoder(Option<Dav1dContext>);

impl Decoder {
    fn new(most: u64) -> Option<Self> {
        let mut settings = std::mem::MaybeUninit::<Dav1dSettings>::uninit();
        // SAFETY: The function writes all of what the pointer refers to.
        let mut settings = unsafe {
            dav1d_default_settings(NonNull::from(&mut settings).cast());
            settings.assume_init()
        };
        settings.n_threads = 1;
        settings.max_frame_delay = 1;
        // Of a picture in layers, the best one.
        settings.all_layers = 0;
        // Not zero, which would be no limit.
        settings.frame_size_limit = u32::try_from(most).unwrap_or(u32::MAX).max(1);
        // SAFETY: There is no callback to call.
        settings.logger = unsafe { Dav1dLogger::new(None, None) };
        let mut context = None;
        // SAFETY: Both pointers refer to values of this function; the settings are complete.
        let opened = unsafe { dav1d_open(Some(NonNull::from(&mut context)), Some(NonNull::from(&mut settings))) };
        (opened.0 == 0 && context.is_some()).then_some(Self(context))
    }

    /// Returns the first picture in `data`, which is not empty.
    fn decode(&self, data: &[u8]) -> Option<Picture> {
        let mut input = Dav1dData::default();
        // SAFETY: `input` is a value of this function. The function returns a buffer of the length asked for, or null.
        let buffer = unsafe { dav1d_data_create(Some(NonNull::from(&mut input)), data.len()) };
        if buffer.is_null() {
            return None;
        }
        // SAFETY: The buffer has this length and nobody else uses it.
        unsafe { buffer.copy_from_nonoverlapping(data.as_ptr(), data.len()) };
        let mut picture = None;
        loop {
            let before = input.sz;
            // SAFETY: The decoder is open, and `input` is valid and not empty.
            unsafe { dav1d_send_data(self.0, Some(NonNull::from(&mut input))) };
            let mut out = Dav1dPicture::default();
            // SAFETY: The decoder is open, and `out` is a value of this function.
            let got = unsafe { dav1d_get_picture(self.0, Some(NonNull::from(&mut out))) };
            if got.0 == 0 {
                picture = Some(Picture(out));
                break;
            }
            // Without a picture: stops if all data was read, or if the decoder takes no more.
            if input.sz == 0 || input.sz == before {
                break;
            }
        }
        // SAFETY: `input` is valid, whether or not something is left of it.
        unsafe { dav1d_data_unref(Some(NonNull::from(&mut input))) };
        picture
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: The decoder was opened by `new` and is not used again.
        unsafe { dav1d_close(Some(NonNull::from(&mut self.0))) };
    }
}

/// A decoded picture, which is given back when it is dropped.
struct Picture(Dav1dPicture);

impl Picture {
    /// Returns a copy of the picture. `None` if it has a form that AV1 does not have.
    fn frame(&self) -> Option<Frame> {
        let picture = &self.0;
        // SAFETY: A picture that was returned has a header, which lives as long as it.
        let header: &Dav1dSequenceHeader = unsafe { picture.seq_hdr?.as_ref() };
        let size = Size::new(u32::try_from(picture.p.w).ok()?, u32::try_from(picture.p.h).ok()?);
        // If the stream does not say where colours are, they are between the samples, as in other readers.
        let (across, down) = match header.chr {
            DAV1D_CHR_VERTICAL => (Siting::Beside, Siting::Between),
            DAV1D_CHR_COLOCATED => (Siting::Beside, Siting::Beside),
            _ => (Siting::Between, Siting::Between),
        };
        let (halved_columns, halved_rows) = match picture.p.layout {
            DAV1D_PIXEL_LAYOUT_I400 => (None, None),
            DAV1D_PIXEL_LAYOUT_I420 => (Some(across), Some(down)),
            DAV1D_PIXEL_LAYOUT_I422 => (Some(across), None),
            DAV1D_PIXEL_LAYOUT_I444 => (None, None),
            _ => return None,
        };
        let halved = |side: u32, halved: Option<Siting>| if halved.is_some() { side.div_ceil(2) } else { side };
        let chroma = (picture.p.layout != DAV1D_PIXEL_LAYOUT_I400).then(|| Chroma {
            size: Size::new(halved(size.width, halved_columns), halved(size.height, halved_rows)),
            halved_columns,
            halved_rows,
        });
        let mut planes = [self.plane(0, size)?, Vec::new(), Vec::new()];
        if let Some(chroma) = chroma {
            planes[1] = self.plane(1, chroma.size)?;
            planes[2] = self.plane(2, chroma.size)?;
        }
        let depth = u8::try_from(picture.p.bpc).ok()?;
        let colours = Colours {
            primaries: u16::try_from(header.pri).ok()?,
            transfer: u16::try_from(header.trc).ok()?,
            matrix: u16::try_from(header.mtrx).ok()?,
            full_range: header.color_range != 0,
        };
        Some(Frame { size, chroma, planes, depth: [depth; 2], colours })
    }

    /// Returns a plane of this size.
    fn plane(&self, number: usize, size: Size) -> Option<Vec<u16>> {
        let picture = &self.0;
        let (width, height) = (size.width as usize, size.height as usize);
        let start = picture.data[number]?;
        let stride = picture.stride[number.min(1)];
        let mut samples = Vec::with_capacity(width * height);
        for y in 0..height {
            let offset = isize::try_from(y).ok()?.checked_mul(stride)?;
            // SAFETY: A plane has rows of at least the picture's width, `stride` bytes apart, of one byte per sample for 8
            // bits and of two, aligned, for more (dav1d's picture.h).
            unsafe {
                let row = start.cast::<u8>().as_ptr().offset(offset);
                if picture.p.bpc == 8 {
                    samples.extend(std::slice::from_raw_parts(row, width).iter().map(|&sample| u16::from(sample)));
                } else {
                    samples.extend_from_slice(std::slice::from_raw_parts(row.cast::<u16>(), width));
                }
            }
        }
        Some(samples)
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        // SAFETY: The picture is the library's and is not used again.
        unsafe { dav1d_picture_unref(Some(NonNull::from(&mut self.0))) };
    }
}
