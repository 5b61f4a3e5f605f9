//! Pins: which exact bytes run for which state, with which configuration, limits and grants.
//!
//! A pin exchanges a stage without a deployment. This crate has everything that makes the exchange safe: the document and
//! its rules, the changes that can be made to it, the store that keeps every revision signed and prevents lost updates,
//! and the sources that a running host follows. It does not know how stages are loaded or called.

mod batch_limits;
mod change;
mod diff;
mod document;
mod error;
mod events;
mod file;
mod floor;
mod history;
mod new_roles;
mod source;
mod store;
mod stored_pins;

pub use batch_limits::BatchLimits;
pub use change::ChangeError;
pub use diff::{Difference, differences};
pub use document::{Canary, Change, Choice, Pin, Pins, Role, Shadow, short_digest};
pub use error::PinError;
pub use events::{PinsEvent, PinsWatcher};
pub use file::FilePins;
pub use floor::Floor;
pub use history::{FALLBACK_STEPS, HistoryEntry};
pub use source::PinSource;
pub use store::{Author, CURRENT, CurrentPins, LOCAL_ENVIRONMENT, PinStore};
pub use stored_pins::StoredPins;
