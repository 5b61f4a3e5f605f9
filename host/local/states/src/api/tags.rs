//! The tags of state machines and activities.

use std::collections::BTreeMap;

use super::requests::Tag;
use crate::arn;
use crate::error::StatesError;
use crate::service::States;

/// The largest number of tags of a resource.
const MAX_TAGS: usize = 50;

impl States {
    /// Calls `work` with the tags of a state machine or an activity.
    pub(super) fn change_tags<T>(
        &self,
        arn: &str,
        work: impl FnOnce(&mut BTreeMap<String, String>) -> Result<T, StatesError>,
    ) -> Result<T, StatesError> {
        let mut store = self.store();
        if arn::check_activity(arn).is_ok() {
            let found = store.activities.get_mut(arn);
            return work(&mut found.ok_or_else(|| no_resource(arn))?.tags);
        }
        let name = arn::machine_name(arn)?;
        let found = store.machines.get_mut(name).filter(|machine| machine.arn == arn);
        work(&mut found.ok_or_else(|| no_resource(arn))?.tags)
    }
}

fn no_resource(arn: &str) -> StatesError {
    StatesError::new("ResourceNotFound", format!("Resource not found: '{arn}'"))
}

/// Returns new tags as a map. `existing` is the number of tags that the resource has.
///
/// # Errors
/// `TooManyTags`.
pub(super) fn checked_tags(existing: usize, tags: Vec<Tag>) -> Result<BTreeMap<String, String>, StatesError> {
    if existing + tags.len() > MAX_TAGS {
        return Err(StatesError::new("TooManyTags", format!("a resource has at most {MAX_TAGS} tags")));
    }
    Ok(tags.into_iter().map(|tag| (tag.key, tag.value)).collect())
}
