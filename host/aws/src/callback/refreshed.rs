//! A value of a secrets service: fetched when it is first needed, and again when it is old.
//!
//! A function lives for hours and is frozen between calls, and a secret may be rotated at any time. So a value is used for five
//! minutes of wall-clock time. If its service does not answer then, the old one stays in use, because it may still be valid.

use std::time::{Duration, SystemTime};

use stagehost_batch::Failure;
use tokio::sync::Mutex;

/// How long a fetched value is used, in wall-clock time: a monotonic clock may stand still in a frozen function.
pub(crate) const MAX_AGE: Duration = Duration::from_secs(300);
/// How long the old value is used after it could not be fetched again. Without this pause, every call would wait for a fetch.
const PAUSE: Duration = Duration::from_secs(30);

/// A value with the time until which it is used.
pub(crate) struct Refreshed<T> {
    clock: fn() -> SystemTime,
    /// Locked during a fetch, so that simultaneous calls fetch once.
    kept: Mutex<Option<(T, SystemTime)>>,
}

impl<T: Clone> Refreshed<T> {
    /// Returns one that has no value yet.
    pub(crate) fn new(clock: fn() -> SystemTime) -> Self {
        Self { clock, kept: Mutex::new(None) }
    }

    /// Returns the value. `fetch` gets it if there is none or it is old; if that fails and there is an old one, the old one is
    /// returned and `stays` is told why.
    ///
    /// Errors: those of `fetch`, if there is no old value.
    pub(crate) async fn current(
        &self,
        fetch: impl Future<Output = Result<T, Failure>>,
        stays: impl FnOnce(&Failure),
    ) -> Result<T, Failure> {
        let mut kept = self.kept.lock().await;
        let now = (self.clock)();
        // More time than was ever set is left only if the clock was set back.
        let fresh = |until: &SystemTime| until.duration_since(now).is_ok_and(|left| !left.is_zero() && left <= MAX_AGE);
        if let Some((value, _)) = kept.as_ref().filter(|(_, until)| fresh(until)) {
            return Ok(value.clone());
        }
        match fetch.await {
            Ok(value) => {
                *kept = Some((value.clone(), now + MAX_AGE));
                Ok(value)
            }
            Err(failure) => match kept.as_mut() {
                Some((old, until)) => {
                    stays(&failure);
                    *until = now + PAUSE;
                    Ok(old.clone())
                }
                None => Err(failure),
            },
        }
    }

    /// Returns a value that `is_other` accepts: the one that is kept, or else the one that `fetch` gets, which is kept from now
    /// on; `None` if neither is.
    ///
    /// Errors: those of `fetch`.
    pub(crate) async fn renewed(
        &self,
        is_other: impl Fn(&T) -> bool,
        fetch: impl Future<Output = Result<T, Failure>>,
    ) -> Result<Option<T>, Failure> {
        let mut kept = self.kept.lock().await;
        if let Some((newer, _)) = kept.as_ref().filter(|(value, _)| is_other(value)) {
            return Ok(Some(newer.clone()));
        }
        let now = (self.clock)();
        let value = fetch.await?;
        *kept = Some((value.clone(), now + MAX_AGE));
        Ok(Some(value).filter(is_other))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::UNIX_EPOCH;

    use stagehost_batch::Case;

    use super::*;

    #[tokio::test]
    async fn while_the_service_fails_the_old_value_is_used_and_asked_for_again_after_a_pause() {
        static NOW: AtomicU64 = AtomicU64::new(1_000_000);
        let refreshed = Refreshed::new(|| UNIX_EPOCH + Duration::from_secs(NOW.load(Ordering::Relaxed)));
        let fetches = AtomicU64::new(0);
        let fetch = async |answer: Result<&'static str, Case>| {
            fetches.fetch_add(1, Ordering::Relaxed);
            answer.map_err(|case| Failure::new(case, "no answer"))
        };
        let down = Err(Case::Transient);
        assert!(refreshed.current(fetch(down), |_| ()).await.is_err(), "there is no old one");
        assert_eq!(refreshed.current(fetch(Ok("old")), |_| ()).await.unwrap(), "old");
        NOW.fetch_add(MAX_AGE.as_secs(), Ordering::Relaxed);
        for _ in 0..3 {
            assert_eq!(refreshed.current(fetch(down), |_| ()).await.unwrap(), "old");
        }
        assert_eq!(fetches.load(Ordering::Relaxed), 3, "once in the pause");
        NOW.fetch_add(PAUSE.as_secs(), Ordering::Relaxed);
        assert_eq!(refreshed.current(fetch(Ok("new")), |_| ()).await.unwrap(), "new");
    }
}
