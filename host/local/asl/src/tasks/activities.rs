//! Activities: work that Task states schedule and that workers outside ask for.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{Notify, oneshot};

use crate::history::text::JsonText;

/// The activities of all executions. Cheap to clone; clones share everything.
#[derive(Clone, Debug, Default)]
pub struct Activities(Arc<Mutex<BTreeMap<String, Arc<Queue>>>>);

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<VecDeque<Scheduled>>,
    arrived: Notify,
}

#[derive(Debug)]
struct Scheduled {
    token: String,
    input: JsonText,
    /// Gets the name of the worker that takes the task.
    taken: oneshot::Sender<Option<String>>,
}

/// A task that a worker got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActivityTask {
    /// The token with which the worker answers.
    pub token: String,
    /// The input as JSON text.
    pub input: String,
}

impl Activities {
    /// Adds an activity. Returns whether it is new.
    pub fn create(&self, arn: &str) -> bool {
        let mut all = self.0.lock();
        let is_new = !all.contains_key(arn);
        all.entry(arn.to_owned()).or_default();
        is_new
    }

    /// Removes an activity. Tasks that wait for a worker go on waiting, as on the service.
    pub fn delete(&self, arn: &str) {
        self.0.lock().remove(arn);
    }

    /// Waits for a task and gives it to a worker. Returns `Ok(None)` if there is none for that long.
    ///
    /// # Errors
    /// There is no such activity.
    pub async fn poll(
        &self,
        arn: &str,
        worker: Option<String>,
        most: Duration,
    ) -> Result<Option<ActivityTask>, NoSuchActivity> {
        let queue = self.0.lock().get(arn).cloned().ok_or(NoSuchActivity)?;
        let taken = async {
            loop {
                // Registered before the look: each of several tasks that arrive in between wakes a worker of its own.
                let mut arrived = pin!(queue.arrived.notified());
                arrived.as_mut().enable();
                let next = queue.waiting.lock().pop_front();
                let Some(Scheduled { token, input, taken }) = next else {
                    arrived.await;
                    continue;
                };
                // Nobody waits any more for a task that timed out or whose execution ended.
                if taken.send(worker.clone()).is_ok() {
                    return ActivityTask { token, input: input.as_str().to_owned() };
                }
            }
        };
        Ok(tokio::time::timeout(most, taken).await.ok())
    }

    /// Schedules a task. Returns what gets the name of the worker that takes it.
    ///
    /// # Errors
    /// There is no such activity.
    pub(crate) fn schedule(
        &self,
        arn: &str,
        token: &str,
        input: JsonText,
    ) -> Result<oneshot::Receiver<Option<String>>, NoSuchActivity> {
        let queue = self.0.lock().get(arn).cloned().ok_or(NoSuchActivity)?;
        let (taken, worker) = oneshot::channel();
        let mut waiting = queue.waiting.lock();
        waiting.retain(|scheduled| !scheduled.taken.is_closed());
        waiting.push_back(Scheduled { token: token.to_owned(), input, taken });
        drop(waiting);
        queue.arrived.notify_one();
        Ok(worker)
    }

    /// Returns whether there is such an activity.
    pub(crate) fn exists(&self, arn: &str) -> bool {
        self.0.lock().contains_key(arn)
    }
}

/// There is no activity of this ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no such activity")]
pub struct NoSuchActivity;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_worker_waits_for_a_task_and_a_task_for_a_worker() {
        let activities = Activities::default();
        let none = activities.poll("a", None, Duration::from_secs(1)).await;
        assert_eq!(none, Err(NoSuchActivity));
        assert!(activities.create("a") && !activities.create("a"));
        assert_eq!(activities.poll("a", None, Duration::from_secs(60)).await, Ok(None));

        let gone = activities.schedule("a", "gone", JsonText::from("0".to_owned())).unwrap();
        drop(gone);
        let worker = activities.schedule("a", "t", JsonText::from("1".to_owned())).unwrap();
        let task = activities.poll("a", Some("w".into()), Duration::from_secs(60)).await.unwrap().unwrap();
        assert_eq!((task.token.as_str(), task.input.as_str()), ("t", "1"));
        assert_eq!(worker.await.unwrap().as_deref(), Some("w"));

        let polling = tokio::spawn({
            let activities = activities.clone();
            async move { activities.poll("a", None, Duration::from_secs(60)).await }
        });
        tokio::time::sleep(Duration::from_secs(5)).await;
        let _worker = activities.schedule("a", "later", JsonText::from("2".to_owned())).unwrap();
        assert_eq!(polling.await.unwrap().unwrap().unwrap().token, "later");
    }
}
