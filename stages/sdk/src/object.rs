//! Objects opened for reading, as `std::io::Read` and `Seek`.

use std::io::{self, Read, Seek, SeekFrom};

use crate::bindings::toq::media::objects::ObjectInfo;
use crate::bindings::toq::media::types::{Asset, Failure};
use crate::failure::io_error;
use crate::sys;

/// How many bytes are read ahead, so that small reads cost no call of the host each.
const WINDOW: usize = 256 << 10;
/// The most bytes of one call of the host.
const MAX_READ: usize = 8 << 20;

/// One version of an object, opened for reading. Reads and seeks as a file does; a failure of the host comes through
/// `std::io` unchanged when it is turned into a [`Failure`] by `?`.
pub struct Object {
    handle: sys::Object,
    info: ObjectInfo,
    position: u64,
    /// Bytes that were read ahead, and where they are in the object.
    window: Vec<u8>,
    window_at: u64,
}

impl Object {
    /// Opens an object.
    ///
    /// # Errors
    /// `missing` if there is no such object; the others of `object.open` of the contract.
    pub fn open(key: &str) -> Result<Self, Failure> {
        Self::open_version(key, None)
    }

    /// Opens an object if it has this entity tag.
    ///
    /// # Errors
    /// `mismatch` if it has another one; as for [`open`](Self::open).
    pub fn open_version(key: &str, etag: Option<&str>) -> Result<Self, Failure> {
        let handle = sys::open(key, etag)?;
        let info = handle.info();
        Ok(Self { handle, info, position: 0, window: Vec::new(), window_at: 0 })
    }

    /// Opens an upload, in the version that was validated.
    ///
    /// # Errors
    /// As for [`open_version`](Self::open_version).
    pub fn of(asset: &Asset) -> Result<Self, Failure> {
        Self::open_version(&asset.key, asset.etag.as_deref())
    }

    /// Returns what the store knows of this version.
    pub fn info(&self) -> &ObjectInfo {
        &self.info
    }

    /// Returns at most `len` bytes from `offset`, fewer at the end and 8 MiB at most. Does not move the position of `Read`.
    ///
    /// # Errors
    /// `mismatch` if the object has been replaced since it was opened; `transient` if the store does not answer.
    pub fn read_at(&self, offset: u64, len: u32) -> Result<Vec<u8>, Failure> {
        self.handle.read(offset, len)
    }

    /// Returns all bytes of an object of at most `limit` bytes.
    ///
    /// # Errors
    /// `too-large` for a longer one; as for [`read_at`](Self::read_at).
    pub fn read_all(mut self, limit: u64) -> Result<Vec<u8>, Failure> {
        let (key, length) = (&self.info.key, self.info.bytes);
        if length > limit {
            return Err(Failure::TooLarge(format!("{key} has {length} bytes; at most {limit} are read")));
        }
        let mut all = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
        self.position = 0;
        self.read_to_end(&mut all)?;
        Ok(all)
    }

    /// Returns the bytes read ahead from the position on.
    fn ahead(&self) -> &[u8] {
        let skipped = self.position.checked_sub(self.window_at).and_then(|skipped| usize::try_from(skipped).ok());
        skipped.and_then(|skipped| self.window.get(skipped..)).unwrap_or_default()
    }
}

impl Read for Object {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.position >= self.info.bytes {
            return Ok(0);
        }
        if self.ahead().is_empty() {
            let wanted = buffer.len().clamp(WINDOW, MAX_READ);
            let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
            self.window = self.handle.read(self.position, wanted).map_err(io_error)?;
            self.window_at = self.position;
        }
        let ahead = self.ahead();
        let length = ahead.len().min(buffer.len());
        buffer[..length].copy_from_slice(&ahead[..length]);
        self.position += length as u64;
        Ok(length)
    }
}

impl Seek for Object {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(from) => self.info.bytes.checked_add_signed(from),
            SeekFrom::Current(from) => self.position.checked_add_signed(from),
        };
        self.position = position
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a position before the object's beginning"))?;
        Ok(self.position)
    }
}
