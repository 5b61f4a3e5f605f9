#![allow(clippy::unwrap_used, missing_docs)]
//! A registry from the publisher to the host, in a folder and in a bucket: what is published is run, and whatever was
//! changed on the way is refused, each for its own reason.

mod hosts;
mod publishing;
mod rotation;
mod support;
mod tampering;
