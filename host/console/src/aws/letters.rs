//! The dead-letter queue on SQS. A queue has no list: messages are received, looked at, and made visible again.

use std::sync::Arc;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use stagehost_aws::{KeptMessage, Queues, Redelivery};

use crate::source::error::SourceError;
use crate::source::journal::{DeadLetter, DeadLetterQueue, SeenLetters};

/// How long a message stays hidden from others while further ones are received, in seconds. Afterwards it is made visible again.
const HIDDEN: u32 = 60;

/// How many messages are asked for at once.
const AT_ONCE: usize = 5;

/// A dead-letter queue. Looking at a message counts as a receive.
pub struct SqsDeadLetters {
    queues: Arc<Queues>,
    queue: String,
}

impl SqsDeadLetters {
    /// Returns the queue with this ARN.
    pub fn new(queues: Arc<Queues>, queue: String) -> Self {
        Self { queues, queue }
    }

    /// Receives messages until there is none or there are `most`.
    async fn received(&self, most: usize, into: &mut Vec<KeptMessage>) -> Result<(), SourceError> {
        while into.len() < most {
            let asked = AT_ONCE.min(most - into.len());
            let some = (0..asked).map(|_| self.queues.receive(&self.queue, HIDDEN));
            let mut found = false;
            let mut failed = None;
            for received in futures::future::join_all(some).await {
                match received {
                    Ok(messages) => {
                        found |= !messages.is_empty();
                        into.extend(messages);
                    }
                    Err(failure) => failed = Some(SourceError::Failed(failure.message)),
                }
            }
            match failed {
                Some(failure) => return Err(failure),
                None if !found => break,
                None => {}
            }
        }
        Ok(())
    }

    /// Makes messages visible again. Those for which it fails become visible by themselves.
    async fn release(&self, messages: &[KeptMessage]) {
        let again: Vec<_> = messages
            .iter()
            .map(|message| Redelivery {
                message_id: id(&message.body),
                receipt_handle: message.receipt_handle.clone(),
                after_seconds: 0,
            })
            .collect();
        for some in again.chunks(Queues::MAX_MESSAGES) {
            if let Err(failure) = self.queues.redeliver(&self.queue, some).await {
                tracing::debug!(why = failure.message, "messages that were looked at stay hidden for {HIDDEN} seconds");
            }
        }
    }
}

/// Returns what identifies a message on the pages: the beginning of its digest.
fn id(body: &str) -> String {
    let digest = hex::encode(Sha256::digest(body));
    digest.get(..16).unwrap_or(&digest).to_owned()
}

#[async_trait]
impl DeadLetterQueue for SqsDeadLetters {
    async fn letters(&self, most: usize) -> Result<SeenLetters, SourceError> {
        let mut messages = Vec::new();
        let received = self.received(most, &mut messages).await;
        self.release(&messages).await;
        received?;
        let mut seen = SeenLetters { letters: Vec::new(), more: messages.len() >= most };
        for message in messages {
            let id = id(&message.body);
            // The same job may have been sent twice.
            if seen.letters.iter().all(|letter| letter.id != id) {
                seen.letters.push(DeadLetter { id, at: None, body: message.body });
            }
        }
        Ok(seen)
    }
}
