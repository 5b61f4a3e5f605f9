//! Services outside the host's own: HTTP requests, and the addresses that they must not reach.
//!
//! | module | content |
//! |---|---|
//! | `http` | The runtime's `Http`, for stages of the `custom` worlds |
//! | `client` | What all HTTP clients of the host have in common |
//! | `address` | Which addresses may be called |

pub(crate) mod address;
pub(crate) mod client;
pub(crate) mod http;
