//! Thirty-two invocations at the same time in one process, as on Lambda Managed Instances.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::future::join_all;
use serde_json::{Value, json};
use stagehost_tests::package::{package, state};

use crate::surroundings::{Host, started_with};

const AT_ONCE: u32 = 32;

async fn concurrent() -> Host {
    started_with(package().unwrap(), |_| vec![("AWS_LAMBDA_MAX_CONCURRENCY", AT_ONCE.to_string())]).await
}

/// The payload of a state of a listing's own execution.
fn of_listing(name: &str, listing: u32, batch: Value) -> Value {
    let mut payload = state(name, batch);
    let arn = payload["execution"]["arn"].as_str().unwrap().replace("batch-1", &format!("listing-{listing}"));
    payload["execution"]["arn"] = json!(arn);
    payload["execution"]["name"] = json!(format!("listing-{listing}"));
    payload
}

#[tokio::test]
async fn each_of_thirty_two_invocations_gets_its_own_batch_back_and_its_own_line_of_metrics() {
    let host = concurrent().await;
    let batches: Vec<Value> = (0..AT_ONCE).map(|n| host.one_photo(100 + n)).collect();
    for name in ["ValidateRawAssets", "GenerateThumbnails"] {
        let payloads: Vec<Value> =
            (0..).zip(&batches).map(|(n, batch)| of_listing(name, 100 + n, batch.clone())).collect();
        let answers = join_all(payloads.iter().map(|payload| host.invoke(payload))).await;
        for (n, answer) in (0..).zip(answers) {
            let answer = answer.unwrap();
            assert_eq!((&answer["listingId"], &answer["counts"]["failed"]), (&json!(100 + n), &json!(0)), "{answer:#}");
            if name == "GenerateThumbnails" {
                for rendition in answer["assets"][0]["renditions"].as_array().unwrap() {
                    let key = rendition["key"].as_str().unwrap();
                    assert!(key.starts_with(&format!("{}/", 100 + n)) && host.object(key).is_file(), "{key}");
                }
            }
        }
        let lines = host.function.lines();
        let metrics = lines.iter().filter_map(|line| serde_json::from_str::<Value>(&line.text).ok());
        let metrics: Vec<Value> =
            metrics.filter(|line| line["state"] == name && line.get("DurationP95").is_some()).collect();
        let listings: BTreeSet<&str> = metrics.iter().map(|line| line["listing"].as_str().unwrap()).collect();
        assert_eq!((metrics.len(), listings.len()), (AT_ONCE as usize, AT_ONCE as usize));
        assert!(metrics.iter().all(|line| line["Calls"] == 1), "{metrics:#?}");
    }
    host.assert_healthy().await;
}

#[tokio::test]
async fn a_large_batch_does_not_hold_up_the_small_ones_beside_it() {
    let host = concurrent().await;
    let photo = |name: &str| {
        let key = host.upload(50, "photo/horizontal", "front.jpg");
        let own = key.replace("front.jpg", name);
        std::fs::copy(host.object(&key), host.object(&own)).unwrap();
        own
    };
    let keys: Vec<String> = (0..60).map(|n| photo(&format!("photo-{n}.jpg"))).collect();
    let large = of_listing("GenerateThumbnails", 50, json!({"listingId": 50, "assets": keys}));
    let small: Vec<Value> =
        (1..AT_ONCE).map(|n| of_listing("GenerateThumbnails", 100 + n, host.one_photo(100 + n))).collect();
    let ended = AtomicUsize::new(0);
    let large = async {
        host.invoke(&large).await.unwrap();
        ended.load(Ordering::Relaxed)
    };
    let small = join_all(small.iter().map(|payload| async {
        host.invoke(payload).await.unwrap();
        ended.fetch_add(1, Ordering::Relaxed);
    }));
    let (before, _) = tokio::join!(large, small);
    // Executions take turns, so nearly all of them end before the sixty photos of the large one.
    assert!(before >= 24, "{before} of {} small batches ended before the large one", AT_ONCE - 1);
}
