//! `wasi:io/poll`, in place of wasmtime-wasi's: a guest that sleeps or waits gives its core to others.

use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi::p2::DynPollable;
use wasmtime_wasi::p2::bindings::io::poll::{Host, HostPollable};

use crate::cores::Core;

/// The most things that a guest may wait for at once.
const MAX_POLLABLES: usize = 4096;

/// The type of [`Waits`] for the linker.
pub(crate) struct HasWaits;

impl HasData for HasWaits {
    type Data<'a> = Waits<'a>;
}

/// What a call waits for, and the core that it gives up meanwhile.
pub(crate) struct Waits<'a> {
    pub(crate) core: Core,
    pub(crate) table: &'a mut ResourceTable,
}

impl Host for Waits<'_> {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        if pollables.len() > MAX_POLLABLES {
            return Err(wasmtime::format_err!(
                "waiting for {} things; at most {MAX_POLLABLES} are allowed",
                pollables.len()
            ));
        }
        self.core.free_while(Host::poll(self.table, pollables)).await
    }
}

impl HostPollable for Waits<'_> {
    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        self.table.ready(pollable).await
    }

    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.core.free_while(self.table.block(pollable)).await
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        HostPollable::drop(self.table, pollable)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use tokio::sync::Semaphore;
    use wasmtime_wasi::p2::{Pollable, subscribe};

    use super::*;

    /// Ready when another call has had the core.
    struct Turn(Arc<Semaphore>);

    #[async_trait::async_trait]
    impl Pollable for Turn {
        async fn ready(&mut self) {
            drop(Core::take(&self.0).await);
        }
    }

    async fn waits<'a>(cores: &Arc<Semaphore>, table: &'a mut ResourceTable) -> (Waits<'a>, Resource<DynPollable>) {
        let turn = table.push(Turn(cores.clone())).unwrap();
        let pollable = subscribe(table, turn).unwrap();
        (Waits { core: Core::take(cores).await, table }, pollable)
    }

    #[tokio::test]
    async fn a_guest_that_waits_lets_another_one_run() {
        let (cores, mut table) = (Arc::new(Semaphore::new(1)), ResourceTable::new());
        let (mut waits, pollable) = waits(&cores, &mut table).await;
        let same = || Resource::new_borrow(pollable.rep());
        waits.block(same()).await.unwrap();
        assert_eq!(Host::poll(&mut waits, vec![same(), same()]).await.unwrap(), [0, 1]);
        assert_eq!(cores.available_permits(), 0, "it has its core again");
    }

    #[tokio::test]
    async fn a_guest_cannot_wait_for_a_million_things() {
        let (cores, mut table) = (Arc::new(Semaphore::new(1)), ResourceTable::new());
        let (mut waits, pollable) = waits(&cores, &mut table).await;
        let many = (0..1_000_000).map(|_| Resource::new_borrow(pollable.rep())).collect();
        assert!(Host::poll(&mut waits, many).await.is_err());
    }

    #[tokio::test]
    async fn a_look_without_waiting_keeps_the_core() {
        let (cores, mut table) = (Arc::new(Semaphore::new(1)), ResourceTable::new());
        let (mut waits, pollable) = waits(&cores, &mut table).await;
        assert!(!waits.ready(Resource::new_borrow(pollable.rep())).await.unwrap());
        assert_eq!(cores.available_permits(), 0);
    }
}
