//! The services around a function on AWS, on loopback.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;

use axum::{Json, Router};
use serde_json::{Value, json};
use stagehost_local::{FunctionError, LocalAws, LocalOptions};
use stagehost_tests::file;
use stagehost_tests::package::{Package, environment, package, state};
use stagehost_tests::runtime_api::{Deadline, Function};

/// The function and the services that it uses.
pub struct Host {
    /// S3, Step Functions, the receiver.
    pub aws: LocalAws,
    /// The process.
    pub function: Arc<Function>,
    /// A folder of the test's own; the process has its `TMPDIR` there.
    pub folder: tempfile::TempDir,
}

/// Starts the shipped package.
pub async fn started() -> Host {
    started_with(package().unwrap(), |_| vec![]).await
}

/// Starts a package with further variables, which may depend on the test's folder.
pub async fn started_with(package: &Package, more: impl Fn(&std::path::Path) -> Vec<(&str, String)>) -> Host {
    let folder = tempfile::tempdir().unwrap();
    let aws = LocalAws::start(LocalOptions::new(folder.path().join("out"))).await.unwrap();
    let secrets = secrets(aws.webhook_secret().to_owned()).await;
    let temporary = folder.path().join("tmp");
    std::fs::create_dir(&temporary).unwrap();

    let mut variables = environment(&package.folder, &aws.endpoint(), &aws.options().bucket);
    let own = [
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets),
        ("CALLBACK_URL", aws.callback_url()),
        ("TMPDIR", temporary.display().to_string()),
    ];
    for (name, value) in own.into_iter().chain(more(folder.path())) {
        variables.push((name.to_owned(), value));
    }
    let function = Function::start(Command::new(package.folder.join("bootstrap")), variables).await.unwrap();
    Host { aws, function: Arc::new(function), folder }
}

/// Starts a Secrets Manager with one secret. Returns its address.
async fn secrets(secret: String) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Router::new().fallback(move || async move { Json(json!({"SecretString": secret})) });
    tokio::spawn(async move { axum::serve(listener, answer).await });
    format!("http://{address}")
}

impl Host {
    /// Invokes the function with the usual deadline.
    pub async fn invoke(&self, payload: &Value) -> Result<Value, FunctionError> {
        self.function.invoke(payload, Deadline::USUAL).await
    }

    /// Invokes it for a state and expects success.
    pub async fn state(&self, name: &str, batch: Value) -> Value {
        let answer = self.invoke(&state(name, batch)).await;
        answer.unwrap_or_else(|error| panic!("{name}: {error}\n{:#?}", self.function.lines()))
    }

    /// Asserts that the process runs and answers.
    pub async fn assert_healthy(&self) {
        let answer = self.invoke(&json!({"source": "stagehost.health"})).await.unwrap();
        assert_eq!(answer["status"], "ok");
        assert_eq!(self.function.exit_status(), None);
    }

    /// Returns the file of an object.
    pub fn object(&self, key: &str) -> PathBuf {
        self.folder.path().join("out").join(&self.aws.options().bucket).join(key)
    }

    /// Uploads a file of the sample listing for a listing. Returns its key.
    pub fn upload(&self, listing: u32, media: &str, sample: &str) -> String {
        let key = format!("{listing}/raw/{media}/2026-01-02/{sample}");
        let place = self.object(&key);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::copy(file("samples/listing").join(sample), place).unwrap();
        key
    }

    /// Uploads one photo. Returns a batch of it.
    pub fn one_photo(&self, listing: u32) -> Value {
        let key = self.upload(listing, "photo/horizontal", "front.jpg");
        json!({"listingId": listing, "batchId": 5, "jobId": 4, "assets": [key]})
    }

    /// Makes Step Functions call this function.
    pub fn serve_step_functions(&self) {
        self.aws.set_function(Arc::new(Invoked(self.function.clone())));
    }
}

struct Invoked(Arc<Function>);

#[async_trait::async_trait]
impl stagehost_local::Function for Invoked {
    async fn invoke(&self, payload: bytes::Bytes) -> Result<bytes::Bytes, FunctionError> {
        self.0.invoke_bytes(payload, Deadline::USUAL).await
    }
}

/// Writes a file with a later modification time than before, however coarse the clock is.
pub fn rewrite(path: &std::path::Path, text: &str) {
    let before = path.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    let after = SystemTime::now().max(before + std::time::Duration::from_secs(1));
    std::fs::File::options().write(true).open(&beside).unwrap().set_modified(after).unwrap();
    std::fs::rename(beside, path).unwrap();
}
