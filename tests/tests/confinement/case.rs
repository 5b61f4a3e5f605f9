//! Which component misbehaves how, and what the host must answer.

use std::sync::atomic::{AtomicU64, Ordering};

use stagehost_runtime::{Limits, World};

use crate::components::Guest;
use crate::outside::Outside;

/// What a guest does, and how every call of it must end.
#[derive(Clone, Copy, Debug)]
pub struct Behaviour {
    /// The word that the guest knows it by.
    pub name: &'static str,
    /// The name of the failure, such as `Stage.Timeout`; empty if the call must succeed.
    pub code: &'static str,
    /// A part of the failure's message.
    pub says: &'static str,
}

/// Part of the refusal of a host call's arguments or of an answer, before the host has allocated anything for them.
pub const AT_ONCE: &str = "passed more than 4352 KiB to the host at once";

/// Returns a behaviour that must fail in this way.
pub const fn fails(name: &'static str, code: &'static str, says: &'static str) -> Behaviour {
    Behaviour { name, code, says }
}

/// Returns a behaviour that harms nobody, so that the call succeeds.
pub const fn succeeds(name: &'static str) -> Behaviour {
    Behaviour { name, code: "", says: "" }
}

/// How the hostile component is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// In service.
    InService,
    /// In service, and every call is recorded and the record is stored.
    Recorded,
    /// As a candidate in the shadow of an honest stage.
    Shadow,
}

/// Components of one kind that are besieging a host together.
#[derive(Clone, Copy)]
pub struct Case {
    pub guest: Guest,
    pub behaviours: &'static [Behaviour],
    pub role: Role,
    /// Of the hostile calls. Honest ones have limits of their own.
    pub limits: fn() -> Limits,
    /// Compares what so many hostile calls did to the world with what they may do.
    pub effects: fn(&Outside, u64),
}

impl Case {
    /// Returns a case of a stage in service that may do nothing to the world, with 16 MiB.
    pub const fn new(name: &'static str, world: World, behaviours: &'static [Behaviour]) -> Self {
        Self { guest: Guest::new(name, world), behaviours, role: Role::InService, limits: small, effects: none }
    }

    pub const fn limits(self, limits: fn() -> Limits) -> Self {
        Self { limits, ..self }
    }

    pub const fn role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    pub const fn effects(self, effects: fn(&Outside, u64)) -> Self {
        Self { effects, ..self }
    }
}

/// 16 MiB and a time that no call reaches which does not loop or wait.
pub fn small() -> Limits {
    Limits { memory_mib: 16, deadline_ms: 20_000, ..Limits::default() }
}

/// Room for a list of 60 MiB.
pub fn large() -> Limits {
    Limits { memory_mib: 96, ..small() }
}

/// Little time, for those that never end.
pub fn short() -> Limits {
    Limits { memory_mib: 8, deadline_ms: 50, ..Limits::default() }
}

/// Nothing was written, sent or started.
pub fn none(outside: &Outside, calls: u64) {
    at_most("created", &outside.created, 0, calls);
    at_most("bytes", &outside.bytes, 0, calls);
    at_most("jobs", &outside.jobs, 0, calls);
    at_most("deliveries", &outside.deliveries, 0, calls);
    at_most("requests", &outside.requests, 0, calls);
    assert!(outside.tags().is_empty(), "{:?}", outside.tags());
}

/// Asserts that so many calls had at most `each` of an effect each.
pub fn at_most(what: &str, counter: &AtomicU64, each: u64, calls: u64) {
    let total = counter.load(Ordering::SeqCst);
    assert!(total <= each * calls, "{calls} calls with at most {each} {what} each had {total} together");
}
