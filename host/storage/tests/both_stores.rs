#![allow(clippy::unwrap_used, missing_docs)]
//! A folder and a bucket behave alike.

use std::sync::Arc;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use bytes::Bytes;
use stagehost_s3::{Options, S3Service};
use stagehost_storage::{Bucket, Folder, Found, Storage, StorageError, Tag};

const ONE: Bytes = Bytes::from_static(b"one");
const TWO: Bytes = Bytes::from_static(b"two");

/// Returns both stores, empty, and the folder with their data.
async fn stores() -> (Vec<Arc<dyn Storage>>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
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
    client.create_bucket().bucket("documents").send().await.unwrap();
    let bucket = Bucket::new(client, "documents", "some/prefix/", None);
    (vec![Arc::new(Folder::new(folder.path().join("folder"))), Arc::new(bucket)], folder)
}

async fn read(store: &dyn Storage, name: &str) -> Option<(Bytes, Tag)> {
    match store.get(name, None).await.unwrap() {
        Found::Found { bytes, tag } => Some((bytes, tag)),
        Found::Missing => None,
        Found::Unchanged => panic!("{name} is reported as unchanged, but no tag was given"),
    }
}

#[tokio::test]
async fn a_document_is_created_once_and_replaced_only_with_the_tag_of_its_present_content() {
    let (stores, _folder) = stores().await;
    for store in stores {
        assert_eq!(read(&*store, "a/b.json").await, None);
        let first = store.create("a/b.json", ONE).await.unwrap().expect("no document has this name");
        assert_eq!(store.create("a/b.json", TWO).await.unwrap(), None, "it exists");
        assert_eq!(read(&*store, "a/b.json").await.unwrap(), (ONE, first.clone()));
        assert_eq!(store.get("a/b.json", Some(&first)).await.unwrap(), Found::Unchanged);

        let second =
            store.replace("a/b.json", TWO, &first).await.unwrap().expect("the tag is that of the present content");
        assert_eq!(store.replace("a/b.json", ONE, &first).await.unwrap(), None, "the content was replaced before");
        assert_eq!(read(&*store, "a/b.json").await.unwrap(), (TWO, second));
        assert_eq!(store.replace("a/none.json", ONE, &first).await.unwrap(), None, "there is nothing to replace");
        assert_eq!(read(&*store, "a/none.json").await, None);
    }
}

#[tokio::test]
async fn one_of_many_simultaneous_replacements_succeeds() {
    let (stores, _folder) = stores().await;
    for store in stores {
        let seen = store.create("pins.json", ONE).await.unwrap().unwrap();
        let tries = (0..16).map(|n| {
            let (store, seen) = (store.clone(), seen.clone());
            tokio::spawn(async move { store.replace("pins.json", Bytes::from(format!("{n}")), &seen).await.unwrap() })
        });
        let mut succeeded = 0;
        for attempt in tries.collect::<Vec<_>>() {
            succeeded += usize::from(attempt.await.unwrap().is_some());
        }
        assert_eq!(succeeded, 1, "{}", store.place("pins.json"));
    }
}

#[tokio::test]
async fn names_are_listed_in_order_by_prefix_and_cannot_lead_out_of_the_store() {
    let (stores, folder) = stores().await;
    std::fs::write(folder.path().join("outside"), "secret").unwrap();
    for store in stores {
        assert!(store.list("").await.unwrap().is_empty());
        for name in ["history/2.json", "history/10.json", "histories.json", "pins.json"] {
            store.create(name, ONE).await.unwrap().unwrap();
        }
        assert_eq!(store.list("history/").await.unwrap(), ["history/10.json", "history/2.json"]);
        assert_eq!(store.list("hist").await.unwrap(), ["histories.json", "history/10.json", "history/2.json"]);
        assert_eq!(store.list("").await.unwrap().len(), 4);
        assert!(matches!(store.get("../outside", None).await, Err(StorageError::Name(_))));
        assert!(matches!(store.create("../escaped", ONE).await, Err(StorageError::Name(_))));
    }
    assert!(!folder.path().join("escaped").exists());
}

#[tokio::test]
async fn the_error_for_an_unreachable_store_names_the_document() {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-west-1"))
        .credentials_provider(Credentials::new("test", "test-secret", None, None, "test"))
        .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
        .endpoint_url("http://127.0.0.1:9")
        .force_path_style(true);
    let bucket = Bucket::new(aws_sdk_s3::Client::from_conf(config.build()), "documents", "p", None);
    let error = bucket.get("pins.json", None).await.unwrap_err().to_string();
    assert!(error.contains("s3://documents/p/pins.json"), "{error}");
}
