//! Stored objects on S3: read in one version, written whole or not at all.
//!
//! | module | content |
//! |---|---|
//! | `s3_objects` | The runtime's `Objects` |
//! | `reader`, `body`, `recent` | Reading: streamed, resumed where a connection broke, no request for what is known |
//! | `writer`, `upload`, `parts` | Writing: objects composed of bytes and stored objects |
//! | `conditional_write` | What a write may replace |
//! | `bucket`, `in_memory` | Single requests to the media bucket; small objects read and written whole |
//! | `metadata`, `notation` | User metadata; how S3 writes checksums and entity tags |

pub(crate) mod body;
pub(crate) mod bucket;
pub(crate) mod conditional_write;
pub(crate) mod in_memory;
pub(crate) mod metadata;
pub(crate) mod notation;
pub(crate) mod parts;
pub(crate) mod reader;
pub(crate) mod recent;
pub(crate) mod s3_objects;
pub(crate) mod upload;
pub(crate) mod writer;
