//! Catches the panic of work, as tokio catches that of a spawned task.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Returns the result of `work`; `None` if it panics. It is not polled again then, and everything that it owns is dropped.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
        Ok(Poll::Ready(done)) => Poll::Ready(Some(done)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(None),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_ends_the_work_and_nothing_else() {
        let work = async |panics: bool| {
            tokio::task::yield_now().await;
            assert!(!panics, "on purpose");
            1
        };
        assert_eq!(caught(work(false)).await, Some(1));
        assert_eq!(caught(work(true)).await, None);
    }
}
