//! Handles the host's events, on Lambda and on one machine alike.
//!
//! For an event of a Step Functions state, the dispatcher finds the component that is pinned to the state, has the runtime
//! put the batch through it and returns the merged batch. Queue messages start executions; events of transcoding jobs end
//! the states that wait for them. It decides nothing about media.

mod artifact_cache;
mod artifacts;
mod awake;
mod canary;
mod checked_file;
mod dispatcher;
mod earlier_pins;
mod error;
mod event;
mod failed_tries;
mod job_admission;
mod loaded;
mod next_pins;
mod pins_in_force;
mod pins_readiness;
mod queue;
mod registry_stages;
mod sampler;
mod stage_source;
mod visibility;

pub use artifact_cache::{ArtifactCache, CacheError, DEFAULT_CACHE_BYTES};
pub use artifacts::{Artifact, ArtifactError, ArtifactIndex, INDEX, PackagedStages};
pub use canary::{CanaryStanding, canary_standing};
pub use dispatcher::{Dispatcher, DispatcherParts};
pub use error::DispatchError;
pub use event::{Envelope, Event, QueueRecord};
pub use job_admission::JobAdmission;
pub use queue::{Executions, StartOutcome, StateMachineExecutions};
pub use registry_stages::RegistryStages;
pub use sampler::Sampler;
pub use stage_source::StageSource;
pub use visibility::{NoQueue, Visibility};
