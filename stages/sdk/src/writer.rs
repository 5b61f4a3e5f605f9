//! Objects that are written, as `std::io::Write`.

use std::io::{self, Write};

use crate::bindings::toq::media::objects::ObjectInfo;
use crate::bindings::toq::media::types::Failure;
use crate::failure::io_error;
use crate::gathered::{BUFFER, Gathered};
use crate::made::Made;
use crate::sys;

/// An object that is being written. Nothing is visible until [`finish`](Self::finish); one that is dropped leaves nothing
/// behind.
pub struct NewObject {
    handle: sys::Writer,
    gathered: Gathered,
}

impl NewObject {
    /// Begins an object. `fingerprint` names all that it is made from; see [`write_if_stale`].
    ///
    /// # Errors
    /// As `writer.create` of the contract.
    pub fn create(key: &str, content_type: &str, fingerprint: Option<&str>) -> Result<Self, Failure> {
        Ok(Self { handle: sys::create(key, content_type, fingerprint)?, gathered: Gathered::default() })
    }

    /// Appends bytes without gathering them first, so that bytes which are all there are not copied within the stage.
    ///
    /// # Errors
    /// As `writer.append` of the contract.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.send()?;
        bytes.chunks(BUFFER).try_for_each(|piece| self.handle.append(piece))
    }

    /// Appends `len` bytes of a stored object from `offset`, which do not pass through the stage.
    ///
    /// # Errors
    /// As `writer.append-object` of the contract.
    pub fn append_object(&mut self, key: &str, if_match: Option<&str>, offset: u64, len: u64) -> Result<(), Failure> {
        self.send()?;
        self.handle.append_object(key, if_match, offset, len)
    }

    /// Makes the whole object visible.
    ///
    /// # Errors
    /// As `writer.finish` of the contract.
    pub fn finish(mut self) -> Result<ObjectInfo, Failure> {
        self.send()?;
        self.handle.finish()
    }

    fn send(&mut self) -> Result<(), Failure> {
        self.gathered.send(|bytes| self.handle.append(bytes))
    }
}

impl Write for NewObject {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.write(bytes, |bytes| self.handle.append(bytes))
    }

    /// Passes what was gathered to the host. The object is not visible before [`NewObject::finish`].
    fn flush(&mut self) -> io::Result<()> {
        self.send().map_err(io_error)
    }
}

/// Writes an object unless it is there with the same fingerprint. The fingerprint must name all that the bytes depend on:
/// the source's digest, the settings, the stage's version; equal fingerprints must mean equal bytes.
///
/// # Errors
/// The failure of `write`, or of the host.
pub fn write_if_stale(
    key: &str,
    content_type: &str,
    fingerprint: &str,
    write: impl FnOnce(&mut NewObject) -> Result<(), Failure>,
) -> Result<Made, Failure> {
    let content_type = content_type.to_owned();
    match sys::stat(key) {
        Ok(info) if info.fingerprint.as_deref() == Some(fingerprint) => {
            return Ok(Made { info, content_type, reused: true });
        }
        Ok(_) | Err(Failure::Missing(_)) => {}
        Err(failure) => return Err(failure),
    }
    let mut object = NewObject::create(key, &content_type, Some(fingerprint))?;
    write(&mut object)?;
    Ok(Made { info: object.finish()?, content_type, reused: false })
}
