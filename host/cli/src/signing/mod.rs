//! The keys that stages and pins are signed with, and those that are trusted.

pub mod args;
pub mod author;
pub mod keyring;
