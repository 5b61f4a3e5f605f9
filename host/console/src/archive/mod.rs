//! What is in an archive of the bucket. Only the directory at the archive's end is read, in ranges, however large the archive is.

mod directory;
mod read;
mod window;

pub use directory::ArchiveListing;
pub use read::listing;
