//! Answers a stage from the record of a call, as the host answered then.
//!
//! A host call is matched with recorded ones by what is asked and about what, in order. If it is made more often than
//! recorded, it gets the last answer again. Other answers are derived if the record leaves no doubt: the size of an object
//! that was opened, or bytes that were read in other pieces. Written objects go nowhere; the writer gets the recorded
//! answer if the object is the recorded one, otherwise the answer of a store. Everything else is answered by the
//! [`Fallback`].

mod answers;
mod exchange;
mod objects;
mod questions;
mod services;
mod writer;

pub(crate) use answers::{Fallback, Player};
