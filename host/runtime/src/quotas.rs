//! How many effects one call may have, and the counters that enforce it.

use serde::{Deserialize, Serialize};
use stagehost_batch::{Case, Failure};

/// The most effects of one call, from its pin. A pin names those that differ from the defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Quotas {
    /// Objects begun, and objects deleted.
    pub objects_written: u64,
    /// Bytes written or copied into objects.
    pub bytes_written: u64,
    /// Requests to the store: look-ups, digests, opens, reads, writers, copied ranges, tags, listings, deletions.
    pub storage_requests: u64,
    /// Requests to other services over HTTP.
    pub http_requests: u64,
    /// Bytes of bodies sent to other services over HTTP, and of the answers' bodies.
    pub http_bytes: u64,
    /// Transcoding jobs submitted.
    pub jobs: u64,
    /// Attempts to deliver the callback.
    pub deliveries: u64,
}

impl Default for Quotas {
    /// Returns several times what the shipped stages need for the largest batch of the default limits.
    fn default() -> Self {
        Self {
            objects_written: 256,
            bytes_written: 4 << 30,
            storage_requests: 100_000,
            http_requests: 1_000,
            http_bytes: 4 << 30,
            jobs: 256,
            deliveries: 32,
        }
    }
}

impl Quotas {
    pub(crate) fn are_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Something with an effect outside the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Object,
    Bytes(u64),
    StorageRequest,
    HttpRequest,
    HttpBytes(u64),
    Job,
    Delivery,
}

/// Counts the effects of one call.
#[derive(Debug)]
pub(crate) struct Effects {
    quotas: Quotas,
    used: Quotas,
}

impl Effects {
    pub(crate) fn new(quotas: Quotas) -> Self {
        let used = Quotas {
            objects_written: 0,
            bytes_written: 0,
            storage_requests: 0,
            http_requests: 0,
            http_bytes: 0,
            jobs: 0,
            deliveries: 0,
        };
        Self { quotas, used }
    }

    /// Counts an effect that is about to be attempted. Errors: `TooLarge` if the quota does not allow it; it must not
    /// happen then.
    pub(crate) fn count(&mut self, effect: Effect) -> Result<(), Failure> {
        let (used, after) = self.after(effect)?;
        *used = after;
        Ok(())
    }

    /// Checks that the quota allows an effect, without counting it. Errors: as for [`count`](Self::count).
    pub(crate) fn check(&mut self, effect: Effect) -> Result<(), Failure> {
        self.after(effect).map(|_| ())
    }

    /// Returns the counter of an effect, and what it would be afterwards.
    fn after(&mut self, effect: Effect) -> Result<(&mut u64, u64), Failure> {
        let Self { quotas, used } = self;
        let (name, quota, used, amount) = match effect {
            Effect::Object => ("objectsWritten", quotas.objects_written, &mut used.objects_written, 1),
            Effect::Bytes(bytes) => ("bytesWritten", quotas.bytes_written, &mut used.bytes_written, bytes),
            Effect::StorageRequest => ("storageRequests", quotas.storage_requests, &mut used.storage_requests, 1),
            Effect::HttpRequest => ("httpRequests", quotas.http_requests, &mut used.http_requests, 1),
            Effect::HttpBytes(bytes) => ("httpBytes", quotas.http_bytes, &mut used.http_bytes, bytes),
            Effect::Job => ("jobs", quotas.jobs, &mut used.jobs, 1),
            Effect::Delivery => ("deliveries", quotas.deliveries, &mut used.deliveries, 1),
        };
        let after = used.saturating_add(amount);
        if after > quota {
            let message = format!(
                "the pin's quota {name} allows one call {quota}, and this would be {after}; if the stage needs more, raise \
                 limits.quotas.{name} in its pin"
            );
            return Err(Failure::new(Case::TooLarge, message));
        }
        Ok((used, after))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_effect_beyond_a_quota_is_refused_with_its_name_and_value() {
        let mut effects = Effects::new(Quotas { objects_written: 2, ..Quotas::default() });
        effects.count(Effect::Object).unwrap();
        effects.count(Effect::Object).unwrap();
        let refused = effects.count(Effect::Object).unwrap_err();
        assert_eq!(refused.case, Case::TooLarge);
        assert!(refused.message.contains("quota objectsWritten allows one call 2"), "{refused}");
        assert!(refused.message.contains("raise limits.quotas.objectsWritten"), "{refused}");
        effects.count(Effect::StorageRequest).unwrap();
    }

    #[test]
    fn bytes_add_up_without_wrapping_and_a_refused_attempt_is_not_counted() {
        let mut effects = Effects::new(Quotas { bytes_written: 100, ..Quotas::default() });
        effects.count(Effect::Bytes(60)).unwrap();
        assert!(effects.count(Effect::Bytes(u64::MAX)).is_err());
        assert!(effects.count(Effect::Bytes(41)).is_err());
        effects.check(Effect::Bytes(40)).unwrap();
        effects.count(Effect::Bytes(40)).unwrap();
        assert!(effects.check(Effect::Bytes(1)).is_err());
        assert!(effects.count(Effect::Bytes(1)).is_err());
    }

    #[test]
    fn each_effect_has_its_own_quota() {
        let effects = [
            (Effect::Object, "objectsWritten"),
            (Effect::Bytes(1), "bytesWritten"),
            (Effect::StorageRequest, "storageRequests"),
            (Effect::HttpRequest, "httpRequests"),
            (Effect::HttpBytes(1), "httpBytes"),
            (Effect::Job, "jobs"),
            (Effect::Delivery, "deliveries"),
        ];
        for (effect, name) in effects {
            let mut document = serde_json::to_value(Quotas::default()).unwrap();
            document[name] = 0.into();
            let refused = Effects::new(serde_json::from_value(document).unwrap()).count(effect).unwrap_err();
            assert!(refused.message.contains(name), "{refused}");
            Effects::new(Quotas::default()).count(effect).unwrap();
        }
    }

    #[test]
    fn a_pin_names_only_the_quotas_that_differ() {
        let quotas: Quotas = serde_json::from_str(r#"{"jobs": 1000}"#).unwrap();
        assert_eq!(quotas, Quotas { jobs: 1000, ..Quotas::default() });
        assert!(serde_json::from_str::<Quotas>(r#"{"job": 1000}"#).is_err());
    }
}
