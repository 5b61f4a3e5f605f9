//! Who may use the pages: the person at this browser, and no other page in it.

pub mod admission;
pub mod headers;
mod hosts;
mod token;

pub use hosts::AcceptedHosts;
pub use token::SessionToken;
