//! Provides the callback's secret, and notices when it was rotated.
//!
//! A function lives for hours and is frozen between calls, and a secret may be rotated at any time. So a fetched secret
//! is used for five minutes of wall-clock time, and no longer than until the backend refuses it. If the secret's
//! service does not answer, the old secret stays in use, because it may still be valid.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use stagehost_batch::Failure;
use tokio::sync::Mutex;

use crate::callback::secret::Secret;
use crate::callback::secret_store::SecretStore;

/// How long a fetched secret is used, in wall-clock time: a monotonic clock may stand still in a frozen function.
const MAX_AGE: Duration = Duration::from_secs(300);

/// A source of the secret that signs callbacks.
#[async_trait]
pub trait SecretSource: fmt::Debug + Send + Sync + 'static {
    /// Returns the secret to sign with now.
    ///
    /// # Errors
    /// `Denied` if the secret must not be read, does not exist or is invalid; `Transient` if its service does not
    /// answer. The message names the secret's ARN and the next step, and never the value.
    async fn current(&self) -> Result<Secret, Failure>;

    /// Returns another secret after the backend refused a signature made with `refused`; `None` if there is no other.
    /// A failure is logged and not returned, because the caller then reports the backend's refusal.
    async fn renewed(&self, refused: &Secret) -> Option<Secret>;
}

/// A secret that never changes, for a host on one machine.
#[async_trait]
impl SecretSource for Secret {
    async fn current(&self) -> Result<Secret, Failure> {
        Ok(self.clone())
    }

    async fn renewed(&self, _: &Secret) -> Option<Secret> {
        None
    }
}

/// A secret in Secrets Manager or in SSM's Parameter Store. It is fetched when it is first needed.
pub struct AwsSecret {
    store: SecretStore,
    clock: fn() -> SystemTime,
    /// Locked during a fetch, so that simultaneous calls fetch once.
    cached: Mutex<Option<CachedSecret>>,
}

struct CachedSecret {
    secret: Secret,
    fetched: SystemTime,
}

impl CachedSecret {
    /// Returns whether the secret may still be used. It may not if the clock was set back.
    fn is_fresh(&self, now: SystemTime) -> bool {
        now.duration_since(self.fetched).is_ok_and(|age| age < MAX_AGE)
    }
}

impl AwsSecret {
    pub(crate) fn new(store: SecretStore) -> Self {
        Self::with_clock(store, SystemTime::now)
    }

    pub(crate) fn with_clock(store: SecretStore, clock: fn() -> SystemTime) -> Self {
        Self { store, clock, cached: Mutex::new(None) }
    }

    async fn fetch(&self, cached: &mut Option<CachedSecret>) -> Result<Secret, Failure> {
        let fetched = (self.clock)();
        let secret = self.store.fetch().await?;
        *cached = Some(CachedSecret { secret: secret.clone(), fetched });
        Ok(secret)
    }
}

#[async_trait]
impl SecretSource for AwsSecret {
    async fn current(&self) -> Result<Secret, Failure> {
        let mut cached = self.cached.lock().await;
        let old = match cached.as_ref() {
            Some(cached) if cached.is_fresh((self.clock)()) => return Ok(cached.secret.clone()),
            old => old.map(|old| old.secret.clone()),
        };
        match (self.fetch(&mut cached).await, old) {
            (Ok(secret), _) => Ok(secret),
            (Err(failure), Some(old)) => {
                tracing::error!(
                    arn = %self.store.arn(),
                    error = %failure.message,
                    "the callback secret could not be refreshed; the old one stays in use"
                );
                Ok(old)
            }
            (Err(failure), None) => Err(failure),
        }
    }

    async fn renewed(&self, refused: &Secret) -> Option<Secret> {
        let mut cached = self.cached.lock().await;
        if let Some(newer) = cached.as_ref().filter(|cached| !cached.secret.is(refused)) {
            return Some(newer.secret.clone());
        }
        match self.fetch(&mut cached).await {
            Ok(secret) => Some(secret).filter(|secret| !secret.is(refused)),
            Err(failure) => {
                tracing::error!(
                    arn = %self.store.arn(),
                    error = %failure.message,
                    "the backend refused the signature, and the callback secret could not be refreshed"
                );
                None
            }
        }
    }
}

impl fmt::Debug for AwsSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwsSecret({})", self.store.arn())
    }
}

#[cfg(test)]
#[path = "secret_rotation_tests.rs"]
mod tests;
