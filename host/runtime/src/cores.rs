//! A call's permit to use a processor core, which it gives up while it waits for the host.
//!
//! As many guests run at once as there are cores. A guest that waits for the network needs none, so another one runs
//! meanwhile: on a function with one core, sixty uploads are checked with sixty waits at once.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::lock::lock;

/// How long a call that has waited for the host then waits for a core. After that it goes on without one, so that calls
/// which only compute cannot use up its time. The calls then share the cores, because guests yield at every tick of the
/// epoch.
const PATIENCE: Duration = Duration::from_millis(100);

/// A permit to run. Cheap to clone; all clones are the same permit.
#[derive(Clone)]
pub(crate) struct Core {
    all: Arc<Semaphore>,
    held: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
}

impl Core {
    /// Waits for one of `all` cores.
    pub(crate) async fn take(all: &Arc<Semaphore>) -> Self {
        // The semaphore is never closed.
        let permit = all.clone().acquire_owned().await.ok();
        Self { all: all.clone(), held: Arc::new(Mutex::new(permit)) }
    }

    /// Returns the result of `work`. If `work` has to wait, the core is free until it is done.
    pub(crate) async fn free_while<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        // Most host calls are answered at once, where giving up the core would only cost time.
        let at_once = poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => Poll::Ready(None),
        });
        if let Some(done) = at_once.await {
            return done;
        }
        drop(lock(&self.held).take());
        let done = work.await;
        self.resume().await;
        done
    }

    async fn resume(&self) {
        let permit = tokio::time::timeout(PATIENCE, self.all.clone().acquire_owned()).await;
        *lock(&self.held) = permit.ok().and_then(Result::ok);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_waiting_call_frees_its_core_and_takes_it_again_afterwards() {
        let all = Arc::new(Semaphore::new(1));
        let core = Core::take(&all).await;
        assert_eq!(all.available_permits(), 0);
        // Ends only when another call has had the core.
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
    async fn after_waiting_for_the_host_a_call_goes_on_although_others_keep_the_cores() {
        let all = Arc::new(Semaphore::new(1));
        let core = Core::take(&all).await;
        let keeper = core
            .free_while(async {
                tokio::task::yield_now().await;
                Core::take(&all).await
            })
            .await;
        assert_eq!(all.available_permits(), 0, "it goes on although the other call has the core");
        drop(core);
        assert_eq!(all.available_permits(), 0);
        drop(keeper);
        assert_eq!(all.available_permits(), 1);
    }

    #[tokio::test]
    async fn an_immediate_answer_does_not_free_the_core() {
        let all = Arc::new(Semaphore::new(1));
        let core = Core::take(&all).await;
        assert_eq!(core.free_while(async { all.available_permits() }).await, 0);
    }
}
