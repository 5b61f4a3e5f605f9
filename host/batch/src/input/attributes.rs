//! The attributes of a queue message. All of them are text, and they are used only for fields that the body lacks.

use super::error::InputError;
use super::fields::{ID_MAX, is_traceparent};
use crate::document::{Listing, ListingField};
use crate::id::Id;
use crate::keys::quote;

/// The fields of a batch that a queue message has in its attributes. Collect names and values into it:
///
/// ```
/// use stagehost_batch::{Attributes, parse_with_attributes};
///
/// let attributes: Attributes = [("ListingId", "51"), ("JobId", "4")].into_iter().collect();
/// let batch = parse_with_attributes(&serde_json::json!({"assets": []}), &attributes)?;
/// assert_eq!(batch.execution_name(), "listing-51_job-4_retry-0");
/// # Ok::<(), stagehost_batch::InputError>(())
/// ```
///
/// Names are compared without regard to case; unknown ones are ignored. A text that is a number becomes a number, because
/// attributes can only be texts and the backend expects its numbers back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub(super) traceparent: Option<String>,
    pub(super) listing: Option<Listing>,
    batch_id: Option<Id>,
    job_id: Option<Id>,
    retry: Option<String>,
}

impl Attributes {
    /// Sets one attribute. Unknown names, empty values and invalid trace contexts are ignored.
    pub fn set(&mut self, name: &str, value: &str) {
        let value = value.trim();
        if value.is_empty() {
            return;
        }
        let id = Id::from_text(value);
        match name.to_ascii_lowercase().as_str() {
            "traceparent" if is_traceparent(value) => self.traceparent = Some(value.to_owned()),
            "listingid" => self.listing = Some(Listing { id, field: ListingField::ListingId }),
            // If both are present, `ListingId` wins in either order.
            "listingidentityid" if self.listing.is_none() => {
                self.listing = Some(Listing { id, field: ListingField::ListingIdentityId });
            }
            "batchid" => self.batch_id = Some(id),
            "jobid" => self.job_id = Some(id),
            "retrycount" => self.retry = Some(value.to_owned()),
            _ => {}
        }
    }

    /// Returns the batch's id.
    pub(super) fn batch_id(&self) -> Result<Option<Id>, InputError> {
        short("attributes.BatchId", self.batch_id.as_ref())
    }

    /// Returns the job's id.
    pub(super) fn job_id(&self) -> Result<Option<Id>, InputError> {
        short("attributes.JobId", self.job_id.as_ref())
    }

    /// Returns how often the job was sent before. It is read only if the body has no count, so that an invalid attribute
    /// does no harm otherwise.
    pub(super) fn retry(&self) -> Result<Option<u32>, InputError> {
        let Some(text) = &self.retry else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| InputError::Unexpected {
            path: "attributes.RetryCount".into(),
            found: quote(text),
            accepted: "a whole number from 0 to 4294967295 is accepted",
        })
    }
}

/// Refuses an id that the body could not have, either: the execution would not read it in its input.
fn short(path: &str, id: Option<&Id>) -> Result<Option<Id>, InputError> {
    match id {
        Some(Id::Text(text)) if text.len() > ID_MAX => Err(InputError::Unexpected {
            path: path.to_owned(),
            found: quote(text),
            accepted: "a text of at most 256 bytes is accepted",
        }),
        id => Ok(id.cloned()),
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(attributes: I) -> Self {
        let mut result = Attributes::default();
        for (name, value) in attributes {
            result.set(name.as_ref(), value.as_ref());
        }
        result
    }
}
