//! Two registries, and two versions of a stage to publish in them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use bytes::Bytes;
use stagehost_dispatch::{ArtifactCache, DispatchError, RegistryStages, StageSource};
use stagehost_pins::Pin;
use stagehost_registry::{Draft, Registry, SigningKey, StageId, TrustedKeys};
use stagehost_runtime::{Fanout, FanoutRequest, Stage, StageEngine, StageIdentity, Target, World, precompile_for};
use stagehost_s3::{Options, S3Service};
use stagehost_storage::{Bucket, Folder, Found, Storage, StorageError, Tag};
use stagehost_tests::versions::version;

use crate::calling::{call_of, one_photo};
use crate::offline;

pub const CACHE_BYTES: u64 = 64 << 20;

/// A component and what it compiles to here.
#[derive(Clone)]
pub struct Compiled {
    pub component: Bytes,
    pub code: Bytes,
}

impl Compiled {
    pub fn digest(&self) -> String {
        StageIdentity::digest_of(&self.component)
    }
}

pub fn here() -> Target {
    Target::of_this_machine().unwrap()
}

pub fn other_target() -> Target {
    Target::ALL.into_iter().find(|target| *target != here()).unwrap()
}

/// Two versions of one stage of the world `custom`, compiled once. The first answers `title(1)`, the second `title(2)`.
pub fn stages() -> &'static [Compiled; 2] {
    static STAGES: OnceLock<[Compiled; 2]> = OnceLock::new();
    STAGES.get_or_init(|| {
        [1, 2].map(|number| {
            let component = Bytes::from(version("version_asset", number).unwrap());
            let code = precompile_for(here(), &component).unwrap().into();
            Compiled { component, code }
        })
    })
}

pub fn id(text: &str) -> StageId {
    text.parse().unwrap()
}

pub fn draft(id: &str, component: &Bytes) -> Draft {
    Draft { id: self::id(id), world: World::Custom, description: "a test".into(), component: component.clone() }
}

pub fn pin(id: &str, digest: &str) -> Pin {
    let (name, version) = id.split_once('@').unwrap();
    let pin = serde_json::json!({"stage": name, "version": version, "world": "custom", "digest": digest});
    serde_json::from_value(pin).unwrap()
}

/// Calls a stage for one file. Returns the title that it gives to the file: it says which version answered.
pub async fn answer(stage: &Arc<Stage>) -> String {
    let batch = one_photo();
    let call = call_of(stage, &batch, offline::clients().capabilities().unwrap());
    let request = FanoutRequest { call, transient_fails: false };
    let outcome = Fanout::new(1, 64).run(stage.clone(), request, batch, Arc::new(())).await.unwrap();
    outcome.batch.assets[0].title.clone().unwrap_or_else(|| panic!("no title: {:?}", outcome.batch.assets[0].problem))
}

/// A registry with its store, and the key that it trusts.
pub struct Bench {
    pub store: Arc<dyn Storage>,
    pub registry: Registry,
    pub key: SigningKey,
    pub folder: Arc<tempfile::TempDir>,
}

impl Bench {
    fn over(store: Arc<dyn Storage>, folder: Arc<tempfile::TempDir>) -> Self {
        let key = SigningKey::generate().unwrap();
        let registry = Registry::new(store.clone(), trusting(&[&key]));
        Self { store, registry, key, folder }
    }

    /// Publishes a stage for this machine.
    pub async fn publish(&self, id: &str, stage: &Compiled) {
        let code = [(here(), stage.code.clone())];
        assert!(self.registry.publish(&draft(id, &stage.component), &code, &self.key).await.unwrap().created);
    }

    pub fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    /// Starts a host.
    pub fn host(&self) -> RegistryStages {
        self.host_reading(self.registry.clone())
    }

    pub fn host_reading(&self, registry: Registry) -> RegistryStages {
        let cache = ArtifactCache::open(self.cache(), CACHE_BYTES).unwrap();
        RegistryStages::new(StageEngine::new().unwrap(), None, registry, cache)
    }

    /// Loads a stage on a machine that has loaded nothing yet.
    pub async fn load(&self, pin: &Pin) -> Result<Arc<Stage>, DispatchError> {
        let _ = std::fs::remove_dir_all(self.cache());
        self.host().stage(pin).await
    }

    /// What a stage answers on such a host.
    pub async fn answer(&self, pin: &Pin) -> Result<String, DispatchError> {
        Ok(answer(&self.load(pin).await?).await)
    }

    /// Why such a host refuses it.
    pub async fn refusal(&self, pin: &Pin) -> String {
        let error = self.load(pin).await.expect_err("it was loaded");
        assert_eq!(error.error_type, "Host.BadStage", "{error}");
        error.error_message
    }

    pub async fn read(&self, name: &str) -> (Bytes, Tag) {
        match self.store.get(name, None).await.unwrap() {
            Found::Found { bytes, tag } => (bytes, tag),
            other => panic!("{name}: {other:?}"),
        }
    }

    /// Changes a document in the store.
    pub async fn change(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let (bytes, tag) = self.read(name).await;
        let mut bytes = bytes.to_vec();
        change(&mut bytes);
        self.store.replace(name, bytes.into(), &tag).await.unwrap().unwrap();
    }

    /// Returns all documents.
    pub async fn content(&self) -> BTreeMap<String, Bytes> {
        let mut content = BTreeMap::new();
        for name in self.store.list("").await.unwrap() {
            let bytes = self.read(&name).await.0;
            content.insert(name, bytes);
        }
        content
    }
}

pub fn trusting(keys: &[&SigningKey]) -> TrustedKeys {
    keys.iter().map(|key| key.public()).collect()
}

pub fn in_a_folder() -> Bench {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    Bench::over(Arc::new(Folder::new(folder.path().join("registry"))), folder)
}

/// Returns one registry in a folder and one in a bucket.
pub async fn benches() -> Vec<Bench> {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let s3 = S3Service::new(&folder.path().join("s3"), Options::default()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(s3.listen(listener));
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("test", "test-secret", None, None, "test"))
        .endpoint_url(endpoint)
        .force_path_style(true);
    let client = aws_sdk_s3::Client::from_conf(config.build());
    client.create_bucket().bucket("stages").send().await.unwrap();
    let bucket = Bucket::new(client, "stages", "registry", None);
    vec![in_a_folder(), Bench::over(Arc::new(bucket), folder)]
}

/// A store that holds back some documents until `go_on` is set, and lists what was read.
pub struct Slow {
    pub below: Arc<dyn Storage>,
    pub held: String,
    pub go_on: tokio::sync::watch::Receiver<bool>,
    pub asked: Arc<std::sync::Mutex<Vec<String>>>,
}

#[async_trait]
impl Storage for Slow {
    async fn get(&self, name: &str, unless: Option<&Tag>) -> Result<Found, StorageError> {
        self.asked.lock().unwrap().push(name.to_owned());
        if name.contains(&self.held) {
            self.go_on.clone().wait_for(|go_on| *go_on).await.unwrap();
        }
        self.below.get(name, unless).await
    }

    async fn create(&self, name: &str, bytes: Bytes) -> Result<Option<Tag>, StorageError> {
        self.below.create(name, bytes).await
    }

    async fn replace(&self, name: &str, bytes: Bytes, was: &Tag) -> Result<Option<Tag>, StorageError> {
        self.below.replace(name, bytes, was).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, StorageError> {
        self.below.list(prefix).await
    }

    fn place(&self, name: &str) -> String {
        self.below.place(name)
    }
}
