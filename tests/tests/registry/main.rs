#![allow(clippy::unwrap_used, missing_docs)]
//! A registry from the publisher to the host, in a folder and in a bucket: what is published runs, and every change on the
//! way is refused with its own reason. The stages answer with their version, so a test sees which code ran.

#[path = "../../fixtures/calling.rs"]
mod calling;
mod hosts;
#[path = "../../fixtures/offline.rs"]
mod offline;
mod publishing;
mod rotation;
mod support;
mod tampering;
