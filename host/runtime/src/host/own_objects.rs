//! `own-objects`: objects listed, and those that the stage has made deleted.

use stagehost_batch::{Area, Case, Failure};

use crate::bindings::toq::media::{own_objects, types};
use crate::host::objects::check_texts;
use crate::host::state::{CallState, host_call};
use crate::quotas::Effect;
use crate::text::{check_key, quoted};

/// The most objects of a page.
const PAGE: u16 = 250;
/// The most bytes of a page: 250 keys of 1,024 bytes, and as much for what the store says of each, which S3 writes as XML.
const PAGE_BYTES: usize = 2 * 250 * 1024;

impl own_objects::Host for CallState {
    async fn find(
        &mut self,
        prefix: String,
        after: Option<String>,
    ) -> wasmtime::Result<Result<own_objects::Page, types::Failure>> {
        let core = self.enter();
        Ok(host_call(&core, async {
            check_key(&prefix)?;
            check_key(after.as_deref().unwrap_or_default())?;
            self.grants.may_list(&prefix)?;
            self.effects.count(Effect::StorageRequest)?;
            let _page = self.budget.charge(PAGE_BYTES, "a page of a listing")?;
            let page = self.capabilities.objects.list(&prefix, after.as_deref(), PAGE).await?;
            // What could not be read is not shown: a key that leads out of its prefix, such as one with `..`.
            let mut readable = page.objects;
            readable.retain(|object| self.grants.may_read(&object.key).is_ok());
            readable.iter().for_each(|object| self.known.add(&self.budget, &object.key, &object.etag));
            Ok(own_objects::Page { objects: readable.into_iter().map(Into::into).collect(), next: page.next })
        })
        .await)
    }

    async fn remove(&mut self, key: String, if_match: String) -> wasmtime::Result<Result<(), types::Failure>> {
        let core = self.enter();
        Ok(host_call(&core, async {
            check_texts(&key, Some(&if_match))?;
            self.grants.may_write(&key)?;
            if is_upload(&key) {
                let message = format!("{} is an upload; a stage never deletes one", quoted(&key));
                return Err(Failure::new(Case::Denied, message));
            }
            self.effects.count(Effect::Object)?;
            // It is looked at and then deleted.
            self.effects.count(Effect::StorageRequest)?;
            self.effects.count(Effect::StorageRequest)?;
            let stage = &self.scope.provenance.stage;
            self.capabilities.objects.delete(&key, &if_match, stage).await?;
            let gone = Failure::new(Case::Missing, "deleted");
            self.seen.found(&key, Err(&gone));
            self.known.remove(&key, &if_match);
            Ok(())
        })
        .await)
    }
}

/// Returns whether a key lies in the area of uploads, whatever else it looks like.
fn is_upload(key: &str) -> bool {
    key.split('/').nth(1) == Some(Area::Raw.segment())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_in_the_area_of_uploads_is_an_upload() {
        for key in ["51/raw/photo/vertical/a.jpg", "51/raw/notes.txt", "x/raw/"] {
            assert!(is_upload(key), "{key}");
        }
        for key in ["51/processed/photo/raw/a.jpg", "raw/a", "51/rawer/a", ""] {
            assert!(!is_upload(key), "{key}");
        }
    }
}
