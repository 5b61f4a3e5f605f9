//! One exchange with an HTTP service: the order of its steps, its lengths, its quotas, and its end.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use stagehost_batch::{Case, Failure};

use crate::budget::{Charge, HostBudget};
use crate::capability::{HttpAnswerHead, HttpExchange, ObjectReader, ObjectWriter};
use crate::quotas::{Effect, Effects};

/// The most bytes that are written or read at once.
pub(super) const MAX_PIECE: usize = 4 << 20;
/// How many bytes are moved at once between an object and a service.
const MOVED: u32 = 1 << 20;

/// Behind an `exchange` handle.
pub struct OpenExchange {
    step: Step,
    /// The length of the body that the head says.
    declared: Option<u64>,
    written: u64,
    timeout: Duration,
    /// Has a clone in every piece that the service has not taken yet.
    under_way: Arc<()>,
    /// What the client holds for the connection.
    _buffers: Charge,
}

/// A piece of the body on its way to the service.
struct SentPiece {
    bytes: Bytes,
    _under_way: Arc<()>,
}

impl AsRef<[u8]> for SentPiece {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// How far it is.
enum Step {
    /// The body is being written.
    Asking(Box<dyn HttpExchange>),
    /// The answer is being read.
    Answered(Box<dyn HttpExchange>, HttpAnswerHead),
    /// It has failed; the request is cancelled.
    Over(Failure),
}

impl OpenExchange {
    pub(super) fn new(
        exchange: Box<dyn HttpExchange>,
        declared: Option<u64>,
        timeout: Duration,
        buffers: Charge,
    ) -> Self {
        Self { step: Step::Asking(exchange), declared, written: 0, timeout, under_way: Arc::new(()), _buffers: buffers }
    }

    /// Checks that `len` bytes may be written.
    pub(super) fn may_write(&self, len: u64) -> Result<(), Failure> {
        match &self.step {
            Step::Over(failure) => return Err(failure.clone()),
            Step::Answered(..) => return Err(invalid("the request has ended already: its answer was asked for")),
            Step::Asking(_) => {}
        }
        let after = self.written.saturating_add(len);
        match self.declared {
            Some(declared) if after > declared => {
                Err(invalid(&format!("the head says that the body has {declared} bytes, and this would be {after}")))
            }
            _ => Ok(()),
        }
    }

    /// Sends the next bytes of the body.
    pub(super) async fn write(
        &mut self,
        bytes: Bytes,
        budget: &HostBudget,
        effects: &mut Effects,
    ) -> Result<(), Failure> {
        let len = bytes.len();
        self.may_write(len as u64)?;
        if len > MAX_PIECE {
            return Err(too_long(len));
        }
        let counted = Effect::HttpBytes(len as u64);
        effects.check(counted)?;
        if len == 0 {
            return Ok(());
        }
        let charged = budget.charge_in_turn(len, "bytes for an HTTP service");
        let Ok(charge) = tokio::time::timeout(self.timeout, charged).await else { return self.no_room(len) };
        // What does not fit is the stage's affair; the service has seen nothing of it, and it is not counted.
        let bytes = charge?.attach_in_transit(bytes);
        effects.count(counted)?;
        let piece = Bytes::from_owner(SentPiece { bytes, _under_way: self.under_way.clone() });
        let sent = match &mut self.step {
            Step::Asking(exchange) => exchange.write(piece).await,
            Step::Answered(..) | Step::Over(_) => Err(gone()),
        };
        self.noted(sent)?;
        self.written = self.written.saturating_add(len as u64);
        Ok(())
    }

    /// Returns the failure of a piece for which there was no room for as long as a step may take. It ends the exchange if its own
    /// service has not taken what came before. If only the store or another service is slow, nothing of this exchange is lost, so
    /// the stage may go on with it.
    fn no_room(&mut self, len: usize) -> Result<(), Failure> {
        if Arc::strong_count(&self.under_way) > 1 {
            let message = "the service did not take the body within the time allowed";
            return self.noted(Err(Failure::new(Case::Transient, message)));
        }
        let message = format!(
            "within the time allowed the host got no room for the next {len} bytes: what the call has sent to the store or to \
             another service is still on its way"
        );
        Err(Failure::new(Case::Transient, message))
    }

    /// Sends a range of an object. The range is within the object. Nothing is sent of a range that the quota does not allow as a
    /// whole. A later failure ends the exchange, because nobody would know how much of the range the service has.
    pub(super) async fn write_from(
        &mut self,
        object: Box<dyn ObjectReader>,
        range: (u64, u64),
        budget: &HostBudget,
        effects: &mut Effects,
    ) -> Result<(), Failure> {
        effects.check(Effect::HttpBytes(range.1))?;
        let sent = self.write_all_from(object, range, budget, effects).await;
        self.noted(sent)
    }

    async fn write_all_from(
        &mut self,
        mut object: Box<dyn ObjectReader>,
        (mut offset, len): (u64, u64),
        budget: &HostBudget,
        effects: &mut Effects,
    ) -> Result<(), Failure> {
        let end = offset.saturating_add(len);
        while offset < end {
            effects.count(Effect::StorageRequest)?;
            let wanted = u64::from(MOVED).min(end - offset);
            let bytes = object.read(offset, wanted as u32).await?;
            if bytes.len() as u64 != wanted {
                let message = format!("{} of {wanted} bytes came from the store at {offset}", bytes.len());
                return Err(Failure::new(Case::Transient, message));
            }
            self.write(bytes, budget, effects).await?;
            offset += wanted;
        }
        Ok(())
    }

    /// Ends the body and returns the head of the answer.
    pub(super) async fn answer(&mut self) -> Result<HttpAnswerHead, Failure> {
        let exchange = match &mut self.step {
            Step::Over(failure) => return Err(failure.clone()),
            Step::Answered(_, head) => return Ok(head.clone()),
            Step::Asking(exchange) => exchange,
        };
        let answer = match self.declared {
            Some(declared) if declared != self.written => Err(invalid(&format!(
                "the head says that the body has {declared} bytes, and {} were written; the request is cancelled",
                self.written
            ))),
            _ => exchange.answer().await,
        };
        let head = self.noted(answer)?;
        match std::mem::replace(&mut self.step, Step::Over(gone())) {
            Step::Asking(exchange) => self.step = Step::Answered(exchange, head.clone()),
            other => self.step = other,
        }
        Ok(head)
    }

    /// Returns the next bytes of the answer.
    pub(super) async fn read(&mut self, len: usize, effects: &mut Effects) -> Result<Bytes, Failure> {
        self.may_read()?;
        let bytes = match &mut self.step {
            Step::Answered(exchange, _) => exchange.read(len.min(MAX_PIECE)).await,
            Step::Asking(_) | Step::Over(_) => Err(gone()),
        };
        // Bytes that the quota refuses are lost, so nothing may be read behind them.
        let counted = bytes.and_then(|bytes| {
            effects.count(Effect::HttpBytes(bytes.len() as u64))?;
            Ok(bytes)
        });
        self.noted(counted)
    }

    /// Checks that the answer may be read.
    pub(super) fn may_read(&self) -> Result<(), Failure> {
        match &self.step {
            Step::Answered(..) => Ok(()),
            Step::Over(failure) => Err(failure.clone()),
            Step::Asking(_) => Err(invalid("the answer has not come yet: call `answer` first")),
        }
    }

    /// Appends the rest of the answer to an object. Returns how many bytes that were.
    pub(super) async fn read_into(
        &mut self,
        writer: &mut dyn ObjectWriter,
        effects: &mut Effects,
    ) -> Result<u64, Failure> {
        let read = self.append_rest(writer, effects).await;
        self.noted(read)
    }

    async fn append_rest(&mut self, writer: &mut dyn ObjectWriter, effects: &mut Effects) -> Result<u64, Failure> {
        let mut all = 0u64;
        loop {
            let bytes = self.read(MOVED as usize, effects).await?;
            let len = bytes.len();
            if len > 0 {
                effects.count(Effect::Bytes(len as u64))?;
                writer.append(bytes).await?;
                all = all.saturating_add(len as u64);
            }
            if len < MOVED as usize {
                return Ok(all);
            }
        }
    }

    /// Ends the exchange if a step has failed.
    fn noted<T>(&mut self, result: Result<T, Failure>) -> Result<T, Failure> {
        result.inspect_err(|failure| self.step = Step::Over(failure.clone()))
    }
}

/// The failure of a step that is out of order. Cannot happen: every step is checked before.
fn gone() -> Failure {
    Failure::new(Case::Internal, "the exchange is gone")
}

fn invalid(why: &str) -> Failure {
    Failure::new(Case::InvalidInput, why.to_owned())
}

fn too_long(len: usize) -> Failure {
    Failure::new(Case::TooLarge, format!("{len} bytes written at once; at most {MAX_PIECE} are accepted"))
}

#[cfg(test)]
mod tests;
