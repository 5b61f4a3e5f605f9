//! Services outside the host's own: HTTP requests, and the addresses that they must not reach.
//!
//! | module | content |
//! |---|---|
//! | `http` | The runtime's `Http`, for stages of the `custom` worlds |
//! | `exchange` | Requests and answers in pieces |
//! | `rules` | What holds for every request of a stage |
//! | `client` | What all HTTP clients of the host have in common |
//! | `address` | Which addresses may be called |

pub(crate) mod address;
pub(crate) mod client;
mod exchange;
pub(crate) mod http;
mod rules;
