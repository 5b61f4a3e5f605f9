//! The document that the backend receives, as `callback.schema.json` describes it.
//!
//! The field names, their order and the types of the ids are those that the backend reads. Unknown values are left out and
//! never `null`. The counts, `outputs`, every file's own `outputs` and `zipBundles` are always present.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::bindings::toq::media::types::{Asset, Batch, Context, Failure, Id, ListingField, MediaType, Rendition};
use crate::verdict::Verdict;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    execution_arn: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    started_at: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listing_identity_id: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    listing_id: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_id: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
    status: &'static str,
    provider: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    outputs: Vec<Output<'a>>,
    /// The number of files in the largest bundle.
    assets_zipped: u32,
    /// The keys of the bundles.
    zip_bundles: Vec<&'a str>,
    /// The length of all bundles together, in bytes.
    zip_size_bytes: u64,
    /// The length of the files in all bundles, in bytes.
    unzipped_size_bytes: u64,
    /// The keys of the files of the batch as a whole, by name.
    #[serde(skip_serializing_if = "Map::is_empty")]
    files: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    attributes: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Error<'a>>,
}

/// One uploaded file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Output<'a> {
    raw_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    processed_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnail_key: Option<&'a str>,
    outputs: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    attributes: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
}

#[derive(Serialize)]
struct Error<'a> {
    code: &'a str,
    message: &'a str,
    details: Vec<Detail<'a>>,
}

/// One failure, of a file or, without a key, of a state.
#[derive(Serialize)]
struct Detail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    code: &'a str,
    message: &'a str,
    state: &'a str,
}

/// Returns the document about `batch`.
pub fn compose(ctx: &Context, batch: &Batch, verdict: &Verdict) -> Result<String, Failure> {
    let listing = |field| (batch.listing_field == field).then(|| id(&batch.listing));
    let body = Body {
        execution_arn: &ctx.execution,
        started_at: &ctx.started_at,
        job_id: batch.job_id.as_ref().map(id),
        listing_identity_id: listing(ListingField::ListingIdentityId),
        listing_id: listing(ListingField::ListingId),
        batch_id: batch.batch_id.as_ref().map(id),
        external_id: batch.external_id.as_deref(),
        status: verdict.status.name(),
        provider: "STEP_FUNCTIONS",
        traceparent: batch.traceparent.as_deref(),
        outputs: batch.assets.iter().map(output).collect(),
        assets_zipped: batch.bundles.iter().map(|bundle| bundle.entries).max().unwrap_or(0),
        zip_bundles: batch.bundles.iter().map(|bundle| bundle.key.as_str()).collect(),
        zip_size_bytes: batch.bundles.iter().map(|bundle| bundle.bytes).fold(0, u64::saturating_add),
        unzipped_size_bytes: batch.bundles.iter().map(|bundle| bundle.unpacked_bytes).fold(0, u64::saturating_add),
        files: keys(&batch.files),
        attributes: attributes(&batch.attributes),
        failure_reason: verdict.fault.as_ref().map(|fault| fault.reason.as_str()),
        error: verdict.fault.as_ref().map(|fault| Error {
            code: &fault.code,
            message: &fault.message,
            details: details(batch),
        }),
    };
    serde_json::to_string(&body)
        .map_err(|error| Failure::Internal(format!("the callback's document could not be written: {error}")))
}

/// Returns an id as JSON. Numbers stay numbers, because the backend cannot parse them otherwise.
fn id(id: &Id) -> Value {
    match id {
        Id::Number(number) => Value::from(*number),
        Id::Text(text) => Value::from(text.as_str()),
    }
}

/// Returns the keys of files by their names.
fn keys(files: &[Rendition]) -> Map<String, Value> {
    files.iter().map(|made| (made.name.clone(), Value::from(made.key.as_str()))).collect()
}

/// Returns what stages found out, by name.
fn attributes(found: &[(String, String)]) -> Map<String, Value> {
    found.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect()
}

fn output(asset: &Asset) -> Output<'_> {
    Output {
        raw_key: &asset.key,
        processed_key: processed(asset).map(|rendition| rendition.key.as_str()),
        thumbnail_key: thumbnail(asset).map(|rendition| rendition.key.as_str()),
        outputs: keys(&asset.renditions),
        attributes: attributes(&asset.attributes),
        error_code: asset.problem.as_ref().map(|problem| problem.code.as_str()),
        error_message: asset.problem.as_ref().map(|problem| problem.message.as_str()),
    }
}

/// Returns the largest rendition of the asset's own kind: a picture for a photo, a video for a video.
fn processed(asset: &Asset) -> Option<&Rendition> {
    let kind = match asset.media_type {
        MediaType::PhotoVertical | MediaType::PhotoHorizontal | MediaType::ProjectRender => "image/",
        MediaType::VideoVertical | MediaType::VideoHorizontal => "video/",
        MediaType::ProjectDoc => "application/",
    };
    asset.renditions.iter().filter(|made| made.content_type.starts_with(kind)).max_by_key(|made| size(made))
}

/// Returns the smallest picture made of the asset.
fn thumbnail(asset: &Asset) -> Option<&Rendition> {
    asset.renditions.iter().filter(|made| made.content_type.starts_with("image/")).min_by_key(|made| size(made))
}

/// Returns what renditions are compared by: their pixels, then the numbers in their names (`320x240`, `w800`, `1080p`), the
/// first one first: the width of a picture, the height of a film. Pixels can be equal, because a small source is never enlarged.
fn size(rendition: &Rendition) -> (u64, Option<u32>, Option<u32>) {
    let pixels = rendition.pixels.map_or(0, |size| u64::from(size.width) * u64::from(size.height));
    let mut numbers =
        rendition.name.split(|c: char| !c.is_ascii_digit()).filter_map(|digits| digits.parse::<u32>().ok());
    (pixels, numbers.next(), numbers.next())
}

fn details(batch: &Batch) -> Vec<Detail<'_>> {
    let states = batch.problems.iter().map(|problem| (None, problem));
    let files = batch.assets.iter().filter_map(|asset| Some((Some(asset.key.as_str()), asset.problem.as_ref()?)));
    states
        .chain(files)
        .map(|(key, problem)| Detail { key, code: &problem.code, message: &problem.message, state: &problem.state })
        .collect()
}

#[cfg(test)]
mod tests;
