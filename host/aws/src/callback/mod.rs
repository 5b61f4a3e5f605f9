//! The signed callback to the backend.
//!
//! | module | content |
//! |---|---|
//! | `webhook` | Sends the callback |
//! | `secret` | The secret, and the signatures made with it |
//! | `secret_rotation` | When a secret is fetched, and how a rotated one is noticed |
//! | `refreshed` | How long a fetched secret is used, also those of the stages |
//! | `secret_store` | Reads a secret from Secrets Manager or Parameter Store |

pub(crate) mod refreshed;
pub(crate) mod secret;
pub(crate) mod secret_rotation;
pub(crate) mod secret_store;
pub(crate) mod webhook;
