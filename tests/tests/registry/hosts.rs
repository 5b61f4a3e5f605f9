//! Hosts: what they cache, what they unload, and what they refuse although it is on their own disk.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stagehost_dispatch::StageSource as _;
use stagehost_registry::Registry;
use stagehost_storage::Folder;
use stagehost_tests::versions::title;

use crate::support::{Bench, Slow, answer, benches, in_a_folder, pin, stages, trusting};

/// The longest wait for a condition.
const PATIENCE: Duration = Duration::from_secs(120);

/// Returns an empty registry with the same trusted key.
fn empty(bench: &Bench) -> Registry {
    Registry::new(Arc::new(Folder::new(bench.folder.path().join("nothing"))), trusting(&[&bench.key]))
}

fn code_in(cache: PathBuf) -> Vec<PathBuf> {
    let files = std::fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "cwasm")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_restarts_needs_only_its_cache() {
    let [one, two] = stages();
    for bench in benches().await {
        bench.publish("x@1.0.0", one).await;
        let pin_one = pin("x@1.0.0", &one.digest());
        bench.load(&pin_one).await.unwrap();
        let again = bench.host_reading(empty(&bench)).stage(&pin_one).await.unwrap();
        assert_eq!(answer(&again).await, title(1));
        // The cache serves exactly what was signed.
        let error = bench.host_reading(empty(&bench)).stage(&pin("x@1.0.0", &two.digest())).await.unwrap_err();
        assert_eq!(error.error_type, "Host.BadStage");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_no_longer_trusted_does_not_count_for_the_cache_either() {
    let [one, _] = stages();
    let bench = in_a_folder();
    bench.publish("x@1.0.0", one).await;
    let pin = pin("x@1.0.0", &one.digest());
    bench.load(&pin).await.unwrap();
    let distrusting = Registry::new(bench.store.clone(), trusting(&[]));
    let error = bench.host_reading(distrusting).stage(&pin).await.unwrap_err();
    assert!(error.error_message.contains("no key is trusted"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_damaged_cache_the_published_code_runs_or_none() {
    let [one, two] = stages();
    let bench = in_a_folder();
    bench.publish("x@1.0.0", one).await;
    let pin = pin("x@1.0.0", &one.digest());
    let elsewhere = bench.folder.path().join("elsewhere");
    type Harm<'a> = (&'a str, Box<dyn Fn(&PathBuf) + 'a>);
    let harms: [Harm; 4] = [
        (
            "a changed byte",
            Box::new(|file| {
                let mut bytes = std::fs::read(file).unwrap();
                bytes[4096] ^= 1;
                std::fs::write(file, bytes).unwrap();
            }),
        ),
        ("another stage's code", Box::new(|file| std::fs::write(file, &two.code).unwrap())),
        ("nothing left", Box::new(|file| std::fs::write(file, b"").unwrap())),
        (
            "a link to another stage's code",
            Box::new(|file| {
                std::fs::write(&elsewhere, &two.code).unwrap();
                std::fs::remove_file(file).unwrap();
                std::os::unix::fs::symlink(&elsewhere, file).unwrap();
            }),
        ),
    ];
    for (what, harm) in harms {
        bench.load(&pin).await.unwrap();
        let file = code_in(bench.cache()).pop().unwrap();
        harm(&file);
        let error = bench.host_reading(empty(&bench)).stage(&pin).await.expect_err(what);
        assert_eq!(error.error_type, "Host.BadStage", "{what}: {error}");
        // With the registry it is fetched again, and the cache is repaired.
        let stage = bench.host().stage(&pin).await.expect(what);
        assert_eq!(answer(&stage).await, title(1), "{what}");
        assert!(file.symlink_metadata().unwrap().is_file(), "{what}");
        assert_eq!(std::fs::read(&file).unwrap(), one.code, "{what}");
    }
    assert_eq!(std::fs::read(&elsewhere).unwrap(), two.code, "nothing was written through the link");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_that_no_revision_names_is_unloaded_and_can_be_loaded_again() {
    let [one, two] = stages();
    let bench = in_a_folder();
    bench.publish("x@1.0.0", one).await;
    bench.publish("x@1.1.0", two).await;
    let host = bench.host();
    let (pin_one, pin_two) = (pin("x@1.0.0", &one.digest()), pin("x@1.1.0", &two.digest()));
    let (held, kept) = (host.stage(&pin_one).await.unwrap(), host.stage(&pin_two).await.unwrap());
    assert!(Arc::ptr_eq(&held, &host.stage(&pin_one).await.unwrap()), "loaded once");
    let gone = Arc::downgrade(&held);
    host.retain(&HashSet::from([two.digest()]));
    drop(held);
    assert!(gone.upgrade().is_none());
    assert!(Arc::ptr_eq(&kept, &host.stage(&pin_two).await.unwrap()));
    assert_eq!(answer(&host.stage(&pin_one).await.unwrap()).await, title(1));
    assert_eq!(answer(&kept).await, title(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_is_loaded_once_for_all_callers_and_waits_for_no_other_stage() {
    let [one, two] = stages();
    let bench = in_a_folder();
    bench.publish("slow@1.0.0", one).await;
    bench.publish("fast@1.0.0", two).await;
    let (go_on, held) = tokio::sync::watch::channel(false);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let store = Slow { below: bench.store.clone(), held: "slow".into(), go_on: held, asked: asked.clone() };
    let host = Arc::new(bench.host_reading(Registry::new(Arc::new(store), trusting(&[&bench.key]))));
    let waiting: Vec<_> = (0..8)
        .map(|_| {
            let (host, pin) = (host.clone(), pin("slow@1.0.0", &one.digest()));
            tokio::spawn(async move { host.stage(&pin).await })
        })
        .collect();
    let fast = pin("fast@1.0.0", &two.digest());
    tokio::time::timeout(PATIENCE, host.stage(&fast)).await.expect("it waited for the slow stage").unwrap();
    go_on.send(true).unwrap();
    for task in waiting {
        tokio::time::timeout(PATIENCE, task).await.unwrap().unwrap().unwrap();
    }
    let asked = asked.lock().unwrap();
    assert_eq!(asked.iter().filter(|name| name.ends_with("slow/1.0.0/manifest.json")).count(), 1, "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_is_a_transient_failure_and_the_next_try_succeeds() {
    let [one, _] = stages();
    let bench = in_a_folder();
    bench.publish("x@1.0.0", one).await;
    let pin = pin("x@1.0.0", &one.digest());
    // A folder instead of the document: it cannot be read, and it is not missing.
    let blocked = bench.folder.path().join("registry/stages/x/1.0.0");
    let aside = bench.folder.path().join("aside");
    std::fs::rename(blocked.join("manifest.json"), &aside).unwrap();
    std::fs::create_dir(blocked.join("manifest.json")).unwrap();
    let host = bench.host();
    let error = host.stage(&pin).await.unwrap_err();
    assert_eq!(error.error_type, "Stage.Transient", "{error}");
    std::fs::remove_dir(blocked.join("manifest.json")).unwrap();
    std::fs::rename(&aside, blocked.join("manifest.json")).unwrap();
    assert!(host.stage(&pin).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_cannot_write_its_cache_runs_verified_stages_and_no_others() {
    let [one, _] = stages();
    for bench in benches().await {
        bench.publish("x@1.0.0", one).await;
        let host = bench.host();
        std::fs::remove_dir_all(bench.cache()).unwrap();
        std::fs::write(bench.cache(), b"in the way").unwrap();
        let stage = host.stage(&pin("x@1.0.0", &one.digest())).await.unwrap();
        assert_eq!(answer(&stage).await, title(1));
        // Without a cache nothing else is trusted.
        assert_eq!(host.stage(&pin("x@1.1.0", &one.digest())).await.unwrap_err().error_type, "Host.BadStage");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn loaded_bytes_do_not_count_as_published_under_another_name() {
    let [one, two] = stages();
    let bench = in_a_folder();
    bench.publish("x@1.0.0", one).await;
    bench.publish("y@2.0.0", one).await;
    bench.publish("z@3.0.0", two).await;
    let host = bench.host();
    for id in ["x@1.0.0", "y@2.0.0"] {
        let stage = host.stage(&pin(id, &one.digest())).await.unwrap();
        assert_eq!(format!("{}@{}", stage.identity().name, stage.identity().version), id);
        assert_eq!(answer(&stage).await, title(1));
    }
    // The host has the bytes, but they were not published under these names.
    for id in ["x@1.0.1", "z@3.0.0"] {
        assert_eq!(host.stage(&pin(id, &one.digest())).await.unwrap_err().error_type, "Host.BadStage", "{id}");
    }
}
