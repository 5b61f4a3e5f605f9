//! A photo that somebody replaces while the batch runs.

use serde_json::Value;

use crate::listing::{PHOTOS, Random, batch, photo, write_media};
use crate::served::{Served, failures};

const ROUNDS: u64 = 16;

#[tokio::test]
async fn a_photo_that_is_replaced_at_any_moment_of_a_run_fails_alone() {
    let served = Served::start();
    let media = tempfile::tempdir().unwrap();
    write_media(media.path());
    let keys: Vec<String> =
        batch(0)["assets"].as_array().unwrap().iter().map(|key| key.as_str().unwrap().to_owned()).collect();
    let upload = |key: &String| {
        let name = key.rsplit('/').next().unwrap();
        served.put(key, &std::fs::read(media.path().join(name)).unwrap());
    };
    keys.iter().for_each(upload);
    let begun = std::time::Instant::now();
    let whole = served.begin("undisturbed", &batch(0)).await;
    assert_eq!(failures(&served.end(&whole).await), [""; 0]);
    let whole = begun.elapsed();

    let other = photo("living-room.jpg", 500);
    let mut random = Random::new(7);
    let (mut replaced, mut noticed) = (0, 0);
    for round in 0..ROUNDS {
        for area in ["51/thumb", "51/zip"] {
            let _ = std::fs::remove_dir_all(served.bucket().join(area));
        }
        keys.iter().for_each(upload);
        let victim = &keys[random.below(PHOTOS.len() as u64) as usize];
        let name = victim.rsplit('/').next().unwrap();
        let arn = served.begin(&format!("round-{round}"), &batch(round + 1)).await;
        tokio::time::sleep(whole.mul_f64(round as f64 / ROUNDS as f64)).await;
        served.put(victim, &other);
        replaced += 1;
        let ended = served.end(&arn).await;
        let failed = failures(&ended);
        assert!(failed.is_empty() || failed == [format!("{name}: Stage.Mismatch")], "round {round}: {failed:#?}");
        noticed += u32::from(!failed.is_empty());
        assert_whole(&ended, &served, round);
    }
    println!("{noticed} of {replaced} replacements were noticed, the others were too early or too late");
}

/// Asserts that every file without a failure has its renditions, and that the archives exist.
fn assert_whole(batch: &Value, served: &Served, round: u64) {
    for asset in batch["assets"].as_array().unwrap() {
        let renditions = asset["renditions"].as_array().map_or(0, Vec::len);
        let is_photo = asset["key"].as_str().unwrap().ends_with(".jpg");
        assert!(!asset["problem"].is_null() || !is_photo || renditions == 3, "round {round}: {asset:#}");
    }
    let bundles = batch["bundles"].as_array().unwrap();
    assert_eq!(bundles.len(), 3, "round {round}");
    for bundle in bundles {
        let path = served.bucket().join(bundle["key"].as_str().unwrap());
        let mut archive = zip::ZipArchive::new(std::fs::File::open(&path).unwrap()).unwrap();
        assert_eq!(Some(archive.len() as u64), bundle["entries"].as_u64(), "round {round}: {bundle:#}");
        for index in 0..archive.len() {
            // Reading to the end compares the checksum.
            std::io::copy(&mut archive.by_index(index).unwrap(), &mut std::io::sink()).unwrap();
        }
    }
}
