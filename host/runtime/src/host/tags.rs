//! `tags`: tags of stored objects, for the bucket's lifecycle rules.

use stagehost_batch::{Case, Failure};

use crate::bindings::toq::media::{tags, types};
use crate::host::state::{CallState, host_call};

/// The longest name and the longest value, in characters. S3 allows 128 and 256.
const TAG_LENGTH: usize = 128;

impl tags::Host for CallState {
    async fn set(&mut self, key: String, name: String, value: String) -> wasmtime::Result<Result<(), types::Failure>> {
        Ok(host_call(&self.core.clone(), async {
            // A read grant is enough: a tag changes no byte of the object.
            self.grants.may_read(&key)?;
            for text in [&name, &value] {
                if text.is_empty() || text.len() > TAG_LENGTH || !text.bytes().all(|b| b.is_ascii_graphic()) {
                    return Err(Failure::new(
                        Case::InvalidInput,
                        format!("{text:?} cannot be a tag's name or value: 1 to {TAG_LENGTH} visible ASCII characters"),
                    ));
                }
            }
            self.capabilities.objects.tag(&key, &name, &value).await
        })
        .await)
    }
}
