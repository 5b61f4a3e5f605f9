//! The operations on activities.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use crate::arn;
use crate::error::StatesError;
use crate::service::States;
use crate::store::activity::Activity;

impl States {
    /// Creates an activity. Creating one again returns the existing one.
    ///
    /// # Errors
    /// `InvalidName`.
    pub(crate) fn create_activity(
        &self,
        name: String,
        tags: BTreeMap<String, String>,
    ) -> Result<Activity, StatesError> {
        arn::check_name(&name)?;
        let arn = format!("arn:aws:states:{}:{}:activity:{name}", self.options.region, self.options.account);
        self.options.activities.create(&arn);
        let mut store = self.store();
        let created_at = OffsetDateTime::now_utc();
        let entry = store.activities.entry(arn.clone());
        Ok(entry.or_insert_with(|| Activity { arn, name, created_at, tags }).clone())
    }

    /// Deletes an activity, if it exists. Executions that reach it later fail.
    ///
    /// # Errors
    /// `InvalidArn`.
    pub(crate) fn delete_activity(&self, arn: &str) -> Result<(), StatesError> {
        arn::check_activity(arn)?;
        self.store().activities.remove(arn);
        self.options.activities.delete(arn);
        Ok(())
    }

    /// Returns an activity.
    ///
    /// # Errors
    /// `InvalidArn`, `ActivityDoesNotExist`.
    pub(crate) fn activity(&self, arn: &str) -> Result<Activity, StatesError> {
        arn::check_activity(arn)?;
        self.store().activities.get(arn).cloned().ok_or_else(|| StatesError::no_activity(arn))
    }

    /// Returns all activities, sorted by their ARNs.
    pub(crate) fn activities(&self) -> Vec<Activity> {
        self.store().activities.values().cloned().collect()
    }
}
