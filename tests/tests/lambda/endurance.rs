//! Ten thousand invocations of one process.

use serde_json::json;
use stagehost_tests::package::state;

use crate::surroundings::started;

const INVOCATIONS: usize = 10_000;
/// By then every cache is full.
const SETTLED: usize = 1_000;
/// Every second invocation runs a state with a file in S3; the others are health checks.
const WORK: usize = 2;

#[tokio::test]
async fn ten_thousand_invocations_leave_memory_and_descriptors_as_they_were() {
    let host = started().await;
    let document = host.upload(51, "project/doc", "description.pdf");
    let work = state("ValidateRawAssets", json!({"listingId": 51, "assets": [document]}));
    let health = json!({"source": "stagehost.health"});
    let mut settled = (0, 0);
    for n in 1..=INVOCATIONS {
        if n % WORK == 0 {
            assert_eq!(host.invoke(&work).await.unwrap()["counts"]["valid"], 1);
        } else {
            assert_eq!(host.invoke(&health).await.unwrap()["status"], "ok");
        }
        if n == SETTLED {
            settled = (host.function.resident_bytes().unwrap(), host.function.descriptors().unwrap());
        }
        host.function.forget_lines();
    }
    let (memory, descriptors) = (host.function.resident_bytes().unwrap(), host.function.descriptors().unwrap());
    println!(
        "resident {} KiB, then {} KiB; descriptors {}, then {descriptors}",
        settled.0 >> 10,
        memory >> 10,
        settled.1
    );
    assert!(memory <= settled.0 + settled.0 / 20, "{} bytes became {memory}", settled.0);
    // Connections to S3 come and go.
    assert!(descriptors <= settled.1 + 2, "{} descriptors became {descriptors}", settled.1);
}
