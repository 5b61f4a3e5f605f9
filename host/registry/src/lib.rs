//! Registries of published stages.
//!
//! ```text
//! stages/<name>/<version>/manifest.json          a version: its component, world, contract              signed
//! stages/<name>/<version>/yanked.json            present if the version must not be pinned any more     signed
//! artifacts/<component>/<target>-<engine>.json   native code of a component                             signed
//! blobs/sha256/<digest>                          components
//! blobs/blake3/<digest>                          native code
//! ```
//!
//! Write access to the bucket is not enough to make a host run something: every document is signed by a key that the host
//! trusts for stages, names the version it is for, and names bytes by their digest. A published version never changes, except
//! for its signatures (`resign`).
//!
//! This crate has no compiler, so that the Lambda host can link it. The publisher passes compiled code in.

mod documents;
mod envelope;
mod error;
mod keys;
mod name;
mod publish;
mod registry;
mod resign;
mod trusted_keys;
mod verify;

pub use documents::{ArtifactRecord, Descriptor, Document, Manifest, Wanted, Yanked, blake3_of};
pub use envelope::{EnvelopeError, Opened, open, open_signed, seal};
pub use error::RegistryError;
pub use keys::{KeyError, PublicKey, SigningKey};
pub use name::{NameError, StageId, checked_name, hex_of};
pub use publish::{AddedArtifact, Draft, Published};
pub use registry::{Listed, Registry, ResolvedArtifact};
pub use resign::Resigned;
pub use trusted_keys::{KeyRole, KeyRoles, TrustedKey, TrustedKeys};
pub use verify::Check;
