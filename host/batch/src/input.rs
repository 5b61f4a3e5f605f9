//! The lenient reader: turns every shape in which a batch reaches the pipeline into the one strict type.
//!
//! A document of an unknown *shape* is an [`InputError`], which names the place and what is accepted there. A fault of one
//! *file* (a key outside the layout, an unknown type, an invalid checksum) is recorded on that file and the batch goes on,
//! because the backend needs a result for every file.
//!
//! What only a stage can establish (`verified`, `renditions`, archives, picture sizes, …) is never taken from outside. A
//! state's input comes from an earlier state or, for the first state, from the starter of the execution; the two look
//! alike. [`resume`] distinguishes them by the stamp that the host leaves in every document: `execution`, with the ARN and
//! the millisecond at which the service began the execution. A starter cannot know that time, and the queue consumer drops
//! the field anyway.

mod asset;
mod attributes;
mod error;
mod fault;
mod fields;

use std::collections::HashMap;

use serde_json::{Map, Value};

pub use attributes::Attributes;
pub use error::InputError;
pub use fault::FIRST_STATE;

use crate::document::{Asset, Batch, Execution, Listing, ListingField, Problem};
use crate::keys::{LISTING_ACCEPTED, is_listing, quote};
use crate::merge::merge_branches;
use fields::Fields;

/// The state that is recorded for an `error` without one.
const UNKNOWN_STATE: &str = "unknown";
/// The message for an `error` without a Cause.
const NO_CAUSE: &str = "no cause was given";
/// The most characters of a Cause that are kept. It may be 32 KiB of stack trace.
const MESSAGE_MAX: usize = 2_000;

/// Reads a batch from outside: a message body, an execution's input, a file.
///
/// Accepts all shapes of the contract, and lists of batch documents, which are merged. Only what an uploader can know is
/// taken over, also from the canonical shape. An `error` object that a Catch left becomes a [`Problem`] of the batch.
pub fn parse(body: &Value) -> Result<Batch, InputError> {
    parse_with_attributes(body, &Attributes::default())
}

/// Reads a batch from a queue message, like [`parse`]. Fields that its body lacks are taken from its attributes.
pub fn parse_with_attributes(body: &Value, attributes: &Attributes) -> Result<Batch, InputError> {
    read(body, &|document, path| outside(document, path, attributes))
}

/// Reads the input of a state of `execution`. A document that an earlier state of the same execution wrote is taken over
/// completely; any other is read like [`parse`]. Accepts one document, the list of documents that a Parallel state makes,
/// and `{"branches": [...]}`, which is such a list wrapped so that a Catch can add its `error`. Lists are merged.
///
/// The result has the stamp of `execution`.
pub fn resume(body: &Value, execution: &Execution) -> Result<Batch, InputError> {
    let mut batch = read(body, &|document, path| {
        if is_stamped(document, execution) {
            canonical(document, path)
        } else {
            outside(document, path, &Attributes::default())
        }
    })?;
    batch.execution = Some(execution.clone());
    Ok(batch)
}

type ReadDocument<'a> = &'a dyn Fn(&Map<String, Value>, &str) -> Result<Batch, InputError>;

fn read(body: &Value, document: ReadDocument) -> Result<Batch, InputError> {
    match body {
        Value::Array(branches) => read_branches(branches, "$", document),
        Value::Object(fields) => match fields.get("branches") {
            Some(Value::Array(branches)) => {
                let mut batch = read_branches(branches, "$.branches", document)?;
                take_error(&mut batch, fields);
                Ok(batch)
            }
            _ => read_document(fields, "$", document),
        },
        other => Err(InputError::unexpected("$", other, BATCH_ACCEPTED)),
    }
}

fn read_branches(branches: &[Value], path: &str, document: ReadDocument) -> Result<Batch, InputError> {
    let read = |(index, branch): (usize, &Value)| match branch {
        Value::Object(fields) => read_document(fields, &format!("{path}[{index}]"), document),
        other => Err(InputError::unexpected(format!("{path}[{index}]"), other, BATCH_ACCEPTED)),
    };
    let batches: Result<Vec<_>, _> = branches.iter().enumerate().map(read).collect();
    merge_branches(batches?).map_err(|source| InputError::Merge { path: path.to_owned(), source })
}

fn read_document(fields: &Map<String, Value>, path: &str, document: ReadDocument) -> Result<Batch, InputError> {
    let mut batch = document(fields, path)?;
    take_error(&mut batch, fields);
    Ok(batch)
}

const BATCH_ACCEPTED: &str = "a batch document is accepted: an object with listingId or listingIdentityId, and assets";

fn is_stamped(document: &Map<String, Value>, execution: &Execution) -> bool {
    document
        .get("execution")
        .and_then(|stamp| serde_json::from_value::<Execution>(stamp.clone()).ok())
        .is_some_and(|stamp| stamp == *execution)
}

/// Reads a document that the host wrote.
fn canonical(document: &Map<String, Value>, path: &str) -> Result<Batch, InputError> {
    serde_json::from_value(Value::Object(document.clone()))
        .map_err(|source| InputError::Document { path: path.to_owned(), reason: source.to_string() })
}

/// Reads a document from outside. Everything that only the host and stages know is ignored:
/// `problems`, `bundles`, `files`, `attributes`, `execution`, `revision` and `counts`.
fn outside(document: &Map<String, Value>, path: &str, attributes: &Attributes) -> Result<Batch, InputError> {
    let fields = Fields::new(document, path);
    let mut batch = Batch::new(listing(&fields, attributes)?);
    batch.batch_id = match fields.id("batchId")? {
        Some(id) => Some(id),
        None => attributes.batch_id()?,
    };
    batch.job_id = match fields.id("jobId")? {
        Some(id) => Some(id),
        None => attributes.job_id()?,
    };
    batch.external_id = fields.text("externalId")?;
    batch.retry = match fields.count("retry")? {
        Some(retry) => retry,
        None => attributes.retry()?.unwrap_or(0),
    };
    batch.traceparent = fields.trace("traceparent").or_else(|| attributes.traceparent.clone());
    batch.assets = assets(&fields, &batch.listing)?;
    batch.recount();
    Ok(batch)
}

fn listing(fields: &Fields, attributes: &Attributes) -> Result<Listing, InputError> {
    let in_field = |field: ListingField| {
        let id = fields.id(field.name())?;
        Ok(id.map(|id| Listing { id, field }))
    };
    let listing = match (in_field(ListingField::ListingId)?, in_field(ListingField::ListingIdentityId)?) {
        (Some(one), Some(other)) if one.id != other.id => {
            return Err(InputError::Unexpected {
                path: fields.path_of("listingIdentityId"),
                found: format!("{} beside listingId {}", other.id, one.id),
                accepted: "one of the two is accepted, or both with the same id",
            });
        }
        (Some(one), _) | (None, Some(one)) => Some(one),
        (None, None) => attributes.listing.clone(),
    };
    let listing = listing.ok_or_else(|| InputError::Missing {
        path: fields.path_of("listingId"),
        accepted: "listingId or listingIdentityId is needed, in the body or as a message attribute",
    })?;
    let text = listing.id.to_string();
    if !is_listing(&text) {
        return Err(InputError::Unexpected {
            path: fields.path_of(listing.field.name()),
            found: quote(&text),
            accepted: LISTING_ACCEPTED,
        });
    }
    Ok(listing)
}

/// Returns the files in their order, one for each key.
fn assets(fields: &Fields, listing: &Listing) -> Result<Vec<Asset>, InputError> {
    let accepted = "a list of files is accepted, each a key or an object with a key";
    let path = fields.path_of("assets");
    let Some(value) = fields.get("assets") else {
        return Err(InputError::Missing { path, accepted });
    };
    let Value::Array(list) = value else {
        return Err(InputError::unexpected(path, value, accepted));
    };
    let mut assets: Vec<Asset> = Vec::with_capacity(list.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(list.len());
    for (index, value) in list.iter().enumerate() {
        let mut asset = asset::read(value, &format!("{path}[{index}]"), listing)?;
        let known = places.get(&asset.key).and_then(|place| assets.get_mut(*place));
        if let Some(known) = known {
            // Both types follow from the same key. If the key was refused, neither matters.
            asset.media_type = known.media_type;
            known.merge_from(asset).map_err(|source| InputError::Merge { path: format!("{path}[{index}]"), source })?;
        } else {
            places.insert(asset.key.clone(), assets.len());
            assets.push(asset);
        }
    }
    Ok(assets)
}

/// Records what a Catch left in `error`: `{Error, Cause}` and, if the state machine adds it, the `state`.
fn take_error(batch: &mut Batch, document: &Map<String, Value>) {
    let Some(error) = document.get("error").filter(|error| !error.is_null()) else {
        return;
    };
    let text = |name: &str| error.get(name).and_then(Value::as_str);
    let cause = match text("Cause").or(error.as_str()) {
        Some("") => NO_CAUSE.to_owned(),
        Some(cause) => message_of_cause(cause),
        // A timeout has no Cause.
        None if error.get("Error").is_some() => NO_CAUSE.to_owned(),
        None => error.to_string(),
    };
    batch.add_problem(Problem {
        state: text("state").unwrap_or(UNKNOWN_STATE).to_owned(),
        code: text("Error").unwrap_or("States.TaskFailed").to_owned(),
        message: cause.chars().take(MESSAGE_MAX).collect(),
    });
    batch.recount();
}

/// Returns the `errorMessage` of a failed Lambda call, whose Cause is a JSON document, and any other Cause unchanged.
pub fn message_of_cause(cause: &str) -> String {
    serde_json::from_str::<Value>(cause)
        .ok()
        .and_then(|cause| Some(cause.get("errorMessage")?.as_str()?.to_owned()))
        .unwrap_or_else(|| cause.to_owned())
}

#[cfg(test)]
mod tests;
