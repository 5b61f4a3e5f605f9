//! A version is published completely, once, and never changes.

use stagehost_registry::{RegistryError, SigningKey};
use stagehost_runtime::{ENGINE, World};
use stagehost_tests::versions::title;

use crate::support::{answer, benches, draft, here, id, in_a_folder, pin, stages, trusting};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_published_is_found_verified_and_loaded() {
    let [one, _] = stages();
    for bench in benches().await {
        bench.publish("x@1.0.0", one).await;
        let manifest = bench.registry.manifest(&id("x@1.0.0")).await.unwrap();
        assert_eq!(manifest.component.digest, one.digest());
        assert_eq!((manifest.world, manifest.contract.as_str()), (World::Custom, "1.0.0"));
        assert!(manifest.exports.iter().any(|name| name.starts_with("toq:media/asset-stage@")), "{manifest:?}");
        assert_eq!(manifest.publisher, bench.key.public().id());

        let checks = bench.registry.verify(&id("x@1.0.0")).await.unwrap();
        let looked_at: Vec<_> = checks.iter().map(|check| check.what.as_str()).collect();
        let artifact = format!("artifact {}-{ENGINE}", here());
        assert_eq!(looked_at, ["manifest", "component", &artifact, "not yanked"]);
        assert!(checks.iter().all(|check| check.problem.is_none()), "{checks:?}");

        let stage = bench.load(&pin("x@1.0.0", &one.digest())).await.unwrap();
        assert_eq!((answer(&stage).await, stage.world()), (title(1), World::Custom));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_bytes_again_change_nothing() {
    let [one, _] = stages();
    for bench in benches().await {
        bench.publish("x@1.0.0", one).await;
        let before = bench.content().await;
        let code = [(here(), one.code.clone())];
        let again = bench.registry.publish(&draft("x@1.0.0", &one.component), &code, &bench.key).await.unwrap();
        assert!(!again.created && !again.artifacts[0].created);
        assert_eq!(bench.content().await, before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_bytes_under_a_published_version_are_refused_by_name() {
    let [one, two] = stages();
    for bench in benches().await {
        bench.publish("x@1.0.0", one).await;
        let before = bench.content().await;
        let refused = bench.registry.publish(&draft("x@1.0.0", &two.component), &[], &bench.key).await.unwrap_err();
        let said = refused.to_string();
        assert!(said.starts_with("x@1.0.0 is published already with another component"), "{said}");
        assert!(said.contains(&one.digest()) && said.contains(&two.digest()), "{said}");

        let mut described = draft("x@1.0.0", &one.component);
        described.description = "something else".into();
        let refused = bench.registry.publish(&described, &[], &bench.key).await.unwrap_err().to_string();
        assert!(refused.contains("another description"), "{refused}");
        assert_eq!(bench.content().await, before, "and nothing was written");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_publishers_at_once_one_wins_and_the_other_gets_an_error() {
    let [one, two] = stages();
    for bench in benches().await {
        let (a, b) = (draft("x@1.0.0", &one.component), draft("x@1.0.0", &two.component));
        let (a, b) =
            tokio::join!(bench.registry.publish(&a, &[], &bench.key), bench.registry.publish(&b, &[], &bench.key));
        let (won, lost) = if a.is_ok() { (a, b) } else { (b, a) };
        let lost = lost.unwrap_err();
        assert!(matches!(lost, RegistryError::Immutable { .. }), "{lost}");
        assert_eq!(bench.registry.manifest(&id("x@1.0.0")).await.unwrap(), won.unwrap().manifest);
    }
}

#[tokio::test]
async fn an_interrupted_publication_is_invisible_and_can_be_completed() {
    let [one, _] = stages();
    let bench = in_a_folder();
    bench.publish("x@1.0.0", one).await;
    let manifest = bench.folder.path().join("registry/stages/x/1.0.0/manifest.json");
    std::fs::remove_file(&manifest).unwrap();
    assert!(bench.registry.versions(None).await.unwrap().is_empty());
    let code = [(here(), one.code.clone())];
    let done = bench.registry.publish(&draft("x@1.0.0", &one.component), &code, &bench.key).await.unwrap();
    assert!(done.created && !done.artifacts[0].created);
    assert_eq!(bench.answer(&pin("x@1.0.0", &one.digest())).await.unwrap(), title(1));
}

#[tokio::test]
async fn what_does_not_fit_its_world_or_is_not_a_component_is_not_published() {
    let [one, _] = stages();
    let bench = in_a_folder();
    let mut unfit = draft("x@1.0.0", &one.component);
    unfit.world = World::Zip;
    let said = bench.registry.publish(&unfit, &[], &bench.key).await.unwrap_err().to_string();
    assert!(said.starts_with("x@1.0.0 does not fit the world zip: "), "{said}");
    let module = b"\0asm\x01\0\0\0".as_slice().into();
    let said = bench.registry.publish(&draft("x@1.0.0", &module), &[], &bench.key).await.unwrap_err().to_string();
    assert!(said.contains("core WebAssembly module"), "{said}");
    assert!(bench.content().await.is_empty());
}

#[tokio::test]
async fn an_untrusted_version_cannot_be_published_again() {
    let [one, _] = stages();
    let bench = in_a_folder();
    let stranger = SigningKey::generate().unwrap();
    let theirs = stagehost_registry::Registry::new(bench.store.clone(), trusting(&[&stranger]));
    theirs.publish(&draft("x@1.0.0", &one.component), &[], &stranger).await.unwrap();
    let said = bench.registry.publish(&draft("x@1.0.0", &one.component), &[], &bench.key).await.unwrap_err();
    assert!(said.to_string().contains("not trusted"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_version_goes_by_number_without_prereleases_and_yanked_ones() {
    let [one, _] = stages();
    for bench in benches().await {
        for version in ["x@1.9.0", "x@1.10.0", "x@1.11.0", "x@2.0.0-rc.1", "y@9.0.0"] {
            bench.registry.publish(&draft(version, &one.component), &[], &bench.key).await.unwrap();
        }
        assert_eq!(bench.registry.newest("x").await.unwrap(), id("x@1.11.0"));
        bench.registry.yank(&id("x@1.11.0"), "broken", "someone", &bench.key).await.unwrap();
        assert_eq!(bench.registry.newest("x").await.unwrap(), id("x@1.10.0"));
        let listed = bench.registry.list(Some("x")).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|v| (v.id.to_string(), v.yanked.as_ref().unwrap().is_some())).collect();
        let expected = [("x@1.9.0", false), ("x@1.10.0", false), ("x@1.11.0", true), ("x@2.0.0-rc.1", false)];
        assert_eq!(listed, expected.map(|(id, yanked)| (id.to_owned(), yanked)));
        let said = bench.registry.manifest(&id("x@3.0.0")).await.unwrap_err().to_string();
        assert!(said.contains("x@3.0.0") && said.contains("x@1.10.0"), "{said}");
    }
}
