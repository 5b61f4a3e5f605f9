//! Stages for stagehost in Rust.
//!
//! ```no_run
//! use stage_sdk::{Area, Asset, AssetStage, Call, Failure, Object, derive_key, write_if_stale};
//! use std::io::Write;
//!
//! #[derive(serde::Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! struct Config {
//!     author: String,
//! }
//!
//! impl Default for Config {
//!     fn default() -> Self {
//!         Self { author: "nobody".into() }
//!     }
//! }
//!
//! struct Notes;
//!
//! impl AssetStage for Notes {
//!     fn process(call: Call, mut asset: Asset) -> Result<Asset, Failure> {
//!         let config: Config = call.config()?;
//!         let bytes = Object::of(&asset)?.info().bytes;
//!         let key = derive_key(&asset.key, Area::Processed, "note", "txt")?;
//!         let fingerprint = format!("notes 1.0.0 {} {}", asset.sha256.as_deref().unwrap_or_default(), config.author);
//!         let note = write_if_stale(&key, "text/plain", &fingerprint, |file| {
//!             Ok(writeln!(file, "{bytes} bytes, noted by {}", config.author)?)
//!         })?;
//!         asset.set_rendition(note.rendition("note"));
//!         Ok(asset)
//!     }
//! }
//!
//! stage_sdk::export_asset_stage!(Notes);
//! ```
//!
//! | You want | Here |
//! |---|---|
//! | to read and write objects by `std::io` | [`Object`], [`NewObject`], [`write_if_stale`] |
//! | to send a film to a service, and to read one | [`Request::begin`], [`RequestBody`], [`ResponseBody`] |
//! | settings with errors that name the field | [`Call::config`] |
//! | `?` | [`Failure`] is made from `std::io::Error`; [`FailureContext::context`] adds a place |
//! | lines for the log | the macros of the crate `log`, which is set up before `process` is called |
//! | numbers | [`count`], [`time`] |
//! | a host to test with | [`testing`]: natively the functions of this crate act on objects in memory |
//!
//! What has no wrapper is in [`bindings`], which works in components only.

pub mod bindings;
mod call;
mod exchange;
mod failure;
mod gathered;
mod http;
mod logger;
mod made;
mod object;
mod stage;
mod sys;
#[cfg(target_family = "wasm")]
mod sys_component;
#[cfg(not(target_family = "wasm"))]
mod sys_native;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod writer;

pub use bindings::batch::exports::toq::media::batch_stage::{AssetFailure, Outcome};
pub use bindings::toq::media::keys::{Area, Parts as KeyParts};
pub use bindings::toq::media::objects::{Digests, ObjectInfo};
pub use bindings::toq::media::types::{
    Asset, Batch, Bundle, Context, Failure, Id, ListingField, MediaType, PixelSize, Problem, Rendition,
};
pub use bindings::toq::media::webhook::Reply;
pub use call::{Call, parse_config};
pub use exchange::{RequestBody, ResponseBody};
pub use failure::FailureContext;
pub use http::{Request, Response};
pub use made::Made;
pub use object::Object;
pub use stage::{AssetStage, BatchStage};
pub use writer::{NewObject, write_if_stale};

#[doc(hidden)]
pub use logger::init as init_log;

/// Exports a type that implements [`AssetStage`](crate::AssetStage) as a component. Natively it does nothing, so that
/// `cargo test` works.
#[macro_export]
macro_rules! export_asset_stage {
    ($stage:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Exported;
            impl $crate::bindings::asset::exports::toq::media::asset_stage::Guest for Exported {
                fn process(
                    context: $crate::Context,
                    asset: $crate::Asset,
                ) -> ::core::result::Result<$crate::Asset, $crate::Failure> {
                    $crate::init_log();
                    <$stage as $crate::AssetStage>::process($crate::Call::from(context), asset)
                }
            }
    $crate::bindings::asset::export!(Exported with_types_in $crate::bindings::asset);
        };
    };
}

/// Exports a type that implements [`BatchStage`](crate::BatchStage) as a component. Natively it does nothing, so that
/// `cargo test` works.
#[macro_export]
macro_rules! export_batch_stage {
    ($stage:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Exported;
            impl $crate::bindings::batch::exports::toq::media::batch_stage::Guest for Exported {
                fn process(
                    context: $crate::Context,
                    batch: $crate::Batch,
                ) -> ::core::result::Result<$crate::Outcome, $crate::Failure> {
                    $crate::init_log();
                    <$stage as $crate::BatchStage>::process($crate::Call::from(context), batch)
                }
            }
    $crate::bindings::batch::export!(Exported with_types_in $crate::bindings::batch);
        };
    };
}

/// Puts the JSON Schema of a stage's settings into its component, where `stagehost` reads it. The path is relative to the
/// file that uses the macro.
#[macro_export]
macro_rules! config_schema {
    ($path:literal) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            #[used]
            #[unsafe(link_section = "stagehost:config-schema")]
            static CONFIG_SCHEMA: [u8; include_bytes!($path).len()] = *include_bytes!($path);
        };
    };
}

/// Returns what the store knows of an object, without reading it.
///
/// # Errors
/// As `objects.stat` of the contract: `missing`, `denied`, `transient`.
pub fn stat(key: &str) -> Result<ObjectInfo, Failure> {
    sys::stat(key)
}

/// Returns the digests of an object's bytes; no byte enters the stage.
///
/// # Errors
/// As `objects.digest` of the contract; `mismatch` if the entity tag is not `if_match`.
pub fn digest(key: &str, if_match: Option<&str>) -> Result<Digests, Failure> {
    sys::digest(key, if_match)
}

/// Sets a tag of an object.
///
/// # Errors
/// As `tags.set` of the contract.
pub fn set_tag(key: &str, name: &str, value: &str) -> Result<(), Failure> {
    sys::tag(key, name, value)
}

/// Splits a key into its parts.
///
/// # Errors
/// `invalid-input` if it does not follow the layout.
pub fn parse_key(key: &str) -> Result<KeyParts, Failure> {
    sys::parse_key(key)
}

/// Returns the key of a file made from `source`.
///
/// # Errors
/// As `keys.derive` of the contract.
pub fn derive_key(source: &str, area: Area, suffix: &str, extension: &str) -> Result<String, Failure> {
    sys::derive_key(source, area, suffix, extension)
}

/// Returns the key of an archive of the batch.
///
/// # Errors
/// As `keys.bundle` of the contract.
pub fn bundle_key(name: &str) -> Result<String, Failure> {
    sys::bundle_key(name)
}

/// Makes one attempt to deliver a callback.
///
/// # Errors
/// As `webhook.deliver` of the contract.
pub fn deliver(body: &str) -> Result<Reply, Failure> {
    sys::deliver(body)
}

/// Reports that `done` of `total` is finished.
pub fn report_progress(done: u64, total: u64) {
    sys::progress(done, total);
}

/// Adds to a counter, which becomes a metric.
pub fn count(name: &str, amount: u64) {
    sys::count(name, amount);
}

/// Notes how long something took; the values become a metric.
pub fn time(name: &str, took: std::time::Duration) {
    sys::time(name, took.as_secs_f64() * 1e3);
}
