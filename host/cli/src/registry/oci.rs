//! Components in OCI registries, as `wkg` and other WebAssembly tools write and read them (CNCF TAG Runtime, "Wasm OCI
//! Artifact Layout"): a manifest with the config `application/vnd.wasm.config.v0+json` and one layer `application/wasm`.
//!
//! Signed documents and native code, which only hosts understand, go into a second manifest, tagged `VERSION.stagehost`,
//! with the component's manifest as its `subject`. The tag is for registries before the distribution specification 1.1,
//! which have no referrers; by the subject, newer ones list and delete it with the component. They are not in the
//! component's own manifest, because its readers accept exactly one layer.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use docker_credential::DockerCredential;
use futures::{Stream, TryStreamExt as _};
use oci_client::Reference;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::manifest::{OciDescriptor, OciImageManifest, OciManifest};
use oci_client::secrets::RegistryAuth;
use serde_json::json;
use stagehost_registry::{ArtifactRecord, Document, Draft, Manifest, Published, StageId};
use stagehost_runtime::StageIdentity;

use crate::exit::usage;
use crate::registry::identity_token;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
const WASM: &str = "application/wasm";
const EMPTY: &str = "application/vnd.oci.empty.v1+json";
const SIGNED: &str = "application/vnd.stagehost.signed.v1";
const CODE: &str = "application/vnd.stagehost.code.v1";
const TITLE: &str = "org.opencontainers.image.title";

/// The largest component that is pulled, in bytes.
const MAX_COMPONENT: usize = 256 << 20;

/// `oci://host/path`: below it, each stage has a repository of its own.
#[derive(Clone, Debug)]
pub struct OciPlace {
    base: String,
}

impl FromStr for OciPlace {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let base = text.strip_prefix("oci://").unwrap_or(text).trim_end_matches('/');
        let refused = || format!("{text:?} is not an OCI registry; expected oci://host/path");
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
    /// Returns `host/path/NAME:VERSION`. A tag cannot hold the `+` of build metadata; as in other tools it becomes `_`.
    ///
    /// # Errors
    /// If the name is not valid in a registry.
    pub fn reference(&self, id: &StageId) -> Result<Reference> {
        let text = format!("{}/{}:{}", self.base, id.name(), id.version().to_string().replace('+', "_"));
        text.parse().with_context(|| text.clone())
    }
}

/// A registry, and the login for it.
struct Session {
    client: Client,
    auth: RegistryAuth,
}

impl Session {
    /// `actions` are `pull` or `pull,push`.
    async fn open(reference: &Reference, actions: &str) -> Result<Self> {
        let host = reference.resolve_registry();
        // As Docker does: a registry on this machine needs no certificate.
        let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
        let loopback = matches!(name, "localhost" | "127.0.0.1" | "[::1]");
        let protocol = if loopback { ClientProtocol::Http } else { ClientProtocol::Https };
        let client = Client::new(ClientConfig { protocol, ..ClientConfig::default() });
        // The login of `docker login`; without it, an anonymous one.
        let auth = match docker_credential::get_credential(host) {
            Ok(DockerCredential::UsernamePassword(user, password)) => RegistryAuth::Basic(user, password),
            Ok(DockerCredential::IdentityToken(token)) => {
                let base = format!("{}://{host}", if loopback { "http" } else { "https" });
                let token = identity_token::exchange(&base, host, reference.repository(), actions, &token).await?;
                RegistryAuth::Bearer(token)
            }
            Err(_) => RegistryAuth::Anonymous,
        };
        Ok(Self { client, auth })
    }

    /// Returns the manifest and its digest, if the tag exists.
    async fn manifest(&self, reference: &Reference) -> Result<Option<(OciImageManifest, String)>> {
        match self.client.pull_manifest(reference, &self.auth).await {
            Ok((OciManifest::Image(manifest), digest)) => Ok(Some((manifest, digest))),
            Ok((OciManifest::ImageIndex(_), _)) => bail!("{reference} is an index of images, not a component"),
            Err(OciDistributionError::ImageManifestNotFoundError(_)) => Ok(None),
            Err(OciDistributionError::RegistryError { envelope, .. })
                if envelope.errors.iter().any(|error| is_unknown(&error.code)) =>
            {
                Ok(None)
            }
            Err(error) => Err(error).with_context(|| format!("cannot read {reference}")),
        }
    }

    /// Returns the manifest's length.
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

/// Pushes a component and its signed documents. Returns `false` if both were there.
///
/// The signed documents come first: the component's tag publishes the version, and its readers must find the rest. A push
/// that was interrupted is completed.
///
/// # Errors
/// If the tag belongs to another component, or the registry refuses.
pub async fn push(reference: &Reference, signed: &Path, draft: &Draft, published: &Published) -> Result<bool> {
    let session = Session::open(reference, "pull,push").await?;
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
        let known_subject = session.manifest(&beside).await?.and_then(|(signed, _)| signed.subject);
        if known_subject.is_some_and(|subject| subject.digest == manifest) {
            return Ok(false);
        }
        // Another tool pushed it, or the push was interrupted.
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

/// Pushes the signed documents and the native code.
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

/// Pushes the component and its configuration. Returns their manifest, which is not pushed yet.
async fn component_manifest(
    session: &Session,
    reference: &Reference,
    draft: &Draft,
    published: &Manifest,
) -> Result<Bytes> {
    let title = format!("{}.wasm", published.name);
    let layer = session.put(reference, draft.component.clone(), WASM, Some(&title)).await?;
    let config = json!({
        "created": published.published_at, "author": null, "architecture": "wasm", "os": "wasip2",
        "layerDigests": [layer.digest],
        "component": {"exports": published.exports, "imports": published.imports, "target": null},
    });
    let config = session.put(reference, config.to_string().into(), WASM_CONFIG, None).await?;
    let mut annotations = BTreeMap::from([
        (TITLE.to_owned(), published.name.clone()),
        ("org.opencontainers.image.version".to_owned(), published.version.clone()),
        ("org.opencontainers.image.created".to_owned(), published.published_at.clone()),
    ]);
    if !published.description.is_empty() {
        annotations.insert("org.opencontainers.image.description".to_owned(), published.description.clone());
    }
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer], "annotations": annotations,
    });
    Ok(manifest.to_string().into())
}

/// Returns whether a registry answers this if it does not have what it is asked for.
fn is_unknown(code: &OciErrorCode) -> bool {
    use OciErrorCode::{BlobUnknown, BlobUploadUnknown, ManifestBlobUnknown, ManifestUnknown, NameUnknown};
    matches!(code, BlobUnknown | BlobUploadUnknown | ManifestBlobUnknown | ManifestUnknown | NameUnknown)
}

/// Returns the component at `oci://host/path:tag` (or `@sha256:…`). Its signatures are not checked.
///
/// # Errors
/// If there is nothing, or it is not a component.
pub async fn pull(text: &str) -> Result<Bytes> {
    let name = text.strip_prefix("oci://").unwrap_or(text);
    let reference: Reference =
        name.parse().map_err(|e| usage!("{text:?} is not a reference; expected oci://host/path:tag ({e})"))?;
    let session = Session::open(&reference, "pull").await?;
    let Some((manifest, _)) = session.manifest(&reference).await? else {
        bail!("there is no {reference}");
    };
    let [layer] = manifest.layers.as_slice() else {
        bail!("{reference} has {} layers; a component has exactly one", manifest.layers.len());
    };
    ensure!(layer.media_type == WASM, "{reference} holds {}, not {WASM}", layer.media_type);
    let size = usize::try_from(layer.size).ok().filter(|size| *size <= MAX_COMPONENT);
    let size =
        size.with_context(|| format!("{reference} declares {} bytes; at most {MAX_COMPONENT} are read", layer.size))?;
    let cannot = || format!("cannot read the component of {reference}");
    let stream = session.client.pull_blob_stream(&reference, layer).await.with_context(cannot)?;
    let bytes = exactly(size, stream).await.with_context(cannot)?;
    // The client compares it too, but this must not depend on it.
    let found = StageIdentity::digest_of(&bytes);
    ensure!(found == layer.digest, "the component of {reference} has the digest {found}, not {}", layer.digest);
    Ok(bytes)
}

/// Returns all of a stream, which must have exactly `size` bytes. No more are read.
async fn exactly(size: usize, stream: impl Stream<Item = std::io::Result<Bytes>>) -> Result<Bytes> {
    let mut stream = std::pin::pin!(stream);
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.try_next().await? {
        ensure!(chunk.len() <= size - bytes.len(), "it has more than the {size} bytes of its manifest");
        bytes.extend_from_slice(&chunk);
    }
    ensure!(bytes.len() == size, "it has {} bytes instead of {size}", bytes.len());
    Ok(bytes.into())
}

/// Returns the relative names of all files below a folder, in order.
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
    fn an_incomplete_address_is_refused() {
        for wrong in ["oci://", "oci://host", "oci:///path", "oci://host/path:tag", "oci://host/PATH"] {
            assert!(wrong.parse::<OciPlace>().unwrap_err().contains("expected oci://host/path"), "{wrong}");
        }
    }

    #[tokio::test]
    async fn a_component_is_read_up_to_the_length_in_its_manifest() {
        let taken = std::sync::atomic::AtomicUsize::new(0);
        let endless = futures::stream::repeat_with(|| {
            taken.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Ok(Bytes::from_static(b"1234"))
        });
        let error = exactly(9, endless).await.unwrap_err().to_string();
        assert!(error.contains("more than the 9 bytes"), "{error}");
        assert_eq!(taken.into_inner(), 3);

        let of = |chunks: &[&'static [u8]]| {
            futures::stream::iter(chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))).collect::<Vec<_>>())
        };
        assert_eq!(exactly(5, of(&[b"123", b"45"])).await.unwrap(), b"12345".as_slice());
        assert!(exactly(6, of(&[b"123", b"45"])).await.is_err());
    }
}
