//! Stored objects in memory.

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{
    Digests, ListedObject, NewObject, ObjectInfo, ObjectPage, ObjectReader, ObjectWriter, Objects, Replaces,
};

use crate::faults::HostUse;
use crate::journal::Effect;
use crate::memory_host::{MemoryHost, StoredObject};

/// The objects of a host.
pub(crate) struct MemoryObjects(pub(crate) MemoryHost);

impl MemoryObjects {
    fn get(&self, key: &str, if_match: Option<&str>) -> Result<StoredObject, Failure> {
        let found = self.0.object(key);
        let object = found.ok_or_else(|| Failure::new(Case::Missing, format!("there is no object {key}")))?;
        if if_match.is_some_and(|etag| etag != object.info.etag) {
            let message = format!("{key} is another version than the one that was asked for");
            return Err(Failure::new(Case::Mismatch, message));
        }
        Ok(object)
    }
}

#[async_trait]
impl Objects for MemoryObjects {
    async fn stat(&self, key: &str) -> Result<ObjectInfo, Failure> {
        self.0.meet(HostUse::Stat, key).await?;
        Ok(self.get(key, None)?.info)
    }

    async fn digest(&self, key: &str, if_match: Option<&str>) -> Result<Digests, Failure> {
        self.0.meet(HostUse::Digest, key).await?;
        let StoredObject { info, bytes } = self.get(key, if_match)?;
        let sha256 = hex::encode(Sha256::digest(&bytes));
        Ok(Digests { sha256, crc32: crc32fast::hash(&bytes), bytes: info.bytes, etag: info.etag })
    }

    async fn open(&self, key: &str, if_match: Option<&str>) -> Result<Box<dyn ObjectReader>, Failure> {
        self.0.meet(HostUse::Open, key).await?;
        Ok(Box::new(Reader { host: self.0.clone(), object: self.get(key, if_match)? }))
    }

    async fn create(&self, object: NewObject) -> Result<Box<dyn ObjectWriter>, Failure> {
        self.0.meet(HostUse::Create, &object.key).await?;
        Ok(Box::new(Writer { host: self.0.clone(), object, bytes: BytesMut::new() }))
    }

    async fn list(&self, prefix: &str, after: Option<&str>, most: u16) -> Result<ObjectPage, Failure> {
        self.0.meet(HostUse::List, prefix).await?;
        Ok(self.0.with(|inside| {
            let behind = |key: &String| key.starts_with(prefix) && after.is_none_or(|after| key.as_str() > after);
            let mut found = inside.objects.iter().filter(|(key, _)| behind(key)).map(|(key, object)| ListedObject {
                key: key.clone(),
                bytes: object.info.bytes,
                etag: object.info.etag.clone(),
            });
            let objects: Vec<_> = found.by_ref().take(most.into()).collect();
            let next = objects.last().filter(|_| found.next().is_some()).map(|last| last.key.clone());
            ObjectPage { objects, next }
        }))
    }

    async fn delete(&self, key: &str, if_match: &str, stage: &str) -> Result<(), Failure> {
        self.0.meet(HostUse::Delete, key).await?;
        self.get(key, Some(if_match))?;
        self.0.with(|inside| {
            if inside.makers.get(key).is_none_or(|maker| maker != stage) {
                let message = format!("{key} was not made by the stage {stage}, so it is not deleted");
                return Err(Failure::new(Case::Denied, message));
            }
            inside.objects.remove(key);
            inside.makers.remove(key);
            inside.effects.push(Effect::Deleted { key: key.to_owned() });
            Ok(())
        })
    }

    async fn tag(&self, key: &str, name: &str, value: &str) -> Result<(), Failure> {
        self.0.meet(HostUse::Tag, key).await?;
        self.get(key, None)?;
        let effect = Effect::Tagged { key: key.to_owned(), name: name.to_owned(), value: value.to_owned() };
        self.0.with(|inside| inside.effects.push(effect));
        Ok(())
    }
}

struct Reader {
    host: MemoryHost,
    object: StoredObject,
}

#[async_trait]
impl ObjectReader for Reader {
    fn info(&self) -> &ObjectInfo {
        &self.object.info
    }

    async fn read(&mut self, offset: u64, len: u32) -> Result<Bytes, Failure> {
        self.host.meet(HostUse::Read, &self.object.info.key).await?;
        let length = self.object.bytes.len();
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(length);
        let to = from.saturating_add(len as usize).min(length);
        Ok(self.object.bytes.slice(from..to))
    }
}

struct Writer {
    host: MemoryHost,
    object: NewObject,
    bytes: BytesMut,
}

#[async_trait]
impl ObjectWriter for Writer {
    async fn append(&mut self, bytes: Bytes) -> Result<(), Failure> {
        self.host.meet(HostUse::Append, &self.object.key).await?;
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }

    async fn append_object(&mut self, key: &str, if_match: Option<&str>, offset: u64, len: u64) -> Result<(), Failure> {
        self.host.meet(HostUse::Append, &self.object.key).await?;
        let source = MemoryObjects(self.host.clone()).get(key, if_match)?;
        let range = usize::try_from(offset).ok().zip(usize::try_from(offset.saturating_add(len)).ok());
        let part = range.and_then(|(from, to)| source.bytes.get(from..to));
        let part = part.ok_or_else(|| {
            let message = format!("{key} has {} bytes, not {len} from {offset}", source.info.bytes);
            Failure::new(Case::InvalidInput, message)
        })?;
        self.bytes.extend_from_slice(part);
        Ok(())
    }

    async fn finish(self: Box<Self>) -> Result<ObjectInfo, Failure> {
        self.host.meet(HostUse::Finish, &self.object.key).await?;
        let Self { host, object, bytes } = *self;
        let new = StoredObject::new(&object.key, &object.content_type, object.fingerprint.clone(), bytes.freeze());
        host.with(|inside| {
            let stored = inside.objects.get(&object.key);
            let free = match &object.replaces {
                Replaces::Anything => true,
                Replaces::Nothing => stored.is_none(),
                Replaces::Version(etag) => stored.is_some_and(|stored| stored.info.etag == *etag),
            };
            if let Some(stored) = stored.filter(|_| !free) {
                // Somebody else was first. The same object is a success.
                let same = stored.bytes == new.bytes && stored.info.fingerprint == new.info.fingerprint;
                let message = format!("another {} has been stored since the call looked", object.key);
                return if same { Ok(stored.info.clone()) } else { Err(Failure::new(Case::Mismatch, message)) };
            }
            if !free {
                let message = format!("{} has been deleted since the call looked", object.key);
                return Err(Failure::new(Case::Mismatch, message));
            }
            let info = new.info.clone();
            inside.effects.push(Effect::Stored {
                key: object.key.clone(),
                content_type: object.content_type.clone(),
                fingerprint: object.fingerprint.clone(),
                bytes: new.bytes.clone(),
            });
            inside.makers.insert(object.key.clone(), object.provenance.stage.clone());
            inside.objects.insert(object.key.clone(), new);
            Ok(info)
        })
    }

    async fn abort(self: Box<Self>) {}
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use stagehost_runtime::capability::Provenance;

    use super::*;

    const KEY: &str = "1/thumb/photo/vertical/a_note.txt";

    fn new_object(replaces: Replaces) -> NewObject {
        let provenance = Provenance { stage: "x".into(), version: "1.0.0".into(), digest: "sha256:00".into() };
        NewObject {
            key: KEY.into(),
            content_type: "text/plain".into(),
            fingerprint: Some("x 1".into()),
            provenance: Arc::new(provenance),
            replaces,
        }
    }

    async fn write(host: &MemoryHost, replaces: Replaces, text: &'static str) -> Result<ObjectInfo, Failure> {
        let mut writer = MemoryObjects(host.clone()).create(new_object(replaces)).await?;
        writer.append(Bytes::from_static(text.as_bytes())).await?;
        writer.finish().await
    }

    #[tokio::test]
    async fn nothing_is_visible_before_the_end_and_then_it_is_in_the_journal() {
        let host = MemoryHost::default();
        let mut writer = MemoryObjects(host.clone()).create(new_object(Replaces::Nothing)).await.unwrap();
        writer.append(Bytes::from_static(b"one")).await.unwrap();
        assert_eq!(host.object(KEY), None);
        let info = writer.finish().await.unwrap();
        assert_eq!((info.bytes, info.fingerprint.as_deref()), (3, Some("x 1")));
        assert_eq!(host.effects().len(), 1);
        assert_eq!(host.object(KEY).unwrap().bytes, "one");
    }

    #[tokio::test]
    async fn a_conditional_write_replaces_only_what_the_call_has_seen() {
        let host = MemoryHost::default();
        let first = write(&host, Replaces::Nothing, "one").await.unwrap();
        assert_eq!(write(&host, Replaces::Nothing, "one").await.unwrap(), first, "the same object is a success");
        assert_eq!(write(&host, Replaces::Nothing, "two").await.unwrap_err().case, Case::Mismatch);
        assert_eq!(host.object(KEY).unwrap().bytes, "one");
        write(&host, Replaces::Version(first.etag.clone()), "two").await.unwrap();
        assert_eq!(write(&host, Replaces::Version(first.etag), "three").await.unwrap_err().case, Case::Mismatch);
        write(&host, Replaces::Anything, "four").await.unwrap();
        assert_eq!(host.effects().len(), 3);
    }

    #[tokio::test]
    async fn only_what_the_stage_made_is_deleted_and_only_in_the_version_that_it_names() {
        let host = MemoryHost::default();
        let made = write(&host, Replaces::Nothing, "one").await.unwrap();
        let put = host.put("1/raw/a", "text/plain", None, "abc");
        let objects = MemoryObjects(host.clone());
        let refused = [
            ("1/raw/a", &*put, "x", Case::Denied),
            (KEY, &*made.etag, "y", Case::Denied),
            (KEY, "other", "x", Case::Mismatch),
            ("1/thumb/none", "e", "x", Case::Missing),
        ];
        for (key, etag, stage, case) in refused {
            assert_eq!(objects.delete(key, etag, stage).await.unwrap_err().case, case, "{key}");
        }
        objects.delete(KEY, &made.etag, "x").await.unwrap();
        assert_eq!((host.object(KEY), host.effects().len()), (None, 2));
    }

    #[tokio::test]
    async fn a_listing_has_pages() {
        let host = MemoryHost::default();
        for name in ["1/thumb/c", "1/thumb/a", "1/zip/d", "1/thumb/b"] {
            host.put(name, "text/plain", None, "abc");
        }
        let objects = MemoryObjects(host);
        let mut keys = Vec::new();
        let mut after = None;
        loop {
            let page = objects.list("1/thumb/", after.as_deref(), 2).await.unwrap();
            keys.extend(page.objects.into_iter().map(|object| object.key));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(keys, ["1/thumb/a", "1/thumb/b", "1/thumb/c"]);
    }

    #[tokio::test]
    async fn a_read_ends_where_the_object_ends_and_a_copy_must_not() {
        let host = MemoryHost::default();
        host.put("1/raw/a", "text/plain", None, "abcdef");
        let objects = MemoryObjects(host.clone());
        let mut reader = objects.open("1/raw/a", None).await.unwrap();
        assert_eq!(reader.read(4, 100).await.unwrap(), "ef");
        assert_eq!(reader.read(u64::MAX, 1).await.unwrap(), "");
        let mut writer = objects.create(new_object(Replaces::Anything)).await.unwrap();
        writer.append_object("1/raw/a", None, 1, 3).await.unwrap();
        let error = writer.append_object("1/raw/a", None, 4, 3).await.unwrap_err();
        assert_eq!(error.case, Case::InvalidInput);
        assert_eq!(objects.open("1/raw/a", Some("other")).await.err().unwrap().case, Case::Mismatch);
        assert_eq!(objects.stat("1/raw/b").await.unwrap_err().case, Case::Missing);
    }
}
