//! Discards the objects that a call has left unfinished.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::capability::ObjectWriter;

/// The longest that a call's answer waits for this. A store that does not answer must not delay it for minutes.
const WAIT: Duration = Duration::from_secs(5);
/// How long it waits even if the caller's deadline has passed: the caller keeps a margin for this.
const AT_LEAST: Duration = Duration::from_millis(500);

/// Discards unfinished objects, all at once. Returns after five seconds or at the deadline at the latest; what is not
/// discarded by then goes on in the background and is logged. `call` names the call in the log.
pub(crate) async fn discard(writers: Vec<Box<dyn ObjectWriter>>, deadline: Option<Instant>, call: &str) {
    let now = Instant::now();
    let until = deadline.map_or(now + WAIT, |deadline| deadline.clamp(now + AT_LEAST, now + WAIT));
    discard_until(writers, until, call).await;
}

async fn discard_until(writers: Vec<Box<dyn ObjectWriter>>, until: Instant, call: &str) {
    if writers.is_empty() {
        return;
    }
    let mut discarding = JoinSet::new();
    for writer in writers {
        discarding.spawn(writer.abort());
    }
    let all = async { while discarding.join_next().await.is_some() {} };
    if tokio::time::timeout_at(until.into(), all).await.is_ok() {
        return;
    }
    let (left, call) = (discarding.len(), call.to_owned());
    tracing::warn!(
        call,
        left,
        "unfinished objects are still being discarded; if that fails, the bucket's lifecycle rule removes them"
    );
    tokio::spawn(async move {
        while discarding.join_next().await.is_some() {}
        tracing::info!(call, "the unfinished objects have been discarded");
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use bytes::Bytes;
    use stagehost_batch::Failure;
    use tokio::sync::{Barrier, Semaphore};

    use super::*;
    use crate::capability::ObjectInfo;

    /// Ends when all writers are being discarded and the store answers.
    struct Writer {
        together: Arc<Barrier>,
        store: Arc<Semaphore>,
        discarded: Arc<AtomicUsize>,
    }

    #[async_trait]
    impl ObjectWriter for Writer {
        async fn append(&mut self, _: Bytes) -> Result<(), Failure> {
            Ok(())
        }
        async fn append_object(&mut self, _: &str, _: Option<&str>, _: u64, _: u64) -> Result<(), Failure> {
            Ok(())
        }
        async fn finish(self: Box<Self>) -> Result<ObjectInfo, Failure> {
            unreachable!("it is discarded")
        }
        async fn abort(self: Box<Self>) {
            self.together.wait().await;
            let _answer = self.store.acquire().await;
            self.discarded.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn writers(store: usize) -> (Vec<Box<dyn ObjectWriter>>, Arc<Semaphore>, Arc<AtomicUsize>) {
        let (together, discarded) = (Arc::new(Barrier::new(16)), Arc::new(AtomicUsize::new(0)));
        let store = Arc::new(Semaphore::new(store));
        let writer = |_| Writer { together: together.clone(), store: store.clone(), discarded: discarded.clone() };
        (
            (0..16).map(writer).map(|writer| Box::new(writer) as Box<dyn ObjectWriter>).collect(),
            store.clone(),
            discarded.clone(),
        )
    }

    #[tokio::test]
    async fn all_are_discarded_at_the_same_time() {
        let (writers, _, discarded) = writers(16);
        discard(writers, None, "call").await;
        assert_eq!(discarded.load(Ordering::SeqCst), 16);
    }

    #[tokio::test]
    async fn a_store_that_does_not_answer_holds_nobody_and_gets_the_rest_later() {
        let (writers, store, discarded) = writers(0);
        discard_until(writers, Instant::now() + Duration::from_millis(20), "call").await;
        assert_eq!(discarded.load(Ordering::SeqCst), 0);
        store.add_permits(16);
        while discarded.load(Ordering::SeqCst) < 16 {
            tokio::task::yield_now().await;
        }
    }
}
