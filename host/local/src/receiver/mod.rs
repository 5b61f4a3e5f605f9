//! The reference receiver: the backend's side of the contract.
//!
//! The backend belongs to another team; the contract belongs to this project. This receiver applies the contract
//! strictly: it accepts batches in every promised shape, accepts only callbacks with both signatures, refuses callbacks
//! that violate the contract, and stores what it received in the backend's three tables, in SQLite, so that a local run
//! can be queried.

mod contract;
mod database;
mod routes;
mod service;
mod signature;

pub use contract::{
    CallbackBody, CallbackDetail, CallbackError, CallbackOutput, CallbackStatus, ContractError, Provider,
};
pub use routes::router;
pub use service::{BatchStarter, Callback, Receiver, ReceiverError, ReceiverOptions};
pub use signature::{SignatureError, WebhookSecret, WebhookSecretError};
