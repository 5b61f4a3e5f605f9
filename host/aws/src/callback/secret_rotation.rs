//! Provides the callback's secret, and notices when it was rotated.
//!
//! A fetched secret is used as long as `refreshed` says, and no longer than until the backend refuses it.

use std::fmt;
use std::time::SystemTime;

use async_trait::async_trait;
use stagehost_batch::Failure;

use crate::callback::refreshed::Refreshed;
use crate::callback::secret::Secret;
use crate::callback::secret_store::SecretStore;

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
    kept: Refreshed<Secret>,
}

impl AwsSecret {
    pub(crate) fn new(store: SecretStore) -> Self {
        Self::with_clock(store, SystemTime::now)
    }

    pub(crate) fn with_clock(store: SecretStore, clock: fn() -> SystemTime) -> Self {
        Self { store, kept: Refreshed::new(clock) }
    }
}

#[async_trait]
impl SecretSource for AwsSecret {
    async fn current(&self) -> Result<Secret, Failure> {
        let stays = |failure: &Failure| {
            tracing::error!(
                arn = %self.store.arn(),
                error = %failure.message,
                "the callback secret could not be refreshed; the old one stays in use"
            );
        };
        self.kept.current(self.store.fetch(), stays).await
    }

    async fn renewed(&self, refused: &Secret) -> Option<Secret> {
        match self.kept.renewed(|secret| !secret.is(refused), self.store.fetch()).await {
            Ok(renewed) => renewed,
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
