//! The AWS SDK for Rust as the client, over loopback.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use aws_sdk_mediaconvert::Client;
use aws_sdk_mediaconvert::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_mediaconvert::types::{self, builders};
use common::{bench, ffmpeg};
use stagehost_mediaconvert::Options;

async fn client(bench: &common::Bench) -> Client {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = stagehost_mediaconvert::router(bench.service.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let config = aws_sdk_mediaconvert::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("local", "local", None, None, "test"))
        .endpoint_url(format!("http://{address}"))
        .build();
    Client::from_conf(config)
}

fn h264() -> builders::H264SettingsBuilder {
    types::H264Settings::builder().rate_control_mode(types::H264RateControlMode::Qvbr).max_bitrate(400_000)
}

fn settings(video: types::VideoDescription) -> types::JobSettings {
    types::JobSettings::builder()
        .inputs(
            types::Input::builder()
                .file_input("s3://media/51/raw/clip.mp4")
                .video_selector(types::VideoSelector::builder().rotate(types::InputRotate::Auto).build())
                .build(),
        )
        .output_groups(
            types::OutputGroup::builder()
                .output_group_settings(
                    types::OutputGroupSettings::builder()
                        .r#type(types::OutputGroupType::FileGroupSettings)
                        .file_group_settings(
                            types::FileGroupSettings::builder().destination("s3://media/51/processed/").build(),
                        )
                        .build(),
                )
                .outputs(
                    types::Output::builder()
                        .name_modifier("_sdk")
                        .container_settings(
                            types::ContainerSettings::builder().container(types::ContainerType::Mp4).build(),
                        )
                        .video_description(video)
                        .build(),
                )
                .build(),
        )
        .build()
}

fn video() -> builders::VideoDescriptionBuilder {
    types::VideoDescription::builder().width(64).height(36).codec_settings(
        types::VideoCodecSettings::builder().codec(types::VideoCodec::H264).h264_settings(h264().build()).build(),
    )
}

#[tokio::test]
async fn the_sdk_submits_a_job_and_watches_it_to_its_end() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options::default());
    bench.landscape("clip.mp4");
    let client = client(&bench).await;
    let created = client
        .create_job()
        .role("arn:aws:iam::000000000000:role/r")
        .queue("arn:aws:mediaconvert:us-east-1:000000000000:queues/q")
        .user_metadata("ticket", "t-9")
        .settings(settings(video().build()))
        .send()
        .await
        .unwrap();
    let job = created.job().unwrap();
    assert_eq!(job.status(), Some(&types::JobStatus::Submitted));
    let id = job.id().unwrap();
    bench.end(id).await;
    let job = client.get_job().id(id).send().await.unwrap().job.unwrap();
    assert_eq!(job.status(), Some(&types::JobStatus::Complete));
    assert_eq!(job.job_percent_complete(), Some(100));
    assert_eq!(job.user_metadata().unwrap()["ticket"], "t-9");
    assert!(job.timing().unwrap().finish_time().is_some());
    let made = job.output_group_details()[0].output_details()[0].video_details().unwrap();
    assert_eq!((made.width_in_px(), made.height_in_px()), (Some(64), Some(36)));

    let listed = client.list_jobs().status(types::JobStatus::Complete).send().await.unwrap();
    assert_eq!(listed.jobs().len(), 1);
    assert!(client.list_jobs().status(types::JobStatus::Error).send().await.unwrap().jobs().is_empty());
}

#[tokio::test]
async fn the_sdk_reads_an_error() {
    let bench = bench(Options::default());
    let client = client(&bench).await;
    let crop = types::Rectangle::builder().x(0).y(0).width(32).height(32).build();
    let error = client
        .create_job()
        .role("r")
        .settings(settings(video().crop(crop).build()))
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(error.is_bad_request_exception(), "{error:?}");
    assert!(error.meta().message().unwrap().contains("videoDescription/crop"), "{error:?}");
    let error = client.get_job().id("none").send().await.unwrap_err().into_service_error();
    assert!(error.is_not_found_exception());
    let error = client.cancel_job().id("none").send().await.unwrap_err().into_service_error();
    assert!(error.is_not_found_exception());
}

#[tokio::test]
async fn the_sdk_creates_and_reads_a_template() {
    let bench = bench(Options::default());
    let client = client(&bench).await;
    client
        .create_job_template()
        .name("preset")
        .category("c")
        .settings(types::JobTemplateSettings::builder().build())
        .send()
        .await
        .unwrap();
    let template = client.get_job_template().name("preset").send().await.unwrap().job_template.unwrap();
    assert_eq!((template.name(), template.category()), (Some("preset"), Some("c")));
    #[allow(deprecated)]
    let endpoints = client.describe_endpoints().send().await.unwrap();
    assert!(endpoints.endpoints()[0].url().unwrap().starts_with("http://127.0.0.1:"));
}
