//! Published stages: what is in a registry, and why it can be believed.
//!
//! ```text
//! stages/<name>/<version>/manifest.json          what a version is: component, world, contract          signed
//! stages/<name>/<version>/yanked.json            that it is not to be pinned any more                   signed
//! artifacts/<component>/<target>-<engine>.json   native code of a component                             signed
//! blobs/sha256/<digest>                          components
//! blobs/blake3/<digest>                          native code
//! ```
//!
//! Whoever can write to the bucket can still not make a host run anything: every document is signed by a key that the host
//! was told to trust, says what it is about, and names the bytes by their digest. A version is made once and never
//! changes, but for who has signed it (`resign`).
//!
//! This crate holds no compiler, so that the Lambda host can link it: who publishes brings the compiled code along.

mod documents;
mod envelope;
mod error;
mod keys;
mod name;
mod publish;
mod registry;
mod resign;
mod verify;

pub use documents::{ArtifactRecord, Blob, Document, Manifest, Wanted, Yanked, blake3_of};
pub use envelope::{EnvelopeError, Opened, open, open_signed, seal};
pub use error::RegistryError;
pub use keys::{KeyError, PublicKey, SigningKey, TrustedKeys};
pub use name::{NameError, StageId, checked_name, hex_of};
pub use publish::{Added, Draft, Published};
pub use registry::{Listed, Registry, Resolved};
pub use resign::Resigned;
pub use verify::Check;
