//! A call's place on a processor core, which it gives up while it waits for the host.
//!
//! As many guests run at once as there are cores. A guest that waits for the network uses none, so another one may run
//! meanwhile: on a function with one core, checking sixty uploads is sixty waits at once and not one after the other.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How long a call that has waited for the host waits for a core. Its time runs, and those that have the cores may do nothing
/// but burn theirs: then it goes on beside them, and all of them share, because guests yield at every tick of the epoch.
const PATIENCE: Duration = Duration::from_millis(100);

/// The right to run. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub(crate) struct Core {
    all: Arc<Semaphore>,
    held: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl Core {
    /// Waits for one of `all` cores.
    pub(crate) async fn take(all: &Arc<Semaphore>) -> Self {
        // Never closed.
        let permit = all.clone().acquire_owned().await.ok();
        Self { all: all.clone(), held: Arc::new(Mutex::new(permit)) }
    }

    /// What `work` comes to. If it has to wait, the core is free until it is done.
    pub(crate) async fn free_while<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        // Most host calls are answered from what is there; giving up the core for those would only cost.
        let at_once = poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => Poll::Ready(None),
        });
        if let Some(done) = at_once.await {
            return done;
        }
        drop(self.held().take());
        let done = work.await;
        self.resume().await;
        done
    }

    async fn resume(&self) {
        let permit = tokio::time::timeout(PATIENCE, self.all.clone().acquire_owned()).await;
        *self.held() = permit.ok().and_then(Result::ok);
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_leaves_the_core_to_others_and_has_it_again_afterwards() {
        let all = Arc::new(Semaphore::new(1));
        let core = Core::take(&all).await;
        assert_eq!(all.available_permits(), 0);
        // Cannot go on before somebody else has had the core.
        let other = tokio::spawn({
            let all = all.clone();
            async move { drop(Core::take(&all).await) }
        });
        core.free_while(other).await.ok();
        assert_eq!(all.available_permits(), 0);
        drop(core);
        assert_eq!(all.available_permits(), 1);
    }

    #[tokio::test]
    async fn who_has_waited_for_the_host_does_not_wait_long_for_those_that_keep_the_cores() {
        let all = Arc::new(Semaphore::new(1));
        let core = Core::take(&all).await;
        let keeper = core
            .free_while(async {
                tokio::task::yield_now().await;
                Core::take(&all).await
            })
            .await;
        assert_eq!(all.available_permits(), 0, "it goes on beside the one that has it");
        drop(core);
        assert_eq!(all.available_permits(), 0);
        drop(keeper);
        assert_eq!(all.available_permits(), 1);
    }

    #[tokio::test]
    async fn what_is_there_at_once_costs_no_core() {
        let all = Arc::new(Semaphore::new(1));
        let core = Core::take(&all).await;
        assert_eq!(core.free_while(async { all.available_permits() }).await, 0);
    }
}
