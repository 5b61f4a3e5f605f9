//! The lowest revision that may be in force.
//!
//! A signature does not say whether pins are the newest ones. A running process refuses a revision below the one that
//! it has seen; a process that starts has seen none. So it compares the pins with a number that is kept outside of
//! their store, and that only grows. An attacker who can write only to the store cannot lower it.

use std::sync::Arc;

use stagehost_storage::GrowingNumber;
use tokio::sync::OnceCell;

use crate::error::PinError;

/// The lowest revision that may be in force. By default, every revision may be.
#[derive(Default)]
pub struct Floor {
    fixed: u64,
    kept: Option<Arc<dyn GrowingNumber>>,
    /// The number as it was when the process started.
    read: OnceCell<u64>,
}

impl Floor {
    /// Returns a floor that is the higher one of `fixed` and the `kept` number.
    pub fn new(fixed: u64, kept: Option<Arc<dyn GrowingNumber>>) -> Self {
        Self { fixed, kept, read: OnceCell::new() }
    }

    /// Returns the lowest revision that may be in force. The kept number is read once.
    ///
    /// # Errors
    /// If the number cannot be read: then nobody knows which revisions are too old.
    pub async fn lowest(&self) -> Result<u64, PinError> {
        let Some(kept) = &self.kept else { return Ok(self.fixed) };
        let read = self.read.get_or_try_init(|| async {
            let number = kept.read().await?;
            if number.is_none() {
                tracing::warn!(place = kept.place(), "no lowest revision of the pins is set there");
            }
            Ok::<_, PinError>(number.unwrap_or_default())
        });
        Ok(self.fixed.max(*read.await?))
    }
}
