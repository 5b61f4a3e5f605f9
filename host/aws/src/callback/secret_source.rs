//! Where the callback's secret comes from, and how long it is believed.
//!
//! A function lives for hours and is frozen between calls, while a secret may be rotated at any time. So a secret that
//! was fetched is believed for five minutes of wall-clock time, and no longer than until the backend refuses it. A
//! keeper that does not answer must not stop callbacks that the old secret still signs well.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use stagehost_batch::Failure;
use tokio::sync::Mutex;

use crate::callback::secret::Secret;
use crate::callback::secret_store::SecretStore;

/// How long a fetched secret is believed, in wall-clock time: a monotonic clock may stand still in a frozen function.
pub(crate) const FRESH_FOR: Duration = Duration::from_secs(300);

/// Gives the secret that callbacks are signed with.
#[async_trait]
pub trait SecretSource: fmt::Debug + Send + Sync + 'static {
    /// The secret to sign with now.
    ///
    /// # Errors
    /// `Denied` when it may not be read, does not exist or is none; `Transient` when its keeper does not answer. The
    /// message names the secret's ARN and the next step, and nothing of its value.
    async fn current(&self) -> Result<Secret, Failure>;

    /// The backend refused a signature made with `refused`: another secret, if there is one by now. What goes wrong
    /// while looking is logged, because the backend's refusal is the answer that counts.
    async fn renewed(&self, refused: &Secret) -> Option<Secret>;
}

/// One that never changes, on one machine.
#[async_trait]
impl SecretSource for Secret {
    async fn current(&self) -> Result<Secret, Failure> {
        Ok(self.clone())
    }

    async fn renewed(&self, _: &Secret) -> Option<Secret> {
        None
    }
}

/// A secret in Secrets Manager or in SSM's Parameter Store, fetched when it is first needed.
pub struct AwsSecret {
    store: SecretStore,
    clock: fn() -> SystemTime,
    /// Held while fetching, so that calls at the same time fetch once.
    held: Mutex<Option<Held>>,
}

struct Held {
    secret: Secret,
    fetched: SystemTime,
}

impl Held {
    /// A clock that was set back makes it stale: better one request too many.
    fn is_fresh(&self, now: SystemTime) -> bool {
        now.duration_since(self.fetched).is_ok_and(|age| age < FRESH_FOR)
    }
}

impl AwsSecret {
    pub(crate) fn new(store: SecretStore) -> Self {
        Self::with_clock(store, SystemTime::now)
    }

    pub(crate) fn with_clock(store: SecretStore, clock: fn() -> SystemTime) -> Self {
        Self { store, clock, held: Mutex::new(None) }
    }

    async fn fetch(&self, held: &mut Option<Held>) -> Result<Secret, Failure> {
        let fetched = (self.clock)();
        let secret = self.store.fetch().await?;
        *held = Some(Held { secret: secret.clone(), fetched });
        Ok(secret)
    }
}

#[async_trait]
impl SecretSource for AwsSecret {
    async fn current(&self) -> Result<Secret, Failure> {
        let mut held = self.held.lock().await;
        let old = match held.as_ref() {
            Some(there) if there.is_fresh((self.clock)()) => return Ok(there.secret.clone()),
            old => old.map(|old| old.secret.clone()),
        };
        match (self.fetch(&mut held).await, old) {
            (Ok(secret), _) => Ok(secret),
            (Err(failure), Some(old)) => {
                tracing::error!(arn = %self.store.arn(), error = %failure.message, "the callback secret could not be refreshed; the old one is used on");
                Ok(old)
            }
            (Err(failure), None) => Err(failure),
        }
    }

    async fn renewed(&self, refused: &Secret) -> Option<Secret> {
        let mut held = self.held.lock().await;
        if let Some(there) = held.as_ref().filter(|there| !there.secret.is(refused)) {
            return Some(there.secret.clone());
        }
        match self.fetch(&mut held).await {
            Ok(secret) => Some(secret).filter(|secret| !secret.is(refused)),
            Err(failure) => {
                tracing::error!(arn = %self.store.arn(), error = %failure.message, "the backend refused the signature, and the callback secret could not be refreshed");
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
#[path = "secret_source_tests.rs"]
mod tests;
