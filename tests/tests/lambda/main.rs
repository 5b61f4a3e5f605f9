//! The real `bootstrap` in an emulated Lambda, with S3, Step Functions and the backend's receiver beside it. It is one
//! process per test, and it is the same one for every invocation, as on Lambda: what it must not do is end, grow, forget,
//! or remember.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "../../fixtures/desk.rs"]
mod desk;
mod endurance;
mod events;
mod heartbeat;
mod life;
mod operating;
mod pins;
mod sandbox;
mod surroundings;
