//! Executions beside each other on the same files.

use std::collections::BTreeMap;

use crate::listing::{Random, batch, contents, difference, files, photo, write_media};
use crate::served::{Served, failures};

const ROUNDS: u64 = 20;
const AT_ONCE: u64 = 4;

/// Returns the derived objects of the listing.
fn derived(served: &Served) -> BTreeMap<String, Vec<u8>> {
    let mut all = contents(&served.bucket().join("51"));
    all.retain(|key, _| !key.starts_with("raw/"));
    all
}

#[tokio::test]
async fn twenty_times_four_executions_on_one_photo_at_once_all_succeed_with_the_same_bytes() {
    let served = Served::start();
    let key = "51/raw/photo/horizontal/2026-01-02/front.jpg";
    served.put(key, &photo("front.jpg", 900));
    let one = |job: u64| serde_json::json!({"jobId": job, "batchId": 7, "listingId": 51, "assets": [key]});
    let alone = served.begin("alone", &one(0)).await;
    assert_eq!(failures(&served.end(&alone).await), [""; 0]);
    let expected = derived(&served);
    assert_eq!(expected.len(), 3 + 3, "three thumbnails and three archives");

    let mut random = Random::new(20);
    for round in 0..ROUNDS {
        // Everything is missing at first, and later any part of it.
        for file in files(&served.bucket().join("51")) {
            if !file.starts_with(served.bucket().join("51/raw")) && (round < 5 || random.below(2) == 0) {
                std::fs::remove_file(file).unwrap();
            }
        }
        let mut begun = Vec::new();
        for number in 0..AT_ONCE {
            begun.push(served.begin(&format!("round-{round}-{number}"), &one(round * AT_ONCE + number)).await);
        }
        for arn in begun {
            let batch = served.end(&arn).await;
            assert_eq!(failures(&batch), [""; 0], "round {round}: {batch:#}");
            let asset = &batch["assets"][0];
            assert_eq!(asset["renditions"].as_array().map(Vec::len), Some(3), "round {round}");
        }
        let difference = difference(&expected, &derived(&served));
        assert!(difference.is_empty(), "round {round}:\n{difference}");
    }
}

#[tokio::test]
async fn executions_on_one_listing_with_a_long_archive_at_once_all_succeed_with_the_same_bytes() {
    let served = Served::start();
    let media = tempfile::tempdir().unwrap();
    write_media(media.path());
    for key in batch(0)["assets"].as_array().unwrap() {
        let key = key.as_str().unwrap();
        served.put(key, &std::fs::read(media.path().join(key.rsplit('/').next().unwrap())).unwrap());
    }
    let mut expected = None;
    for round in 0..4 {
        for area in ["51/thumb", "51/zip"] {
            let _ = std::fs::remove_dir_all(served.bucket().join(area));
        }
        let mut begun = Vec::new();
        for number in 0..AT_ONCE {
            begun.push(served.begin(&format!("round-{round}-{number}"), &batch(round * AT_ONCE + number)).await);
        }
        for arn in begun {
            assert_eq!(failures(&served.end(&arn).await), [""; 0], "round {round}");
        }
        let found = derived(&served);
        let difference = difference(expected.get_or_insert_with(|| found.clone()), &found);
        assert!(difference.is_empty(), "round {round}:\n{difference}");
    }
}
