//! The batch document: the input and output of every state of the pipeline.
//!
//! Uploads reach the pipeline in several shapes that grew over the years. They are read leniently **once**, here, into
//! strict types. All other code works on [`Batch`], which has one canonical shape. The crate knows neither WebAssembly nor
//! AWS, so that the contract can be read and tested by itself.
//!
//! There are three ways to read a document, by how far it is trusted:
//!
//! | Document | Read with | Taken over |
//! |---|---|---|
//! | a queue message | [`parse_with_attributes`] | fields that an uploader can know |
//! | a `run` file, an execution's input | [`parse`] | the same |
//! | a state's input | [`resume`] | everything, if an earlier state of the same execution wrote it |

mod attribute_rules;
mod document;
mod execution_arn;
mod failure;
mod id;
mod input;
mod keys;
mod media;
mod merge;
mod name;
mod traceparent;

#[cfg(test)]
mod arbitrary;
#[cfg(test)]
mod schema_test;

pub use attribute_rules::{MAX_ATTRIBUTES, attribute_fault, is_plain_name};
pub use document::{Asset, Batch, Bundle, Counts, Execution, Listing, ListingField, PixelSize, Problem, Rendition};
pub use execution_arn::ExecutionArn;
pub use failure::{Case, Failure};
pub use id::Id;
pub use input::{Attributes, FIRST_STATE, InputError, message_of_cause, parse, parse_with_attributes, resume};
pub use keys::{Area, KEY_MAX, KeyError, KeyParts, bundle_key, derive_key, derive_key_in};
pub use media::{Family, MediaType};
pub use merge::{MergeError, merge_branches};
pub use name::list_digest;
pub use traceparent::{TraceParent, XrayHeader};
