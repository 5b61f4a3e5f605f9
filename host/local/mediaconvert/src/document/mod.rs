//! JSON documents of the API.

pub(crate) mod overlay;
pub(crate) mod spelling;
pub(crate) mod strict;
