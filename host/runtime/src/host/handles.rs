//! What the host keeps behind the handles that guests hold.

use crate::capability::ObjectReader;

/// Behind an `object` handle.
pub struct OpenObject(pub(crate) Box<dyn ObjectReader>);

/// Behind a `writer` handle: the number of one of the call's open writers.
pub struct OpenWriter(pub(crate) u32);
