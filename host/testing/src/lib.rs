//! A host in memory to test stages with: the runtime's capabilities without a network and without files.
//!
//! ```
//! # fn main() {
//! use stagehost_testing::MemoryHost;
//!
//! let host = MemoryHost::default();
//! let etag = host.put("51/raw/photo/vertical/a.jpg", "image/jpeg", None, b"the bytes of a photo".as_slice());
//! assert_eq!(host.object("51/raw/photo/vertical/a.jpg").map(|object| object.info.etag), Some(etag));
//! let capabilities = host.capabilities(); // for a `CallRequest` of the runtime
//! # let _ = capabilities;
//! assert!(host.effects().is_empty());
//! # }
//! ```

#![forbid(unsafe_code)]

mod capabilities;
mod faults;
mod journal;
mod memory_host;
mod objects;
mod services;

pub use faults::{HostUse, InjectedFault, Misfortune};
pub use journal::Effect;
pub use memory_host::{HttpAnswer, MemoryHost, StoredObject};
