//! Jobs of the local MediaConvert.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use stagehost_mediaconvert::{
    MediaConvert, MediaConvertError, NoEvents, Options, Storage, StorageError, lower_camel, upper_camel,
};
use tokio::runtime::{Builder, Runtime};

/// A store without any object.
struct Nothing;

#[async_trait]
impl Storage for Nothing {
    async fn check(&self, _: &str) -> Result<(), StorageError> {
        Ok(())
    }

    async fn fetch(&self, _: &str, key: &str, _: &Path) -> Result<PathBuf, StorageError> {
        Err(StorageError::NotFound(key.to_owned()))
    }

    async fn store(&self, _: &Path, _: &str, key: &str, _: &str) -> Result<(), StorageError> {
        Err(StorageError::Denied(key.to_owned()))
    }
}

thread_local! {
    static RUNTIME: Runtime = match Builder::new_current_thread().enable_time().build() {
        Ok(runtime) => runtime,
        Err(error) => panic!("no runtime: {error}"),
    };
}

/// Lets `work` use a service, whose jobs find no input afterwards.
fn with_service<T>(work: impl FnOnce(&MediaConvert) -> T) -> T {
    RUNTIME.with(|runtime| {
        let service = MediaConvert::new(Options::default(), Arc::new(Nothing), Arc::new(NoEvents));
        let entered = runtime.enter();
        let result = work(&service);
        drop(entered);
        runtime.block_on(service.shutdown());
        result
    })
}

/// Any request is accepted or refused with the place. An accepted job is accepted again as it is shown, once under
/// its token, and as a template with the same settings.
pub fn check(bytes: &[u8]) {
    let Ok(request) = serde_json::from_slice::<Value>(bytes) else { return };
    let renamed = lower_camel(upper_camel(request.clone()));
    assert_eq!(lower_camel(renamed.clone()), renamed, "renamed twice");
    match with_service(|service| service.create_job(request.clone())) {
        Ok(job) => is_stable(&request, &job),
        Err(error) => is_a_refusal(&error),
    }
    if let Err(error) = with_service(|service| service.create_template(request)) {
        is_a_refusal(&error);
    }
}

fn is_a_refusal(error: &MediaConvertError) {
    assert!(matches!(error.status, 400 | 404), "{error}");
    assert!(!error.message.is_empty());
}

fn created(service: &MediaConvert, request: Value) -> Value {
    match service.create_job(request) {
        Ok(job) => job,
        Err(error) => panic!("an accepted job is refused: {error}"),
    }
}

fn is_stable(request: &Value, job: &Value) {
    let settings = &job["settings"];
    let again = json!({"role": "role", "settings": settings});
    assert_eq!(with_service(|service| created(service, again))["settings"], *settings, "sent as it was shown");
    with_service(|service| {
        let mut request = request.clone();
        request["clientRequestToken"] = json!("once");
        let first = created(service, request.clone());
        assert_eq!(created(service, request)["id"], first["id"], "the same token, twice");
    });
    with_service(|service| {
        if let Err(error) = service.create_template(json!({"name": "t", "settings": settings})) {
            panic!("the settings of an accepted job make no template: {error}");
        }
        let from_template = created(service, json!({"role": "role", "jobTemplate": "t", "settings": {}}));
        assert_eq!(from_template["settings"], *settings, "from a template");
    });
}
