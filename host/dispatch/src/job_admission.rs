//! Whether a job may begin now. While one listing sends hundreds of batches, its jobs wait in the queue, so that the batches of
//! other listings find calls that are free.
//!
//! The executions that may run at the same time are shared by the listings that have any: a listing has its share, and at least
//! one. So a listing alone may use all of them, and a batch of another listing always begins at once. There is no limit for all
//! listings together; beyond it, the states themselves wait for a free call.
//!
//! Step Functions lists an execution some time after its start. Until then this process counts it itself, and assumes
//! that each of the other consumers of the queue has started as many of the same listing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an execution that was started here may be missing in the list.
const UNLISTED: Duration = Duration::from_secs(10);

/// The fewest and the most seconds that a job waits before it asks again.
const WAIT: (u32, u32) = (20, 60);

/// Shares the running executions between listings.
#[derive(Debug)]
pub struct JobAdmission {
    running: usize,
    consumers: usize,
    /// The executions that this process has started lately, by name.
    started: Mutex<BTreeMap<String, Instant>>,
}

impl JobAdmission {
    /// Returns an admission with at most `running` executions of one listing at the same time while no other listing
    /// has any; `consumers` processes start them.
    pub fn new(running: usize, consumers: usize) -> Self {
        Self { running: running.max(1), consumers: consumers.max(1), started: Mutex::default() }
    }

    /// Returns whether an execution of this name may begin now, beside those that are listed as running.
    pub fn admits<'a>(&self, name: &str, listed: impl IntoIterator<Item = &'a str>, now: Instant) -> bool {
        let listed: BTreeSet<&str> = listed.into_iter().collect();
        let started = self.recently(now);
        // A second delivery of a job is not a second execution.
        if listed.contains(name) || started.contains_key(name) {
            return true;
        }
        let unlisted: Vec<&str> = started.keys().map(String::as_str).filter(|name| !listed.contains(name)).collect();
        let listings: BTreeSet<&str> = listed.iter().chain(&unlisted).copied().chain([name]).map(listing_of).collect();
        let share = (self.running / listings.len()).max(1);
        let of_it =
            |names: &mut dyn Iterator<Item = &&str>| names.filter(|one| listing_of(one) == listing_of(name)).count();
        of_it(&mut listed.iter()) + of_it(&mut unlisted.iter()) * self.consumers < share
    }

    /// Notes that an execution was started.
    pub fn started(&self, name: &str, now: Instant) {
        self.recently(now).insert(name.to_owned(), now);
    }

    /// Returns for how many seconds a job waits that is received now. They differ, so that jobs do not come back all at once.
    pub fn wait(message_id: &str) -> u32 {
        let spread = message_id.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        WAIT.0 + spread % (WAIT.1 - WAIT.0 + 1)
    }

    fn recently(&self, now: Instant) -> MutexGuard<'_, BTreeMap<String, Instant>> {
        let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
        started.retain(|_, at| now.saturating_duration_since(*at) < UNLISTED);
        started
    }
}

/// Returns the part of an execution's name that stands for the listing (see `Batch::execution_name`).
fn listing_of(name: &str) -> &str {
    let end = ["_batch-", "_job-", "_assets-", "_retry-", "_sha-"].iter().filter_map(|part| name.find(part)).min();
    name.get(..end.unwrap_or(name.len())).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(listing: u32, count: usize) -> Vec<String> {
        (0..count).map(|n| format!("listing-{listing}_batch-{n}_job-1_retry-0")).collect()
    }

    fn admits(admission: &JobAdmission, name: &str, listed: &[String]) -> bool {
        admission.admits(name, listed.iter().map(String::as_str), Instant::now())
    }

    #[test]
    fn a_listing_alone_may_have_all_running_executions_and_no_more() {
        let admission = JobAdmission::new(100, 5);
        assert!(admits(&admission, "listing-1_job-x_retry-0", &names(1, 99)));
        assert!(!admits(&admission, "listing-1_job-x_retry-0", &names(1, 100)));
    }

    #[test]
    fn a_batch_of_another_listing_begins_at_once_however_many_run() {
        let admission = JobAdmission::new(100, 5);
        assert!(admits(&admission, "listing-2_job-1_retry-0", &names(1, 500)));
        let many: Vec<String> = (0..300).flat_map(|listing| names(listing, 1)).collect();
        assert!(admits(&admission, "listing-300_job-1_retry-0", &many));
    }

    #[test]
    fn two_listings_have_half_of_them_each() {
        let admission = JobAdmission::new(100, 5);
        let both = [names(1, 60), names(2, 10)].concat();
        assert!(!admits(&admission, "listing-1_job-x_retry-0", &both));
        assert!(admits(&admission, "listing-2_job-x_retry-0", &both));
    }

    #[test]
    fn executions_that_are_not_listed_yet_count_for_all_consumers() {
        let (admission, now) = (JobAdmission::new(100, 5), Instant::now());
        for name in names(1, 20) {
            assert!(admission.admits(&name, [], now));
            admission.started(&name, now);
        }
        assert!(!admission.admits("listing-1_job-x_retry-0", [], now));
        assert!(
            admission.admits("listing-1_job-x_retry-0", [], now + UNLISTED),
            "they have ended, or are listed by now"
        );
    }

    #[test]
    fn a_second_delivery_of_a_running_job_is_not_kept_waiting() {
        let admission = JobAdmission::new(1, 1);
        assert!(admits(&admission, &names(1, 3)[0], &names(1, 3)));
    }

    #[test]
    fn jobs_wait_between_twenty_seconds_and_a_minute_each_for_another_time() {
        let waits: BTreeSet<u32> = (0..200).map(|n| JobAdmission::wait(&format!("5ca1ab1e-{n}"))).collect();
        assert!(waits.len() > 20 && waits.iter().all(|seconds| (20..=60).contains(seconds)), "{waits:?}");
    }
}
