//! Intrinsic functions: the small computations that a definition can do without a task.

mod apply;
mod budget;
mod call;
mod expression;
mod function;
mod parse;

pub(crate) use budget::Budget;
pub(crate) use call::{Argument, Call};
pub(crate) use expression::{Expression, not_found};
