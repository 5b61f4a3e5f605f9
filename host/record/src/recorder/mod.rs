//! Records calls: stands between a guest and the host's capabilities and logs every host call.

mod call_recorder;
mod capabilities;
mod exchange;
mod objects;
mod record;
mod replay_recorder;
mod services;
mod writer;

pub use call_recorder::CallRecorder;
pub(crate) use replay_recorder::ReplayRecorder;
