//! From one key to the next, while everything stays available and no other byte changes.

use stagehost_dispatch::StageSource as _;
use stagehost_registry::{Registry, RegistryError, SigningKey};
use stagehost_runtime::Target;
use stagehost_tests::versions::title;

use crate::support::{Bench, answer, benches, draft, id, in_a_folder, other_target, pin, stages, trusting};

/// Publishes `x@1.0.0`, yanked, and `x@1.1.0`, compiled for both processors.
async fn published(bench: &Bench) {
    let [one, two] = stages();
    bench.publish("x@1.0.0", one).await;
    bench.registry.yank(&id("x@1.0.0"), "loses colours", "someone", &bench.key).await.unwrap();
    let code = Target::ALL.map(|target| (target, two.code.clone()));
    bench.registry.publish(&draft("x@1.1.0", &two.component), &code, &bench.key).await.unwrap();
}

fn read_by(bench: &Bench, keys: &[&SigningKey]) -> Registry {
    Registry::new(bench.store.clone(), trusting(keys))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_again_is_trusted_with_the_new_key_alone() {
    let [one, two] = stages();
    for bench in benches().await {
        published(&bench).await;
        let new = SigningKey::generate().unwrap();
        let before = bench.registry.manifest(&id("x@1.1.0")).await.unwrap();
        for (version, documents) in [("x@1.0.0", 3), ("x@1.1.0", 3)] {
            let done = bench.registry.resign(&id(version), &new).await.unwrap();
            assert_eq!(done.len(), documents, "{done:?}");
            assert!(done.iter().all(|d| d.before.as_deref() == Some(&bench.key.public().id())), "{done:?}");
        }

        let registry = read_by(&bench, &[&new]);
        let listed = registry.list(None).await.unwrap();
        assert_eq!(listed.len(), 2);
        assert!(listed.iter().all(|version| version.manifest.is_ok()), "{listed:?}");
        assert_eq!(listed[0].yanked.as_ref().unwrap().as_ref().unwrap().reason, "loses colours");
        let checks = registry.verify(&id("x@1.1.0")).await.unwrap();
        assert!(checks.len() == 5 && checks.iter().all(|check| check.problem.is_none()), "{checks:?}");
        for (version, stage, says) in [("x@1.0.0", one, title(1)), ("x@1.1.0", two, title(2))] {
            let _ = std::fs::remove_dir_all(bench.cache());
            let host = bench.host_reading(registry.clone());
            assert_eq!(answer(&host.stage(&pin(version, &stage.digest())).await.unwrap()).await, says, "{version}");
        }

        // Only the publisher differs.
        let mut after = registry.manifest(&id("x@1.1.0")).await.unwrap();
        assert_eq!(after.publisher, new.public().id());
        after.publisher = before.publisher.clone();
        assert_eq!(after, before);

        // With the old key alone, or without keys, nothing is trusted.
        for (keys, why) in [(vec![&bench.key], "is not trusted"), (vec![], "no key is trusted")] {
            let registry = read_by(&bench, &keys);
            let said = registry.manifest(&id("x@1.1.0")).await.unwrap_err().to_string();
            assert!(said.contains(why), "{said}");
            for (target, record) in registry.artifacts(&two.digest()).await.unwrap() {
                assert!(record.unwrap_err().to_string().contains(why), "{target}");
            }
            assert!(registry.yanked(&id("x@1.0.0")).await.unwrap_err().to_string().contains(why));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_with_the_new_signature_stay_unchanged_and_an_interrupted_resigning_is_completed() {
    let [_, two] = stages();
    for bench in benches().await {
        published(&bench).await;
        let new = SigningKey::generate().unwrap();
        bench.registry.resign(&id("x@1.1.0"), &new).await.unwrap();
        let done = bench.content().await;
        // The old key is no longer needed.
        let registry = read_by(&bench, &[&new]);
        let again = registry.resign(&id("x@1.1.0"), &new).await.unwrap();
        assert!(again.iter().all(|document| document.before.is_none()), "{again:?}");
        assert_eq!(bench.content().await, done);

        // One record still has the old signature, as after an interruption.
        let digest = two.digest();
        let name = format!(
            "artifacts/{}/{}-{}.json",
            digest.trim_start_matches("sha256:"),
            other_target(),
            stagehost_runtime::ENGINE
        );
        let old = in_a_folder();
        let theirs = Registry::new(old.store.clone(), trusting(&[&bench.key]));
        theirs.add_artifact(&digest, other_target(), &two.code, &bench.key).await.unwrap();
        let text = old.read(&name).await.0;
        bench.change(&name, |bytes| *bytes = text.to_vec()).await;
        let both = read_by(&bench, &[&bench.key, &new]);
        let again = both.resign(&id("x@1.1.0"), &new).await.unwrap();
        let changed: Vec<_> = again.iter().filter(|document| document.before.is_some()).collect();
        assert!(changed.len() == 1 && changed[0].place.ends_with(&name), "{again:?}");
        assert!(registry.record(&digest, other_target(), stagehost_runtime::ENGINE).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untrusted_document_cannot_be_signed_again() {
    for bench in benches().await {
        published(&bench).await;
        let before = bench.content().await;
        let stranger = SigningKey::generate().unwrap();
        for trusted in [vec![], vec![&stranger]] {
            let refused = read_by(&bench, &trusted).resign(&id("x@1.1.0"), &stranger).await.unwrap_err();
            assert!(matches!(refused, RegistryError::Envelope { .. }), "{refused}");
        }
        // A yank that was moved from another version is not signed again.
        let theirs = bench.read("stages/x/1.0.0/yanked.json").await.0;
        bench.store.create("stages/x/1.1.0/yanked.json", theirs).await.unwrap().unwrap();
        let refused = bench.registry.resign(&id("x@1.1.0"), &stranger).await.unwrap_err();
        assert!(matches!(refused, RegistryError::OtherVersion { .. }), "{refused}");
        let after = bench.content().await;
        assert_eq!(after["stages/x/1.1.0/manifest.json"], before["stages/x/1.1.0/manifest.json"]);
    }
}
