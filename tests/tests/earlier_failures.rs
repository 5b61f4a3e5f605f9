//! The failures of the system that this one replaces, each as a test that would have caught it. The numbers are those of the
//! list in the contract.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Value, json};
use stagehost_tests::{Ran, Serve, file, run};

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/// The sample listing, run once as a queue message with every optional field.
fn sample() -> &'static (Ran, PathBuf) {
    static RUN: OnceLock<(Ran, PathBuf)> = OnceLock::new();
    RUN.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap().keep();
        let names: Vec<String> = std::fs::read_dir(file("samples/listing"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let segment = |name: &str| match name {
            "staircase.mp4" => "video/vertical",
            name if name.ends_with(".mp4") => "video/horizontal",
            name if name.ends_with(".pdf") => "project/doc",
            name if name.starts_with("staircase") => "photo/vertical",
            _ => "photo/horizontal",
        };
        let assets: Vec<Value> = names
            .iter()
            .map(|name| json!({"key": format!("28/raw/{}/2025-11-27/{name}", segment(name)), "type": null}))
            .collect();
        let batch = json!({
            "jobId": 21, "batchId": "b-7", "listingIdentityId": 28, "externalId": "ext-1", "assets": assets,
            "retry": 0, "traceparent": TRACE,
        });
        let path = dir.join("batch.json");
        std::fs::write(&path, batch.to_string()).unwrap();
        let (media, out) = (file("samples/listing"), dir.join("out"));
        let ran =
            run([path.as_os_str(), "--media".as_ref(), media.as_os_str(), "--out".as_ref(), out.as_os_str()]).unwrap();
        assert_eq!(ran.code, 3, "{:#}\n{}", ran.json, ran.stderr);
        (ran, out.join("toq-listing-medias"))
    })
}

fn open_zip(bucket: &Path, name: &str) -> zip::ZipArchive<std::fs::File> {
    let keys = sample().0.json["zipBundles"].as_array().unwrap();
    let key = keys.iter().filter_map(Value::as_str).find(|key| key.ends_with(&format!("/{name}.zip"))).unwrap();
    zip::ZipArchive::new(std::fs::File::open(bucket.join(key)).unwrap()).unwrap()
}

#[test]
fn n01_every_photo_is_processed_whatever_its_type_is_called() {
    let (ran, _) = sample();
    for name in ["front.jpg", "kitchen.jpg", "living-room.jpg", "staircase.jpg", "floor-plan.png", "bedroom.webp"] {
        let outputs = ran.output(name)["outputs"].as_object().unwrap();
        assert_eq!(outputs.keys().map(String::as_str).collect::<std::collections::BTreeSet<_>>().len(), 3, "{name}");
    }
}

#[test]
fn n02_nothing_is_lost_between_states_or_branches() {
    let (ran, bucket) = sample();
    assert_eq!(ran.json["jobId"], 21);
    assert_eq!(ran.json["externalId"], "ext-1");
    let names: Vec<String> = open_zip(bucket, "complete").file_names().map(|name| name.unwrap().into_owned()).collect();
    assert!(names.iter().any(|name| name.starts_with("thumbnails/")), "the thumbnails' branch reaches the archive");
    assert!(names.iter().any(|name| name.starts_with("processed/")), "and so does the videos'");
}

#[test]
fn n03_every_path_that_the_state_machine_reads_is_in_the_batch_document() {
    let definition: Value =
        serde_json::from_slice(&std::fs::read(file("statemachine/media-processing.asl.json")).unwrap()).unwrap();
    let batch = stagehost_batch::parse(&json!({"listingId": 1, "assets": ["1/raw/photo/vertical/a.jpg"]})).unwrap();
    let document = serde_json::to_value(&batch).unwrap();
    // Written by the state machine itself, not by the host.
    let own = ["error", "branches", "undelivered", "Payload"];
    let mut paths = Vec::new();
    collect_paths(&definition, &mut paths);
    assert!(paths.len() > 5, "{paths:?}");
    for path in paths {
        let Some(rest) = path.strip_prefix("$.") else { continue };
        if own.iter().any(|name| rest.split(['.', '[']).next() == Some(name)) {
            continue;
        }
        let pointer = format!("/{}", rest.replace('.', "/"));
        assert!(document.pointer(&pointer).is_some(), "{path} is not in the batch document {document:#}");
    }
}

fn collect_paths(value: &Value, paths: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_path = name.ends_with(".$") || matches!(name.as_str(), "Variable" | "InputPath" | "OutputPath");
                match value.as_str() {
                    Some(path) if is_path => paths.push(path.to_owned()),
                    _ => collect_paths(value, paths),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_paths(item, paths)),
        _ => {}
    }
}

#[test]
fn n04_ids_come_back_as_they_came() {
    let (ran, _) = sample();
    assert_eq!(ran.json["jobId"], json!(21));
    assert_eq!(ran.json["listingIdentityId"], json!(28));
    assert_eq!(ran.json["batchId"], json!("b-7"));
    assert!(ran.json.get("listingId").is_none());
}

#[test]
fn n05_the_trace_reaches_the_backend_and_a_missing_one_fails_nothing() {
    assert_eq!(sample().0.json["traceparent"], TRACE);
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("in")).unwrap();
    std::fs::copy(file("samples/listing/front.jpg"), dir.path().join("in/front.jpg")).unwrap();
    let ran = run([dir.path().join("in").as_os_str(), "--out".as_ref(), dir.path().join("out").as_os_str()]).unwrap();
    assert_eq!(ran.code, 0, "{:#}\n{}", ran.json, ran.stderr);
    assert!(ran.json.get("traceparent").is_none());
}

#[tokio::test]
async fn n06_a_duplicate_message_starts_nothing_and_a_malformed_one_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let serve = Serve::start(dir.path()).unwrap();
    let arn = serve.facts["functionArn"].as_str().unwrap();
    let job = json!({"jobId": 4, "listingId": 51, "assets": ["51/raw/photo/vertical/2025-11-27/photo-001.jpg"]});
    let record = |id: &str, body: String| json!({"eventSource": "aws:sqs", "messageId": id, "body": body});
    let event = json!({"Records": [
        record("first", job.to_string()), record("again", job.to_string()), record("broken", "{oops".into()),
    ]});
    let client = reqwest::Client::new();
    let url = format!("{}/2015-03-31/functions/{arn}/invocations", serve.endpoint());
    let answer = client.post(url).body(event.to_string()).send().await.unwrap().text().await.unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "broken"}]}));

    let list = client.post(serve.endpoint()).header("x-amz-target", "AWSStepFunctions.ListExecutions");
    let machine = json!({"stateMachineArn": serve.facts["stateMachineArn"]});
    let listed = list.body(machine.to_string()).send().await.unwrap().text().await.unwrap();
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["executions"].as_array().map(Vec::len), Some(1), "{listed:#}");
}

#[test]
fn n07_every_video_is_transcoded_and_its_processed_key_is_a_video() {
    let (ran, bucket) = sample();
    for name in ["walk-through.mp4", "staircase.mp4"] {
        let key = ran.output(name)["processedKey"].as_str().unwrap();
        let bytes = std::fs::read(bucket.join(key)).unwrap();
        assert!(key.ends_with("_1080p.mp4") && &bytes[4..8] == b"ftyp", "{key}");
    }
}

#[test]
fn n08_one_bad_file_is_a_partial_success_and_claims_are_checked() {
    let (ran, _) = sample();
    assert_eq!(ran.json["status"], "PARTIAL_SUCCESS");
    assert_eq!(ran.output("kitchen-damaged.jpg")["errorCode"], "Stage.Corrupt");
    let failed = ran.json["outputs"].as_array().unwrap().iter().filter(|o| !o["errorCode"].is_null()).count();
    assert_eq!(failed, 1, "it is alone");

    let dir = tempfile::tempdir().unwrap();
    let media = dir.path().join("media");
    std::fs::create_dir(&media).unwrap();
    let claims = [
        ("sum.jpg", json!({"checksumSha256": "00".repeat(32)}), "Stage.Mismatch"),
        ("size.jpg", json!({"size": 7}), "Stage.Mismatch"),
        ("type.jpg", json!({"contentType": "image/png"}), "Stage.Mismatch"),
        ("right.jpg", json!({}), ""),
    ];
    let mut assets = Vec::new();
    for (name, claim, _) in &claims {
        std::fs::copy(file("samples/listing/front.jpg"), media.join(name)).unwrap();
        let mut asset = json!({"key": format!("1/raw/photo/horizontal/{name}")});
        asset.as_object_mut().unwrap().extend(claim.as_object().unwrap().clone());
        assets.push(asset);
    }
    assets.push(json!("1/raw/photo/horizontal/missing.jpg"));
    let batch = dir.path().join("batch.json");
    std::fs::write(&batch, json!({"jobId": 1, "listingId": 1, "assets": assets}).to_string()).unwrap();
    let out = dir.path().join("out");
    let ran =
        run([batch.as_os_str(), "--media".as_ref(), media.as_os_str(), "--out".as_ref(), out.as_os_str()]).unwrap();
    for (name, _, code) in claims {
        assert_eq!(ran.output(name)["errorCode"].as_str().unwrap_or_default(), code, "{name}");
    }
    assert_eq!(ran.output("missing.jpg")["errorCode"], "Stage.Missing");
}

#[test]
fn n09_nothing_is_enlarged_documents_are_left_alone_and_extensions_tell_the_truth() {
    let (ran, bucket) = sample();
    let document = ran.output("description.pdf");
    assert!(document["errorCode"].is_null() && document["outputs"].as_object().unwrap().is_empty());
    let key = ran.output("floor-plan.png")["outputs"]["320x240"].as_str().unwrap();
    assert!(
        key.ends_with("/floor-plan_320x240.jpg")
            && std::fs::read(bucket.join(key)).unwrap().starts_with(b"\xff\xd8\xff")
    );

    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("in")).unwrap();
    let small = image::RgbImage::from_fn(100, 40, |x, y| image::Rgb([x as u8, y as u8, 7]));
    small.save(dir.path().join("in/small.jpg")).unwrap();
    let out = dir.path().join("out");
    let ran = run([dir.path().join("in").as_os_str(), "--out".as_ref(), out.as_os_str()]).unwrap();
    let outputs = ran.output("small.jpg")["outputs"].as_object().unwrap();
    assert_eq!(outputs.len(), 3);
    for key in outputs.values() {
        let rendition = image::open(out.join("toq-listing-medias").join(key.as_str().unwrap())).unwrap();
        assert_eq!((rendition.width(), rendition.height()), (100, 40));
    }
}

/// Memory is the business of `large_batch.rs`.
#[test]
fn n10_media_in_archives_is_stored_as_it_is() {
    let (_, bucket) = sample();
    let mut archive = open_zip(bucket, "originals");
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).unwrap();
        assert_eq!(entry.compression(), zip::CompressionMethod::Stored);
        let name = entry.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        let (folder, name) = name.rsplit_once('/').unwrap();
        assert_eq!(bytes, std::fs::read(bucket.join(format!("28/raw/{folder}/2025-11-27/{name}"))).unwrap());
    }
}

#[tokio::test]
async fn n11_the_lifecycle_rule_matches_the_tag_that_uploads_get() {
    let template = std::fs::read_to_string(file("statemachine/template.yaml")).unwrap();
    assert!(template.contains("TagFilters: [{ Key: lifecycle, Value: raw }]"), "the rule goes by the tag");
    assert!(!template.contains("Prefix: raw/"), "no key begins with raw/");

    let (ran, bucket) = sample();
    let serve = Serve::start(bucket.parent().unwrap()).unwrap();
    let config = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_config::Region::new("us-east-1"))
        .endpoint_url(serve.endpoint())
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(
            aws_credential_types::Credentials::new("a", "b", None, None, "test"),
        ))
        .build();
    let s3 = aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build());
    let key = ran.output("front.jpg")["rawKey"].as_str().unwrap();
    let tags = s3.get_object_tagging().bucket("toq-listing-medias").key(key).send().await.unwrap();
    let tags: Vec<_> = tags.tag_set().iter().map(|tag| (tag.key(), tag.value())).collect();
    assert_eq!(tags, [("lifecycle", "raw")]);
}

#[test]
fn n12_names_and_timeouts_of_template_and_state_machine_agree() {
    let template = std::fs::read_to_string(file("statemachine/template.yaml")).unwrap();
    let number = |name: &str| -> u64 {
        let line = template.lines().find(|line| {
            line.trim_start().starts_with(&format!("{name}: ")) && line.ends_with(|c: char| c.is_ascii_digit())
        });
        line.unwrap_or_else(|| panic!("{name} is not in the template")).rsplit(' ').next().unwrap().parse().unwrap()
    };
    let function = number("TimeoutSeconds");
    assert!(number("VisibilityTimeout") >= 6 * function, "a message must not come back while it is worked on");
    let definition: Value =
        serde_json::from_slice(&std::fs::read(file("statemachine/media-processing.asl.json")).unwrap()).unwrap();
    let mut tasks = Vec::new();
    collect_tasks(&definition, &mut tasks);
    for (name, task) in tasks.iter().filter(|(_, task)| task["Resource"] == "arn:aws:states:::lambda:invoke") {
        let timeout = task["TimeoutSeconds"].as_u64().unwrap_or_default();
        assert!(
            timeout > function && timeout <= function + 60,
            "{name} waits {timeout} s for a function of {function} s"
        );
        assert_eq!(task["Parameters"]["FunctionName"], "${HostFunctionArn}", "{name}");
    }
    assert!(template.contains("HostFunctionArn:"), "the template fills the placeholder in");
}

fn collect_tasks(machine: &Value, tasks: &mut Vec<(String, Value)>) {
    for (name, state) in machine["States"].as_object().into_iter().flatten() {
        if state["Type"] == "Task" {
            tasks.push((name.clone(), state.clone()));
        }
        state["Branches"].as_array().into_iter().flatten().for_each(|branch| collect_tasks(branch, tasks));
    }
}

#[tokio::test]
async fn n13_a_callback_without_a_signature_is_rejected() {
    let dir = tempfile::tempdir().unwrap();
    let serve = Serve::start(dir.path()).unwrap();
    let url = serve.facts["callbackUrl"].as_str().unwrap();
    let body = sample().0.json.to_string();
    let client = reqwest::Client::new();
    let unsigned = client.post(url).body(body.clone()).send().await.unwrap();
    assert_eq!(unsigned.status().as_u16(), 401);
    let empty = client.post(url).header("X-Toq-Signature", "").body(body).send().await.unwrap();
    assert_eq!(empty.status().as_u16(), 401);
}

#[test]
fn n14_a_result_that_cannot_be_delivered_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("in")).unwrap();
    std::fs::copy(file("samples/listing/front.jpg"), dir.path().join("in/front.jpg")).unwrap();
    // A callback stage that always refuses, like a backend that is down for good: only the stage itself compares the delays.
    let config = dir.path().join("config.json");
    let none = json!({"config": {"firstDelayMs": 20_000, "maxDelayMs": 10_000}});
    let states = json!({"states": {"FinalizeAndCallback": none, "ReportProcessingFailed": none}});
    std::fs::write(&config, states.to_string()).unwrap();
    let (input, out) = (dir.path().join("in"), dir.path().join("out"));
    let ran =
        run([input.as_os_str(), "--out".as_ref(), out.as_os_str(), "--config".as_ref(), config.as_os_str()]).unwrap();
    assert_eq!(ran.code, 1, "{:#}\n{}", ran.json, ran.stderr);
    let database = rusqlite::Connection::open(out.join(".stagehost/receiver.sqlite")).unwrap();
    let kept: Vec<String> = database
        .prepare("SELECT body FROM dead_letters")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(kept.len(), 1);
    assert!(kept[0].contains("front_320x240.jpg"), "with all that was made: {}", kept[0]);
}
