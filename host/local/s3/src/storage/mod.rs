//! Objects in a folder.

pub mod keys;
pub mod listing;
pub mod locks;
pub mod read_condition;
pub mod record;
pub mod records;
pub mod scratch;
pub mod store;
pub mod tree;
pub mod uploads;
pub mod write_condition;
