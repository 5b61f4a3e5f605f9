//! The dead-letter queue on SQS.

use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use stagehost_aws::Queues;

use crate::source::error::SourceError;
use crate::source::journal::{DeadLetter, DeadLetterQueue};

/// How long a message that was looked at stays hidden from others, in seconds.
const HIDDEN: u32 = 5;

/// How many messages are looked at.
const LOOKED_AT: usize = 20;

/// A dead-letter queue. Looking at a message hides it from others for some seconds and counts as a receive.
pub struct SqsDeadLetters {
    queues: Arc<Queues>,
    queue: String,
}

impl SqsDeadLetters {
    /// Returns the queue with this ARN.
    pub fn new(queues: Arc<Queues>, queue: String) -> Self {
        Self { queues, queue }
    }
}

#[async_trait]
impl DeadLetterQueue for SqsDeadLetters {
    async fn letters(&self) -> Result<Vec<DeadLetter>, SourceError> {
        let mut letters: Vec<DeadLetter> = Vec::new();
        for _ in 0..LOOKED_AT {
            let received = self.queues.receive(&self.queue, HIDDEN).await;
            let received = received.map_err(|failure| SourceError::Failed(failure.message))?;
            if received.is_empty() {
                break;
            }
            for message in received {
                let digest = hex::encode(Sha256::digest(&message.body));
                let id = digest.get(..16).unwrap_or(&digest).to_owned();
                // The same job was sent twice, or the first message can be seen again.
                if letters.iter().any(|letter| letter.id == id) {
                    continue;
                }
                letters.push(DeadLetter { id, at: None, body: message.body });
            }
        }
        Ok(letters)
    }
}
