//! Admits calls: each one waits until the memory that it needs for the guest and for the host is free, and gets both at
//! once.
//!
//! A call that has begun never waits for more, so calls cannot block each other. Executions take turns: sixty thumbnails of
//! one execution wait in their own line and do not keep another execution's callback waiting behind them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::oneshot;

use crate::lock::lock;

/// Memory in MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    /// For guests.
    pub(crate) guest: u32,
    /// For what the host holds for guests.
    pub(crate) host: u32,
}

impl Room {
    fn has(self, other: Room) -> bool {
        self.guest >= other.guest && self.host >= other.host
    }
}

/// Hands out a fixed amount of memory. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Admission {
    total: Room,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    free: Room,
    /// A line of waiting calls for each execution, in the order of their turns. No line is empty.
    lines: VecDeque<Line>,
}

#[derive(Debug)]
struct Line {
    execution: String,
    calls: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    need: Room,
    admit: oneshot::Sender<Place>,
}

impl State {
    fn keep_first(&mut self, line: Line) {
        if !line.calls.is_empty() {
            self.lines.push_front(line);
        }
    }

    fn keep_last(&mut self, line: Line) {
        if !line.calls.is_empty() {
            self.lines.push_back(line);
        }
    }
}

impl Admission {
    pub(crate) fn new(total: Room) -> Self {
        Self { total, state: Arc::new(Mutex::new(State { free: total, lines: VecDeque::new() })) }
    }

    /// Waits for `need`, or for all memory of the machine if that is less, and returns the place.
    pub(crate) async fn enter(&self, execution: &str, need: Room) -> Place {
        let need = Room { guest: need.guest.min(self.total.guest), host: need.host.min(self.total.host) };
        let (admit, admitted) = oneshot::channel();
        self.line_up(execution, Waiting { need, admit });
        // If this future is dropped, the calls behind it must not wait for it.
        let _leave = OnDrop(|| self.admit());
        match admitted.await {
            Ok(place) => place,
            // The sender is dropped only after the receiver; a place of nothing is never given out.
            Err(_) => Place { admission: self.clone(), held: Room { guest: 0, host: 0 } },
        }
    }

    fn line_up(&self, execution: &str, waiting: Waiting) {
        let mut state = lock(&self.state);
        match state.lines.iter_mut().find(|line| line.execution == execution) {
            Some(line) => line.calls.push_back(waiting),
            None => {
                let line = Line { execution: execution.to_owned(), calls: VecDeque::from([waiting]) };
                state.lines.push_back(line);
            }
        }
        drop(state);
        self.admit();
    }

    /// Admits the calls whose turn it is, as long as the next one fits.
    fn admit(&self) {
        let mut state = lock(&self.state);
        while let Some(mut line) = state.lines.pop_front() {
            let Some(next) = line.calls.pop_front() else { continue };
            if next.admit.is_closed() {
                // It has given up waiting: its execution keeps the turn.
                state.keep_first(line);
            } else if state.free.has(next.need) {
                state.free.guest -= next.need.guest;
                state.free.host -= next.need.host;
                let place = Place { admission: self.clone(), held: next.need };
                if let Err(mut place) = next.admit.send(place) {
                    // It gave up just now. The lock is held, so the place is taken back here and not by its drop.
                    place.held = Room { guest: 0, host: 0 };
                    state.free.guest += next.need.guest;
                    state.free.host += next.need.host;
                }
                state.keep_last(line);
            } else {
                line.calls.push_front(next);
                state.lines.push_front(line);
                return;
            }
        }
    }

    fn free(&self, room: Room) {
        if room != (Room { guest: 0, host: 0 }) {
            let mut state = lock(&self.state);
            state.free.guest += room.guest;
            state.free.host += room.host;
            drop(state);
            self.admit();
        }
    }
}

/// The memory of an admitted call; dropping it frees all.
#[derive(Debug)]
pub(crate) struct Place {
    admission: Admission,
    held: Room,
}

impl Place {
    /// Returns the memory that is held.
    pub(crate) fn room(&self) -> Room {
        self.held
    }

    /// Frees the guest's memory and keeps the host's.
    pub(crate) fn free_guest(&mut self) {
        let guest = std::mem::take(&mut self.held.guest);
        self.admission.free(Room { guest, host: 0 });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.admission.free(self.held);
    }
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use tokio::task::JoinHandle;

    use super::*;

    const HALF: Room = Room { guest: 50, host: 10 };

    fn admission() -> Admission {
        Admission::new(Room { guest: 100, host: 20 })
    }

    /// Lets a call line up and waits until it has.
    async fn waiting(admission: &Admission, execution: &'static str, need: Room) -> JoinHandle<Place> {
        let before = lined_up(admission);
        let call = tokio::spawn({
            let admission = admission.clone();
            async move { admission.enter(execution, need).await }
        });
        while lined_up(admission) == before && !call.is_finished() {
            tokio::task::yield_now().await;
        }
        call
    }

    fn lined_up(admission: &Admission) -> usize {
        lock(&admission.state).lines.iter().map(|line| line.calls.len()).sum()
    }

    fn free(admission: &Admission) -> Room {
        lock(&admission.state).free
    }

    #[tokio::test]
    async fn a_call_waits_for_either_kind_of_memory() {
        let admission = admission();
        let first = admission.enter("a", Room { guest: 10, host: 20 }).await;
        let second = waiting(&admission, "a", Room { guest: 10, host: 1 }).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(!second.is_finished(), "there is no host memory left");
        drop(first);
        assert_eq!(second.await.unwrap().room(), Room { guest: 10, host: 1 });
        assert_eq!(free(&admission), Room { guest: 100, host: 20 });
    }

    #[tokio::test]
    async fn executions_take_turns() {
        let admission = admission();
        let running = admission.enter("many", Room { guest: 100, host: 20 }).await;
        let mut many = Vec::new();
        for _ in 0..60 {
            many.push(waiting(&admission, "many", Room { guest: 100, host: 20 }).await);
        }
        let single = waiting(&admission, "single", Room { guest: 100, host: 20 }).await;
        drop(running);
        // The first of the sixty was there earlier; then it is the other execution's turn.
        drop(many.remove(0).await.unwrap());
        drop(single.await.unwrap());
        assert!(lined_up(&admission) >= 58, "at most one of the sixty was admitted since");
        for call in many {
            drop(call.await.unwrap());
        }
    }

    #[tokio::test]
    async fn a_call_that_gives_up_does_not_keep_those_behind_it_waiting() {
        let admission = admission();
        let _running = admission.enter("a", HALF).await;
        let large = waiting(&admission, "a", Room { guest: 100, host: 1 }).await;
        let small = waiting(&admission, "b", HALF).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert!(!small.is_finished(), "it is the large one's turn");
        large.abort();
        assert_eq!(small.await.unwrap().room(), HALF);
    }

    #[tokio::test]
    async fn a_call_gets_no_more_than_there_is_and_frees_the_guest_s_part_first() {
        let admission = admission();
        let mut place = admission.enter("a", Room { guest: 1000, host: 1000 }).await;
        assert_eq!(place.room(), Room { guest: 100, host: 20 });
        place.free_guest();
        assert_eq!(free(&admission), Room { guest: 100, host: 0 });
        drop(place);
        assert_eq!(free(&admission), Room { guest: 100, host: 20 });
    }
}
