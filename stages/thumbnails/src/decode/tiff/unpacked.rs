//! The data of a strip or tile, unpacked as it is read, so that no more than a row of it is in memory.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read};

use flate2::{Decompress, FlushDecompress, Status};
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::FrameDecoderError;
use weezl::{BitOrder, LzwStatus};

use super::fault::Fault;
use super::fax::FaxRows;
use super::page::Packing;

/// How far back Zstandard and LZMA may refer, in bytes: what level 19 of the former and level 7 of the latter use.
const ZSTANDARD_WINDOW: u64 = 8 << 20;
const LZMA_DICTIONARY: u64 = 16 << 20;

/// What LZMA takes beside its dictionary, in bytes.
const LZMA_REST: u64 = 1 << 17;

/// Returns the most bytes that unpacking a chunk keeps of the data, beside small tables.
pub(super) fn kept(packing: Packing) -> u64 {
    match packing {
        // The library grows its buffer to twice the window, and holds both while it does.
        Packing::Zstandard => 3 * ZSTANDARD_WINDOW,
        Packing::Lzma => LZMA_DICTIONARY + LZMA_REST,
        _ => 0,
    }
}

/// Unpacked data.
pub(super) enum Unpacked<'a> {
    Stored(Packed<'a>),
    PackBits {
        source: Packed<'a>,
        literals: usize,
        repeated: (usize, u8),
    },
    Lzw {
        source: Packed<'a>,
        decoder: Box<weezl::decode::Decoder>,
    },
    Deflate {
        source: Packed<'a>,
        decoder: Box<Decompress>,
    },
    Fax(FaxRows<'a>),
    Thunder {
        source: Packed<'a>,
        width: usize,
    },
    Stream(Box<dyn Read + 'a>),
    /// Data that ends or breaks in its header.
    Unusable(Fault),
}

/// Packed data, and how much of it is read.
pub(super) struct Packed<'a> {
    bytes: Cow<'a, [u8]>,
    at: usize,
}

impl Packed<'_> {
    fn rest(&self) -> &[u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = self.rest().first().copied().ok_or(Fault::Ends)?;
        self.at += 1;
        Ok(byte)
    }

    fn copy(&mut self, out: &mut [u8]) -> Result<(), Fault> {
        out.copy_from_slice(self.rest().get(..out.len()).ok_or(Fault::Ends)?);
        self.at += out.len();
        Ok(())
    }
}

impl Read for Packed<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.rest().read(out)?;
        self.at += read;
        Ok(read)
    }
}

/// Returns bytes with the bits of each in reverse order.
pub(super) fn reversed(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte.reverse_bits()).collect()
}

impl<'a> Unpacked<'a> {
    /// Returns data that is unpacked already.
    pub(super) fn whole(bytes: Vec<u8>) -> Self {
        Self::Stored(Packed { bytes: Cow::Owned(bytes), at: 0 })
    }

    /// Returns the data of a chunk of rows of `width` pixels. Those that are pictures of their own are
    /// decoded elsewhere.
    pub(super) fn new(bytes: &'a [u8], packing: Packing, width: u32) -> Self {
        let source = Packed { bytes: Cow::Borrowed(bytes), at: 0 };
        match packing {
            Packing::None | Packing::Jpeg | Packing::OldJpeg | Packing::WebP => Self::Stored(source),
            Packing::PackBits => Self::PackBits { source, literals: 0, repeated: (0, 0) },
            Packing::Lzw => {
                // Programs of before 1992 wrote the bits the other way round; their first code shows it.
                let old = matches!(bytes, [0, second, ..] if second & 1 == 1);
                let configuration = if old {
                    weezl::decode::Configuration::new(BitOrder::Lsb, 8)
                } else {
                    weezl::decode::Configuration::with_tiff_size_switch(BitOrder::Msb, 8)
                };
                Self::Lzw { source, decoder: Box::new(configuration.with_yield_on_full_buffer(true).build()) }
            }
            Packing::Deflate => Self::Deflate { source, decoder: Box::new(Decompress::new(true)) },
            Packing::Zstandard if bytes.is_empty() => Self::Unusable(Fault::Ends),
            Packing::Zstandard => match StreamingDecoder::new_with_max_window_size(source, ZSTANDARD_WINDOW) {
                Ok(decoder) => Self::Stream(Box::new(decoder)),
                Err(FrameDecoderError::WindowSizeTooBig { .. }) => Self::Unusable(Fault::Memory),
                Err(_) => Self::Unusable(Fault::Broken),
            },
            Packing::Lzma => {
                let most = (LZMA_DICTIONARY + LZMA_REST) >> 10;
                Self::Stream(Box::new(XzReader::new_mem_limit(source, false, most as u32)))
            }
            Packing::Fax(kind) => Self::Fax(FaxRows::new(bytes, kind, width)),
            Packing::Thunder => Self::Thunder { source, width: width as usize },
        }
    }

    /// Fills `out`, which is a row for data of fax machines and of ThunderScan.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<(), Fault> {
        match self {
            Self::Stored(source) => source.copy(out),
            Self::PackBits { source, literals, repeated } => pack_bits(source, literals, repeated, out),
            Self::Lzw { source, decoder } => lzw(source, decoder, out),
            Self::Deflate { source, decoder } => deflate(source, decoder, out),
            Self::Fax(rows) => rows.read(out),
            Self::Thunder { source, width } => thunder(source, *width, out),
            Self::Stream(reader) => reader.read_exact(out).map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => Fault::Ends,
                ErrorKind::OutOfMemory => Fault::Memory,
                _ => Fault::Broken,
            }),
            Self::Unusable(fault) => Err(*fault),
        }
    }
}

fn pack_bits(
    source: &mut Packed<'_>,
    literals: &mut usize,
    (count, value): &mut (usize, u8),
    mut out: &mut [u8],
) -> Result<(), Fault> {
    while !out.is_empty() {
        if *literals > 0 {
            let (now, later) = out.split_at_mut((*literals).min(out.len()));
            source.copy(now)?;
            *literals -= now.len();
            out = later;
        } else if *count > 0 {
            let (now, later) = out.split_at_mut((*count).min(out.len()));
            now.fill(*value);
            *count -= now.len();
            out = later;
        } else {
            match source.byte()? {
                head @ 0..=127 => *literals = usize::from(head) + 1,
                128 => {}
                head => (*count, *value) = (257 - usize::from(head), source.byte()?),
            }
        }
    }
    Ok(())
}

/// Reads a row of `width` samples of 4 bits, two in a byte. The two highest bits of a byte of the data say what the others are.
fn thunder(source: &mut Packed<'_>, width: usize, out: &mut [u8]) -> Result<(), Fault> {
    out.fill(0);
    let (mut at, mut last) = (0, 0);
    let mut put = |value: u8| -> Result<(usize, u8), Fault> {
        last = value & 15;
        let byte = if at < width { out.get_mut(at / 2) } else { None };
        *byte.ok_or(Fault::Broken)? |= if at % 2 == 0 { last << 4 } else { last };
        at += 1;
        Ok((at, last))
    };
    let mut now = (0, 0);
    while now.0 < width {
        let code = source.byte()?;
        match code >> 6 {
            // The last sample again, as often as the other bits say.
            0 => {
                for _ in 0..code & 63 {
                    now = put(now.1)?;
                }
            }
            // Three differences of two bits, or two of three bits; of these numbers the lowest means nothing.
            1 => {
                for shift in [4, 2, 0] {
                    match code >> shift & 3 {
                        2 => {}
                        3 => now = put(now.1.wrapping_sub(1))?,
                        more => now = put(now.1 + more)?,
                    }
                }
            }
            2 => {
                for shift in [3, 0] {
                    match code >> shift & 7 {
                        4 => {}
                        less @ 5.. => now = put(now.1.wrapping_sub(8 - less))?,
                        more => now = put(now.1 + more)?,
                    }
                }
            }
            _ => now = put(code)?,
        }
    }
    Ok(())
}

fn lzw(source: &mut Packed<'_>, decoder: &mut weezl::decode::Decoder, mut out: &mut [u8]) -> Result<(), Fault> {
    /// How many calls in a row may neither take nor give bytes. The decoder returns after every code that clears its table,
    /// also for codes that it has read before, of which it holds fewer than this.
    const CLEARED: usize = 16;
    let mut cleared = 0;
    while !out.is_empty() {
        let result = decoder.decode_bytes(source.rest(), out);
        source.at += result.consumed_in;
        cleared = if result.consumed_in + result.consumed_out > 0 { 0 } else { cleared + 1 };
        out = out.get_mut(result.consumed_out..).unwrap_or_default();
        match result.status {
            Ok(_) if out.is_empty() => {}
            Ok(LzwStatus::Ok) if cleared < CLEARED => {}
            Ok(_) => return Err(Fault::Ends),
            Err(_) => return Err(Fault::Broken),
        }
    }
    Ok(())
}

fn deflate(source: &mut Packed<'_>, decoder: &mut Decompress, mut out: &mut [u8]) -> Result<(), Fault> {
    while !out.is_empty() {
        let (consumed, made) = (decoder.total_in(), decoder.total_out());
        let status = decoder.decompress(source.rest(), out, FlushDecompress::None);
        let consumed = (decoder.total_in() - consumed) as usize;
        let made = (decoder.total_out() - made) as usize;
        source.at += consumed;
        out = out.get_mut(made..).unwrap_or_default();
        match status {
            _ if out.is_empty() => {}
            Ok(Status::Ok) if consumed + made > 0 => {}
            Ok(_) => return Err(Fault::Ends),
            Err(_) => return Err(Fault::Broken),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::super::page::Fax;
    use super::*;

    /// Reads `count` bytes in pieces of three.
    fn unpacked(bytes: &[u8], packing: Packing, count: usize) -> Result<Vec<u8>, Fault> {
        let mut unpacked = Unpacked::new(bytes, packing, 8);
        let mut out = vec![0; count];
        out.chunks_mut(3).try_for_each(|piece| unpacked.read(piece))?;
        Ok(out)
    }

    #[test]
    fn pack_bits_is_unpacked_across_pieces() {
        // The example of TIFF 6.0, section 9.
        let packed = *b"\xFE\xAA\x02\x80\x00\x2A\xFD\xAA\x03\x80\x00\x2A\x22\xF7\xAA";
        let want = *b"\xAA\xAA\xAA\x80\x00\x2A\xAA\xAA\xAA\xAA\x80\x00\x2A\x22\xAA\xAA\xAA\xAA\xAA\xAA\xAA\xAA\xAA\xAA";
        assert_eq!(unpacked(&packed, Packing::PackBits, 24).unwrap(), want);
        assert_eq!(unpacked(&packed, Packing::PackBits, 25), Err(Fault::Ends));
    }

    /// 96 bytes, packed by libzstd at level 9 and by liblzma with differences, as libtiff does it.
    #[test]
    fn zstandard_and_lzma_are_unpacked_and_damage_never_panics() {
        let zstandard: &[u8] =
            b"\x28\xB5\x2F\xFD\x20\x60\x45\x01\x00\xF0\x00\x01\x02\x03\x04\x08\x09\x0A\x0B\x07\x10\x11\x12\x0E\
          \x0F\x18\x19\x15\x16\x17\x20\x1C\x1D\x1E\x1F\x23\x24\x25\x26\x27\x06\x64\x05\xB0\xD3\x01\x08\x82\
          \x0C";
        let lzma: &[u8] =
            b"\xFD\x37\x7A\x58\x5A\x00\x00\x00\xFF\x12\xD9\x41\x02\x01\x03\x01\x00\x21\x01\x16\x79\x20\xC4\xEE\
          \xE0\x00\x5F\x00\x19\x5D\x00\x00\x00\x90\xC7\x6E\x44\x10\xD2\x5C\x24\x41\xA2\xEF\xDD\x5C\x9A\x1F\
          \x9D\x01\x8D\x5E\x61\x66\xD8\x68\x00\x00\x00\x00\x00\x01\x2D\x60\x9C\x8E\x1E\x4D\x06\x72\x9E\x7A\
          \x01\x00\x00\x00\x00\x00\x59\x5A";
        let want: Vec<u8> = (0..96u8).map(|at| at / 16 * 7 + at % 5).collect();
        for (packed, packing) in [(zstandard, Packing::Zstandard), (lzma, Packing::Lzma)] {
            assert_eq!(unpacked(packed, packing, 96), Ok(want.clone()), "{packing:?}");
            assert!(unpacked(packed, packing, 97).is_err(), "{packing:?}");
            for at in 0..packed.len() {
                let _ = unpacked(&packed[..at], packing, 96);
                for bit in 0..8 {
                    let mut changed = packed.to_vec();
                    changed[at] ^= 1 << bit;
                    let _ = unpacked(&changed, packing, 96);
                }
            }
        }
    }

    #[test]
    fn every_packing_ends_or_breaks_and_never_loops() {
        for packing in [
            Packing::None,
            Packing::PackBits,
            Packing::Lzw,
            Packing::Deflate,
            Packing::Zstandard,
            Packing::Lzma,
            Packing::Fax(Fax::Group4),
            Packing::Fax(Fax::Group3 { two_dimensional: true }),
            Packing::Fax(Fax::Runs { align: 8 }),
            Packing::Thunder,
        ] {
            for bytes in [&[][..], &[0; 4], &[255; 4], &[0x80, 0, 1, 2, 3]] {
                let _ = unpacked(bytes, packing, 3000);
            }
            assert_eq!(unpacked(&[], packing, 1), Err(Fault::Ends), "{packing:?}");
        }
    }

    #[test]
    fn thunderscan_is_unpacked_row_by_row() {
        // 5; twice the same; 1 more, nothing, 1 less; 3 more, 3 less; 15. Then a row of one run that is too long.
        let packed = [0xC5, 2, 0b0101_1011, 0b1001_1101, 0xCF, 9];
        let mut unpacked = Unpacked::new(&packed, Packing::Thunder, 8);
        let mut row = [0; 4];
        unpacked.read(&mut row).unwrap();
        assert_eq!(row, [0x55, 0x56, 0x58, 0x5F]);
        assert_eq!(unpacked.read(&mut row), Err(Fault::Broken));
    }

    #[test]
    fn bits_are_reversed_in_each_byte() {
        assert_eq!(reversed(&[0b1000_0010, 0xF0]), [0b0100_0001, 0x0F]);
    }
}
