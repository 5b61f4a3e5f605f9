//! Attacks by somebody who can write to the store and has no trusted key. Hosts run only what was published, and each
//! refusal names its reason.

use stagehost_registry::{Registry, SigningKey};
use stagehost_runtime::{ENGINE, World};

use stagehost_tests::versions::title;

use crate::support::{Bench, Compiled, benches, draft, here, id, in_a_folder, other_target, pin, stages, trusting};

fn manifest_of(id: &str) -> String {
    format!("stages/{}/manifest.json", id.replace('@', "/"))
}

fn record_of(stage: &Compiled) -> String {
    format!("artifacts/{}/{}-{ENGINE}.json", stage.digest().trim_start_matches("sha256:"), here())
}

fn blob_of(stage: &Compiled) -> String {
    format!("blobs/blake3/{}", stagehost_registry::blake3_of(&stage.code).trim_start_matches("blake3:"))
}

/// Returns registries with `x@1.0.0`, which is version one, and `x@1.1.0`, which is version two.
async fn published() -> Vec<Bench> {
    let [one, two] = stages();
    let benches = benches().await;
    for bench in &benches {
        bench.publish("x@1.0.0", one).await;
        bench.publish("x@1.1.0", two).await;
    }
    benches
}

fn flip(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_byte_of_an_artifact() {
    let [one, _] = stages();
    for bench in published().await {
        bench.change(&blob_of(one), |bytes| flip(bytes)).await;
        let said = bench.refusal(&pin("x@1.0.0", &one.digest())).await;
        assert!(said.contains(&blob_of(one)) && said.contains("its content has been changed"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_truncated_artifact() {
    let [one, _] = stages();
    for bench in published().await {
        bench.change(&blob_of(one), |bytes| bytes.truncate(1000)).await;
        let said = bench.refusal(&pin("x@1.0.0", &one.digest())).await;
        assert!(said.contains("has 1000 bytes instead of"), "{said}");
    }
}

#[tokio::test]
async fn a_missing_artifact() {
    let [one, _] = stages();
    let bench = in_a_folder();
    bench.publish("x@1.0.0", one).await;
    std::fs::remove_file(bench.folder.path().join("registry").join(blob_of(one))).unwrap();
    let said = bench.refusal(&pin("x@1.0.0", &one.digest())).await;
    assert!(said.contains("is missing"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_stages_artifact_in_its_place() {
    let [one, two] = stages();
    for bench in published().await {
        bench
            .change(&blob_of(one), |bytes| {
                bytes.clear();
                bytes.extend_from_slice(&two.code);
            })
            .await;
        let said = bench.refusal(&pin("x@1.0.0", &one.digest())).await;
        assert!(said.contains("has the digest") || said.contains("bytes instead of"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_components_record_in_its_place() {
    let [one, two] = stages();
    for bench in published().await {
        let theirs = bench.read(&record_of(two)).await.0;
        bench.change(&record_of(one), |bytes| *bytes = theirs.to_vec()).await;
        let said = bench.refusal(&pin("x@1.0.0", &one.digest())).await;
        assert!(said.contains(&format!("is of the component {}", two.digest())), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_processors_record_in_its_place() {
    let [one, _] = stages();
    for bench in published().await {
        let digest = one.digest();
        bench.registry.add_artifact(&digest, other_target(), &one.code, &bench.key).await.unwrap();
        let theirs = record_of(one).replace(here().name(), other_target().name());
        let theirs = bench.read(&theirs).await.0;
        bench.change(&record_of(one), |bytes| *bytes = theirs.to_vec()).await;
        let said = bench.refusal(&pin("x@1.0.0", &digest)).await;
        assert!(said.contains(&format!("is for {} and {ENGINE}, not for {}", other_target(), here())), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_with_another_content() {
    let [one, _] = stages();
    for bench in published().await {
        let signed = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap();
        let theirs = signed(&bench.read(&manifest_of("x@1.1.0")).await.0);
        bench
            .change(&manifest_of("x@1.0.0"), |bytes| {
                let mut envelope = signed(bytes);
                envelope["payload"] = theirs["payload"].clone();
                *bytes = envelope.to_string().into_bytes();
            })
            .await;
        let said = bench.refusal(&pin("x@1.0.0", &one.digest())).await;
        assert!(said.contains("does not match the content"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_or_newer_manifest_replayed() {
    let [one, two] = stages();
    for bench in published().await {
        let older = bench.read(&manifest_of("x@1.0.0")).await.0;
        bench.change(&manifest_of("x@1.1.0"), |bytes| *bytes = older.to_vec()).await;
        // Also for a pin with the digest of the replayed manifest.
        for stage in [one, two] {
            let said = bench.refusal(&pin("x@1.1.0", &stage.digest())).await;
            assert!(said.contains("was signed for x@1.0.0, not for x@1.1.0"), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_signed_by_somebody_else() {
    let [one, two] = stages();
    let stranger = SigningKey::generate().unwrap();
    for bench in published().await {
        let theirs = in_a_folder();
        let registry = Registry::new(theirs.store.clone(), trusting(&[&stranger]));
        let code = [(here(), two.code.clone())];
        registry.publish(&draft("x@1.0.0", &two.component), &code, &stranger).await.unwrap();
        let manifest = theirs.read(&manifest_of("x@1.0.0")).await.0;
        bench.change(&manifest_of("x@1.0.0"), |bytes| *bytes = manifest.to_vec()).await;
        for stage in [one, two] {
            let said = bench.refusal(&pin("x@1.0.0", &stage.digest())).await;
            assert!(
                said.contains(&format!("signed by the key {}, which is not trusted", stranger.public().id())),
                "{said}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_without_a_signature_and_a_record_as_a_manifest() {
    let [one, _] = stages();
    for bench in published().await {
        let record = bench.read(&record_of(one)).await.0;
        bench.change(&manifest_of("x@1.0.0"), |bytes| *bytes = record.to_vec()).await;
        let said = bench.refusal(&pin("x@1.0.0", &one.digest())).await;
        assert!(said.contains("an envelope of") && said.contains("artifact.v1"), "{said}");

        bench.change(&manifest_of("x@1.0.0"), |bytes| *bytes = br#"{"name":"x","version":"1.0.0"}"#.to_vec()).await;
        let said = bench.refusal(&pin("x@1.0.0", &one.digest())).await;
        assert!(said.contains("not a signed envelope"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_for_other_bytes_or_another_world_than_was_published() {
    let [one, two] = stages();
    for bench in published().await {
        let said = bench.refusal(&pin("x@1.0.0", &two.digest())).await;
        assert!(said.contains(&format!("pinned to {}, but was published as {}", two.digest(), one.digest())), "{said}");
        let mut elsewhere = pin("x@1.0.0", &one.digest());
        elsewhere.world = World::Thumbnails;
        let said = bench.refusal(&elsewhere).await;
        assert!(said.contains("pinned under the world thumbnails, but was published for custom"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_yank_moved_from_another_version_is_refused_and_stops_no_host() {
    let [one, two] = stages();
    for bench in published().await {
        bench.registry.yank(&id("x@1.0.0"), "loses colours", "someone", &bench.key).await.unwrap();
        // A pinned version still runs after its yank, also on a new host.
        assert_eq!(bench.answer(&pin("x@1.0.0", &one.digest())).await.unwrap(), title(1));
        let checks = bench.registry.verify(&id("x@1.0.0")).await.unwrap();
        let problems: Vec<_> = checks.iter().filter_map(|check| check.problem.as_ref()).collect();
        assert!(problems.len() == 1 && problems[0].contains("loses colours"), "{checks:?}");

        // A yank that was moved to another version is an error for readers and stops no host.
        let yanking = bench.read("stages/x/1.0.0/yanked.json").await.0;
        bench.store.create("stages/x/1.1.0/yanked.json", yanking).await.unwrap().unwrap();
        let said = bench.registry.yanked(&id("x@1.1.0")).await.unwrap_err().to_string();
        assert!(said.contains("was signed for x@1.0.0, not for x@1.1.0"), "{said}");
        assert_eq!(bench.answer(&pin("x@1.1.0", &two.digest())).await.unwrap(), title(2));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_artifact_for_this_host_says_which_command_makes_one() {
    let [one, _] = stages();
    for bench in benches().await {
        let code = [(other_target(), one.code.clone())];
        bench.registry.publish(&draft("x@1.0.0", &one.component), &code, &bench.key).await.unwrap();
        let said = bench.refusal(&pin("x@1.0.0", &one.digest())).await;
        let command = format!("stagehost stage recompile x@1.0.0 --registry {}", bench.registry.place());
        assert!(said.contains(&command), "{said}");
        assert!(said.contains(&format!("there are: {}-{ENGINE}", other_target())), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_was_signed_under_the_wrong_label_is_refused_when_it_is_mapped() {
    let [one, _] = stages();
    let bench = in_a_folder();
    let code = [(here(), b"no native code at all".as_slice().into())];
    bench.registry.publish(&draft("x@1.0.0", &one.component), &code, &bench.key).await.unwrap();
    let said = bench.refusal(&pin("x@1.0.0", &one.digest())).await;
    assert!(said.contains("cannot be mapped here"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn verifying_finds_a_changed_component_and_goes_on() {
    let [one, _] = stages();
    for bench in published().await {
        let blob = format!("blobs/sha256/{}", one.digest().trim_start_matches("sha256:"));
        bench.change(&blob, |bytes| flip(bytes)).await;
        bench.change(&blob_of(one), |bytes| bytes.truncate(1)).await;
        let checks = bench.registry.verify(&id("x@1.0.0")).await.unwrap();
        let wrong: Vec<_> = checks.iter().filter_map(|check| Some((&check.what, check.problem.as_ref()?))).collect();
        assert_eq!(wrong.len(), 2, "{checks:?}");
        assert!(wrong[0].0 == "component" && wrong[0].1.contains("content has been changed"), "{wrong:?}");
        assert!(wrong[1].0.starts_with("artifact ") && wrong[1].1.contains("1 bytes instead of"), "{wrong:?}");
    }
}

/// Changes every eleventh byte of every signed document, one after the other.
#[tokio::test(flavor = "multi_thread")]
async fn no_changed_byte_of_a_signed_document_leads_to_other_code() {
    let [one, two] = stages();
    let bench = in_a_folder();
    bench.publish("x@1.0.0", one).await;
    // Other code that a host could find here.
    bench.publish("x@1.1.0", two).await;
    let pin = pin("x@1.0.0", &one.digest());
    let mut refused = 0;
    for name in [manifest_of("x@1.0.0"), record_of(one)] {
        let whole = bench.read(&name).await.0;
        for at in (0..whole.len()).step_by(11) {
            bench.change(&name, |bytes| bytes[at] ^= 1).await;
            match bench.answer(&pin).await {
                // Some bytes of an envelope are not part of what is signed, such as white space.
                Ok(answer) => assert_eq!(answer, title(1), "{name} with byte {at} changed"),
                Err(error) => {
                    assert_eq!(error.error_type, "Host.BadStage", "{error}");
                    refused += 1;
                }
            }
            bench.change(&name, |bytes| *bytes = whole.to_vec()).await;
        }
    }
    assert!(refused > 50, "{refused}");
    assert_eq!(bench.answer(&pin).await.unwrap(), title(1), "and unchanged it runs");
}
