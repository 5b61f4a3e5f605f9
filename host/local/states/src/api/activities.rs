//! Activities in the API.

use std::time::Duration;

use serde_json::{Value, json};
use stagehost_asl::epoch_seconds;

use super::machines::no_own_keys;
use super::paging::Page;
use super::requests::{ActivityReference, CreateActivity, ListMachines};
use super::responses::{empty, with_next};
use super::tags::checked_tags;
use crate::error::StatesError;
use crate::service::States;

/// How long `GetActivityTask` waits for a task.
const LONGEST_POLL: Duration = Duration::from_secs(60);

impl States {
    pub(super) fn new_activity(&self, request: CreateActivity) -> Result<Value, StatesError> {
        no_own_keys(request.encryption_configuration.as_ref())?;
        let activity = self.create_activity(request.name, checked_tags(0, request.tags)?)?;
        Ok(json!({"activityArn": activity.arn, "creationDate": epoch_seconds(activity.created_at)}))
    }

    pub(super) fn describe_activity(&self, arn: &str) -> Result<Value, StatesError> {
        let activity = self.activity(arn)?;
        Ok(json!({
            "activityArn": activity.arn, "name": activity.name, "creationDate": epoch_seconds(activity.created_at)
        }))
    }

    pub(super) fn list_activities(&self, request: &ListMachines) -> Result<Value, StatesError> {
        let page = Page::read(json!("activities"), request.max_results, request.next_token.as_deref())?;
        let all = self.activities().into_iter().zip(0_u64..);
        let (activities, next) = page.cut(all.skip_while(|(_, at)| *at < page.from.unwrap_or(0)), |(_, at)| *at);
        let activities = activities.iter().map(|(activity, _)| {
            json!({
                "activityArn": activity.arn, "name": activity.name, "creationDate": epoch_seconds(activity.created_at)
            })
        });
        Ok(with_next(json!({"activities": activities.collect::<Vec<_>>()}), next))
    }

    /// Waits for a task of an activity. Without one, the answer is empty.
    pub(super) async fn activity_task(&self, request: ActivityReference) -> Result<Value, StatesError> {
        let ActivityReference { activity_arn, worker_name } = request;
        self.activity(&activity_arn)?;
        let task = self.options.activities.poll(&activity_arn, worker_name, LONGEST_POLL).await;
        Ok(match task.map_err(|_| StatesError::no_activity(&activity_arn))? {
            Some(task) => json!({"taskToken": task.token, "input": task.input}),
            None => empty(),
        })
    }
}
