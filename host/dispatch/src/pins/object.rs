//! Pins in a bucket, followed without asking more often than need be.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_sdk_s3::error::{DisplayErrorContext, SdkError};
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use tokio::sync::Mutex;

use super::{PinError, PinSource, Pins};

/// More than pins of a hundred states would take.
const MAX_BYTES: i64 = 1 << 20;

/// Pins in an object, asked for again when they are older than so and so much; by a conditional GET, which costs next to
/// nothing while they stay the same.
///
/// Age is by the wall clock: a frozen Lambda's other clocks may stand still.
pub struct ObjectPins {
    client: aws_sdk_s3::Client,
    bucket: String,
    key: String,
    max_age: Duration,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    etag: Option<String>,
    pins: Option<Arc<Pins>>,
    asked: Option<SystemTime>,
}

enum Answer {
    Unchanged,
    Changed(Box<GetObjectOutput>),
}

impl ObjectPins {
    /// Follows `s3://bucket/key`. With a `max_age` of zero every call asks.
    pub fn new(
        client: aws_sdk_s3::Client,
        bucket: impl Into<String>,
        key: impl Into<String>,
        max_age: Duration,
    ) -> Self {
        Self { client, bucket: bucket.into(), key: key.into(), max_age, known: Mutex::default() }
    }

    fn place(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.key)
    }

    fn unreadable(&self, reason: impl Into<String>) -> PinError {
        PinError::Unreadable { place: self.place(), reason: reason.into() }
    }

    async fn ask(&self, etag: Option<&str>) -> Result<Answer, PinError> {
        let request =
            self.client.get_object().bucket(&self.bucket).key(&self.key).set_if_none_match(etag.map(str::to_owned));
        match request.send().await {
            Ok(output) => Ok(Answer::Changed(Box::new(output))),
            Err(SdkError::ServiceError(error)) if error.raw().status().as_u16() == 304 => Ok(Answer::Unchanged),
            Err(error) => Err(self.unreadable(DisplayErrorContext(error).to_string())),
        }
    }

    async fn read(&self, output: GetObjectOutput) -> Result<Pins, PinError> {
        if output.content_length().is_none_or(|length| length > MAX_BYTES) {
            return Err(self.unreadable(format!("it is larger than {MAX_BYTES} bytes, which no pins are")));
        }
        let body = output.body.collect().await.map_err(|e| self.unreadable(DisplayErrorContext(e).to_string()))?;
        Pins::parse(&body.into_bytes(), &self.place())
    }
}

#[async_trait]
impl PinSource for ObjectPins {
    async fn current(&self) -> Result<Arc<Pins>, PinError> {
        // Held while asking, so that calls at the same time ask once.
        let mut known = self.known.lock().await;
        let now = SystemTime::now();
        // A clock that was set back says nothing about the age.
        let fresh = known.asked.and_then(|asked| now.duration_since(asked).ok()).is_some_and(|age| age < self.max_age);
        if fresh && let Some(pins) = &known.pins {
            return Ok(pins.clone());
        }
        let answer = match self.ask(known.etag.as_deref()).await {
            Ok(Answer::Unchanged) => Ok(()),
            Ok(Answer::Changed(output)) => {
                let etag = output.e_tag().map(str::to_owned);
                self.read(*output).await.map(|pins| {
                    known.etag = etag;
                    known.pins = Some(Arc::new(pins));
                })
            }
            Err(error) => Err(error),
        };
        known.asked = Some(now);
        match (answer, &known.pins) {
            (Ok(()), Some(pins)) => Ok(pins.clone()),
            // What was good a few seconds ago serves on.
            (Err(error), Some(pins)) => {
                tracing::error!(%error, revision = pins.revision, "pins refused; the last good revision serves on");
                Ok(pins.clone())
            }
            (Err(error), None) => Err(error),
            (Ok(()), None) => Err(self.unreadable("it is said to be unchanged, but was never read")),
        }
    }
}
