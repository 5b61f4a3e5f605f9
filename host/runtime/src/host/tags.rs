//! `tags`: tags of stored objects, for the bucket's lifecycle rules.

use stagehost_batch::{Case, Failure};

use crate::bindings::toq::media::{tags, types};
use crate::grants::is_tag_text;
use crate::host::state::{CallState, host_call};
use crate::quotas::Effect;
use crate::text::{check_key, quoted};

/// The longest name and the longest value, in characters. S3 allows 128 and 256.
const TAG_LENGTH: usize = 128;

impl tags::Host for CallState {
    async fn set(&mut self, key: String, name: String, value: String) -> wasmtime::Result<Result<(), types::Failure>> {
        let core = self.enter();
        Ok(host_call(&core, async {
            check_key(&key)?;
            for text in [&name, &value] {
                if !is_tag_text(text, TAG_LENGTH) {
                    let why = format!("a tag's name or value: 1 to {TAG_LENGTH} visible ASCII characters");
                    return Err(Failure::new(Case::InvalidInput, format!("{} cannot be {why}", quoted(text))));
                }
            }
            self.grants.may_tag(&key, &name)?;
            // Tags are read and then written.
            self.effects.count(Effect::StorageRequest)?;
            self.effects.count(Effect::StorageRequest)?;
            self.capabilities.objects.tag(&key, &name, &value).await
        })
        .await)
    }
}
