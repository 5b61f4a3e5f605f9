//! Components in OCI registries, as `wkg` and other WebAssembly tools write and read them (CNCF TAG Runtime, "Wasm OCI
//! Artifact Layout"): a manifest with the config `application/vnd.wasm.config.v0+json` and one layer `application/wasm`.
//!
//! What only hosts understand (our signed documents and native code) goes into a second manifest, tagged
//! `VERSION.stagehost`, with the component's manifest as its `subject`. A tag, because registries before the
//! distribution specification 1.1 know no referrers; the subject, so that those which do will list and garbage-collect it
//! with the component. The component's own manifest stays free of it: readers insist on exactly one layer.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use docker_credential::DockerCredential;
use futures::{Stream, TryStreamExt as _};
use oci_client::Reference;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::manifest::{OciDescriptor, OciImageManifest, OciManifest};
use oci_client::secrets::RegistryAuth;
use serde_json::json;
use stagehost_registry::{ArtifactRecord, Document, Draft, Manifest, Published, StageId};
use stagehost_runtime::StageIdentity;

use crate::exit::usage;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
const WASM: &str = "application/wasm";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const SIGNED: &str = "application/vnd.stagehost.signed.v1";
const CODE: &str = "application/vnd.stagehost.code.v1";
const TITLE: &str = "org.opencontainers.image.title";

/// The largest component that is pulled, in bytes.
const MAX_COMPONENT: usize = 256 << 20;

/// `oci://host/path`: stages are below it, each in a repository of its own.
#[derive(Clone, Debug)]
pub struct OciPlace {
    base: String,
}

impl FromStr for OciPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let base = text.strip_prefix("oci://").unwrap_or(text).trim_end_matches('/');
        let refused = || format!("{text:?} names no OCI registry; expected oci://host/path");
        let (host, path) = base.split_once('/').ok_or_else(refused)?;
        if host.is_empty() || path.contains([':', '@']) || format!("{base}/x:1").parse::<Reference>().is_err() {
            return Err(refused());
        }
        Ok(Self { base: base.to_owned() })
    }
}

impl std::fmt::Display for OciPlace {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "oci://{}", self.base)
    }
}

impl OciPlace {
    /// `host/path/NAME:VERSION`. A tag cannot have the `+` of build metadata; as elsewhere it becomes `_`.
    ///
    /// # Errors
    /// If registries would refuse the name.
    pub fn reference(&self, id: &StageId) -> Result<Reference> {
        let text = format!("{}/{}:{}", self.base, id.name(), id.version().to_string().replace('+', "_"));
        text.parse().with_context(|| text.clone())
    }
}

/// A registry, and who we are there.
struct Session {
    client: Client,
    auth: RegistryAuth,
}

impl Session {
    fn open(reference: &Reference) -> Result<Self> {
        let host = reference.resolve_registry();
        // As Docker does: a registry on this machine needs no certificate.
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let loopback = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
        let protocol = if loopback { ClientProtocol::Http } else { ClientProtocol::Https };
        let client = Client::new(ClientConfig { protocol, ..ClientConfig::default() });
        // What `docker login` has kept; without it we are nobody.
        let auth = match docker_credential::get_credential(host) {
            Ok(DockerCredential::UsernamePassword(user, password)) => RegistryAuth::Basic(user, password),
            Ok(DockerCredential::IdentityToken(_)) => {
                bail!("the login at {host} is an identity token, which is not supported; log in with a password")
            }
            Err(_) => RegistryAuth::Anonymous,
        };
        Ok(Self { client, auth })
    }

    /// The manifest and its digest, if the tag is there.
    async fn manifest(&self, reference: &Reference) -> Result<Option<(OciImageManifest, String)>> {
        match self.client.pull_manifest(reference, &self.auth).await {
            Ok((OciManifest::Image(manifest), digest)) => Ok(Some((manifest, digest))),
            Ok((OciManifest::ImageIndex(_), _)) => bail!("{reference} is an index of images, not a component"),
            Err(OciDistributionError::ImageManifestNotFoundError(_)) => Ok(None),
            Err(OciDistributionError::RegistryError { envelope, .. })
                if envelope.errors.iter().any(|e| format!("{:?}", e.code).contains("Unknown")) =>
            {
                Ok(None)
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {reference}")),
        }
    }

    /// How long the manifest is.
    async fn size_of(&self, reference: &Reference) -> Result<i64> {
        let raw = self.client.pull_manifest_raw(reference, &self.auth, &[MANIFEST]).await;
        let (bytes, _) = raw.with_context(|| format!("cannot read {reference}"))?;
        Ok(i64::try_from(bytes.len())?)
    }

    async fn put(
        &self,
        reference: &Reference,
        bytes: Bytes,
        media_type: &str,
        title: Option<&str>,
    ) -> Result<OciDescriptor> {
        let digest = StageIdentity::digest_of(&bytes);
        let size = i64::try_from(bytes.len())?;
        self.client
            .push_blob(reference, bytes, &digest)
            .await
            .with_context(|| format!("cannot write a blob of {reference}"))?;
        let annotations = title.map(|title| BTreeMap::from([(TITLE.to_owned(), title.to_owned())]));
        Ok(OciDescriptor { media_type: media_type.to_owned(), digest, size, annotations, ..OciDescriptor::default() })
    }
}

/// Pushes a component, and what was signed about it. `false`: both were there.
///
/// What was signed comes first: the tag of the component is what says that it is published, and whoever sees it finds the
/// rest. What an interruption has left out is added.
///
/// # Errors
/// If the tag is another component's, or the registry refuses.
pub async fn push(reference: &Reference, signed: &Path, draft: &Draft, published: &Published) -> Result<bool> {
    let session = Session::open(reference)?;
    session
        .client
        .auth(reference, &session.auth, oci_client::RegistryOperation::Push)
        .await
        .with_context(|| format!("cannot log in at {}", reference.resolve_registry()))?;
    let digest = &published.manifest.component.digest;
    let tag = format!("{}.stagehost", reference.tag().unwrap_or_default());
    let beside = Reference::with_tag(reference.registry().to_owned(), reference.repository().to_owned(), tag);
    if let Some((there, manifest)) = session.manifest(reference).await? {
        let known: Vec<_> = there.layers.iter().map(|layer| layer.digest.as_str()).collect();
        ensure!(
            known == [digest.as_str()],
            "{reference} is published already with other bytes ({}, here {digest}); a version never changes: publish \
             under another one",
            known.join(", ")
        );
        let said = session.manifest(&beside).await?.and_then(|(said, _)| said.subject);
        if said.is_some_and(|subject| subject.digest == manifest) {
            return Ok(false);
        }
        // By another tool, or by one that was interrupted.
        let size = session.size_of(reference).await?;
        push_signed(&session, &beside, signed, subject(manifest, size)).await?;
        return Ok(true);
    }
    let bytes = component_manifest(&session, reference, draft, &published.manifest).await?;
    push_signed(&session, &beside, signed, subject(StageIdentity::digest_of(&bytes), i64::try_from(bytes.len())?))
        .await?;
    session
        .client
        .push_manifest_raw(reference, bytes, http::HeaderValue::from_static(MANIFEST))
        .await
        .with_context(|| format!("cannot write {reference}"))?;
    Ok(true)
}

fn subject(digest: String, size: i64) -> OciDescriptor {
    OciDescriptor { media_type: MANIFEST.to_owned(), digest, size, ..OciDescriptor::default() }
}

/// What hosts read.
async fn push_signed(session: &Session, beside: &Reference, signed: &Path, subject: OciDescriptor) -> Result<()> {
    let mut layers = Vec::new();
    for file in files(signed)? {
        let bytes = Bytes::from(std::fs::read(signed.join(&file))?);
        let media_type = match file.split('/').next() {
            Some("stages") => Manifest::TYPE,
            Some("artifacts") => ArtifactRecord::TYPE,
            _ if file.starts_with("blobs/blake3/") => CODE,
            // The component itself.
            _ => continue,
        };
        layers.push(session.put(beside, bytes, media_type, Some(&file)).await?);
    }
    let config = session.put(beside, Bytes::from_static(b"{}"), EMPTY, None).await?;
    let manifest = OciImageManifest {
        media_type: Some(MANIFEST.to_owned()),
        artifact_type: Some(SIGNED.to_owned()),
        config,
        layers,
        subject: Some(subject),
        ..OciImageManifest::default()
    };
    session
        .client
        .push_manifest(beside, &OciManifest::Image(manifest))
        .await
        .with_context(|| format!("cannot write {beside}"))?;
    Ok(())
}

/// The component's manifest, of which everything but itself is pushed.
async fn component_manifest(session: &Session, reference: &Reference, draft: &Draft, said: &Manifest) -> Result<Bytes> {
    let title = format!("{}.wasm", said.name);
    let layer = session.put(reference, draft.component.clone(), WASM, Some(&title)).await?;
    let config = json!({
        "created": said.published_at, "author": null, "architecture": "wasm", "os": "wasip2",
        "layerDigests": [layer.digest],
        "component": {"exports": said.exports, "imports": said.imports, "target": null},
    });
    let config = session.put(reference, config.to_string().into(), WASM_CONFIG, None).await?;
    let mut annotations = BTreeMap::from([
        (TITLE.to_owned(), said.name.clone()),
        ("org.opencontainers.image.version".to_owned(), said.version.clone()),
        ("org.opencontainers.image.created".to_owned(), said.published_at.clone()),
    ]);
    if !said.description.is_empty() {
        annotations.insert("org.opencontainers.image.description".to_owned(), said.description.clone());
    }
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer], "annotations": annotations,
    });
    Ok(manifest.to_string().into())
}

/// The component at `oci://host/path:tag` (or `@sha256:…`), whoever has pushed it.
///
/// # Errors
/// If there is none, or it is no component.
pub async fn pull(text: &str) -> Result<Bytes> {
    let name = text.strip_prefix("oci://").unwrap_or(text);
    let reference: Reference =
        name.parse().map_err(|e| usage!("{text:?} is no reference; expected oci://host/path:tag ({e})"))?;
    let session = Session::open(&reference)?;
    let Some((manifest, _)) = session.manifest(&reference).await? else {
        bail!("there is no {reference}");
    };
    let [layer] = manifest.layers.as_slice() else {
        bail!("{reference} has {} layers; a component has exactly one", manifest.layers.len());
    };
    ensure!(layer.media_type == WASM, "{reference} holds {}, not {WASM}", layer.media_type);
    let size = usize::try_from(layer.size).ok().filter(|size| *size <= MAX_COMPONENT);
    let size = size.with_context(|| {
        format!("{reference} is said to have {} bytes; at most {MAX_COMPONENT} are read", layer.size)
    })?;
    let cannot = || format!("cannot read the component of {reference}");
    let stream = session.client.pull_blob_stream(&reference, layer).await.with_context(cannot)?;
    let bytes = exactly(size, stream).await.with_context(cannot)?;
    // The client has compared it as well; what is not checked here is not known here.
    let found = StageIdentity::digest_of(&bytes);
    ensure!(found == layer.digest, "the component of {reference} has the digest {found}, not {}", layer.digest);
    Ok(bytes)
}

/// All of a stream that has so many bytes. Of one that has more, no more are read.
async fn exactly(size: usize, stream: impl Stream<Item = std::io::Result<Bytes>>) -> Result<Bytes> {
    let mut stream = std::pin::pin!(stream);
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.try_next().await? {
        ensure!(chunk.len() <= size - bytes.len(), "it has more than the {size} bytes that its manifest says");
        bytes.extend_from_slice(&chunk);
    }
    ensure!(bytes.len() == size, "it has {} bytes instead of {size}", bytes.len());
    Ok(bytes.into())
}

/// All files below a folder, by their relative names, in order.
fn files(root: &Path) -> Result<Vec<String>> {
    fn walk(root: &Path, folder: &Path, files: &mut Vec<String>) -> Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                walk(root, &path, files)?;
            } else if let Some(name) = path.strip_prefix(root)?.to_str().filter(|name| !name.starts_with('.')) {
                files.push(name.to_owned());
            }
        }
        Ok(())
    }
    let mut names = Vec::new();
    walk(root, root, &mut names)?;
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_stage_has_a_repository_and_every_version_a_tag() {
        let place: OciPlace = "oci://localhost:5000/stages/".parse().unwrap();
        let reference = |id: &str| place.reference(&id.parse().unwrap()).unwrap().whole();
        assert_eq!(reference("zip@1.0.0"), "localhost:5000/stages/zip:1.0.0");
        assert_eq!(reference("zip@1.0.0+build.7"), "localhost:5000/stages/zip:1.0.0_build.7");
    }

    #[test]
    fn what_is_no_place_for_several_stages_is_refused() {
        for wrong in ["oci://", "oci://host", "oci:///path", "oci://host/path:tag", "oci://host/PATH"] {
            assert!(wrong.parse::<OciPlace>().unwrap_err().contains("expected oci://host/path"), "{wrong}");
        }
    }
    #[tokio::test]
    async fn of_a_component_no_more_bytes_are_read_than_its_manifest_says() {
        let taken = std::sync::atomic::AtomicUsize::new(0);
        let endless = futures::stream::repeat_with(|| {
            taken.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(Bytes::from_static(b"1234"))
        });
        let said = exactly(9, endless).await.unwrap_err().to_string();
        assert!(said.contains("more than the 9 bytes"), "{said}");
        assert_eq!(taken.into_inner(), 3);

        let of = |chunks: &[&'static [u8]]| {
            futures::stream::iter(chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))).collect::<Vec<_>>())
        };
        assert_eq!(exactly(5, of(&[b"123", b"45"])).await.unwrap(), b"12345".as_slice());
        assert!(exactly(6, of(&[b"123", b"45"])).await.is_err());
    }
}
