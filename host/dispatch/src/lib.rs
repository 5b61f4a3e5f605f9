//! An event in, the stage that its state is pinned to, the answer out.
//!
//! This is the host's one brain, the same on Lambda and on a laptop: it recognises what kind of event it is given, looks
//! up which exact component is pinned to the Step Functions state, has the runtime put the batch through it and gives
//! the merged batch back. It decides nothing about media.

mod artifact_cache;
mod artifacts;
mod canary;
mod checked_file;
mod dispatcher;
mod error;
mod event;
mod loaded;
mod queue;
mod registry_stages;
mod revisions;
mod trials;
mod visibility;

pub use artifact_cache::{ArtifactCache, CacheError, DEFAULT_CACHE_BYTES};
pub use artifacts::{Artifact, ArtifactError, ArtifactIndex, INDEX, PackagedStages};
pub use dispatcher::{Dispatcher, DispatcherParts, StageSource};
pub use error::DispatchError;
pub use event::{Envelope, Event, QueueRecord};
pub use queue::{Executions, Started, StateMachineExecutions};
pub use registry_stages::RegistryStages;
pub use trials::Trials;
pub use visibility::{NoQueue, Visibility};
