//! From sources to what runs: the checkout, its stages, the Lambda's `bootstrap`, the release's pins.

pub mod artifact_folder;
pub mod bootstrap;
pub mod checkout;
pub mod components;
pub mod host_states;
pub mod install;
pub mod release_pins;
