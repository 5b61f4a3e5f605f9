//! Batches of a person's own files: a folder is dragged onto the page, its files are stored, and a batch is started.

mod names;
pub mod page;
pub mod receive;
mod stored;
