//! The real `bootstrap` in an emulated Lambda, with S3, Step Functions and the backend's receiver beside it. As on Lambda,
//! one process serves all invocations of a test: it must not end, grow, or keep anything of one invocation for the next.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "../../fixtures/desk.rs"]
mod desk;
mod endurance;
mod events;
mod heartbeat;
mod life;
mod many_at_once;
mod operating;
mod pins;
mod sandbox;
mod surroundings;
mod traces;
mod trust;
