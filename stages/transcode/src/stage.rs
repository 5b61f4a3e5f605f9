//! Which videos are submitted, with which outputs, and what the service answers.

use crate::bindings::exports::toq::media::batch_stage::{AssetFailure, Outcome};
use crate::bindings::toq::media::transcoder::{Job, Output, Submission};
use crate::bindings::toq::media::types::{Asset, Batch, Failure, MediaType, Rendition};
use crate::config::Config;
use crate::geometry::fit;

/// What the stage needs of its host. One method for each import that it uses.
pub trait Host {
    /// Calls `keys.derive`, in the area of processed files.
    fn derive(&self, source: &str, suffix: &str, extension: &str) -> Result<String, Failure>;
    /// Calls `transcoder.submit`.
    fn submit(&self, job: &Job) -> Result<Submission, Failure>;
    /// Calls `progress.report`, in videos.
    fn report(&self, done: u64, total: u64);
}

/// Submits every good video of `batch` and returns those that were up to date.
///
/// A video that cannot be submitted is a failure of that video.
///
/// # Errors
/// If the configuration is invalid, or on a transient failure. The state is then tried again, and the service does not
/// start a job twice.
pub fn run(host: &impl Host, config: &str, batch: &Batch) -> Result<Outcome, Failure> {
    let config = Config::parse(config)?;
    let videos: Vec<&Asset> = batch.assets.iter().filter(|asset| is_due(asset)).collect();
    let total = videos.len() as u64;
    let mut outcome = Outcome { assets: Vec::new(), bundles: Vec::new(), failures: Vec::new(), note: None };
    let (mut submitted, mut up_to_date) = (0_u64, 0_u64);
    for (done, video) in (1..).zip(videos) {
        match job(host, &config, video).and_then(|job| host.submit(&job)) {
            Ok(Submission::Running(_)) => submitted += 1,
            Ok(Submission::UpToDate(renditions)) => {
                up_to_date += 1;
                outcome.assets.push(with_reused(video, renditions));
            }
            Err(transient @ Failure::Transient(_)) => return Err(transient),
            Err(failure) => outcome.failures.push(AssetFailure { key: video.key.clone(), failure }),
        }
        host.report(done, total);
    }
    outcome.note = Some(match (total, outcome.failures.len()) {
        (0, _) => "no videos".to_owned(),
        (_, 0) => format!("{submitted} submitted, {up_to_date} up to date"),
        (_, failed) => format!("{submitted} submitted, {up_to_date} up to date, {failed} failed"),
    });
    Ok(outcome)
}

/// Returns whether this is a video whose bytes were checked and on which no stage failed.
fn is_due(asset: &Asset) -> bool {
    let is_video = matches!(asset.media_type, MediaType::VideoVertical | MediaType::VideoHorizontal);
    is_video && asset.verified && asset.problem.is_none()
}

fn job(host: &impl Host, config: &Config, video: &Asset) -> Result<Job, Failure> {
    let key = &video.key;
    let name = key.rsplit('/').next().unwrap_or(key);
    if let Some(other) = video.content_type.as_deref().filter(|kind| !kind.starts_with("video/")) {
        return Err(Failure::Unsupported(format!("{name} has the content type {other}, but its key is for videos")));
    }
    let Some(etag) = &video.etag else {
        return Err(Failure::InvalidInput(format!("{name} is validated but has no entity tag")));
    };
    let pixels = video.pixels.ok_or_else(|| Failure::Corrupt(format!("{name} gives no picture size")))?;
    let mut outputs = Vec::with_capacity(config.outputs.len());
    for output in &config.outputs {
        let fitted = fit(pixels, output.long, output.short);
        outputs.push(Output {
            name: output.name.clone(),
            key: host.derive(key, &output.name, "mp4")?,
            pixels: fitted.ok_or_else(|| {
                Failure::Corrupt(format!("{name} has a picture of {} × {} pixels", pixels.width, pixels.height))
            })?,
            video_bitrate: output.video_bitrate,
            // If it is not known whether there is sound, it is kept.
            audio_bitrate: (video.has_audio != Some(false)).then_some(output.audio_bitrate),
        });
    }
    Ok(Job { source_key: key.clone(), source_etag: etag.clone(), outputs })
}

fn with_reused(video: &Asset, renditions: Vec<Rendition>) -> Asset {
    let renditions = renditions.into_iter().map(|rendition| Rendition { reused: true, ..rendition }).collect();
    Asset { renditions, ..video.clone() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::{Cell, RefCell};

    use super::*;
    use crate::bindings::toq::media::types::PixelSize;
    use crate::fixtures::{self, batch, problem};

    /// A host with prepared answers.
    #[derive(Default)]
    struct Fake {
        answers: Vec<(&'static str, Result<Submission, Failure>)>,
        jobs: RefCell<Vec<Job>>,
        reported: Cell<(u64, u64)>,
    }

    impl Host for Fake {
        fn derive(&self, source: &str, suffix: &str, extension: &str) -> Result<String, Failure> {
            let stem = source
                .strip_suffix(".mov")
                .ok_or_else(|| Failure::InvalidInput(format!("{source} does not follow the layout")))?;
            Ok(format!("{}_{suffix}.{extension}", stem.replace("/raw/", "/processed/")))
        }
        fn submit(&self, job: &Job) -> Result<Submission, Failure> {
            self.jobs.borrow_mut().push(job.clone());
            let prepared = self.answers.iter().find(|(key, _)| *key == job.source_key);
            prepared.map_or(Ok(Submission::Running("job".to_owned())), |(_, answer)| answer.clone())
        }
        fn report(&self, done: u64, total: u64) {
            self.reported.set((done, total));
        }
    }

    fn video(key: &str, width: u32, height: u32) -> Asset {
        Asset {
            media_type: if height > width { MediaType::VideoVertical } else { MediaType::VideoHorizontal },
            content_type: Some("video/quicktime".to_owned()),
            bytes: Some(1),
            etag: Some("tag".to_owned()),
            pixels: Some(PixelSize { width, height }),
            orientation: Some(6),
            duration_ms: Some(1000),
            has_audio: Some(true),
            ..fixtures::asset(key)
        }
    }

    fn rendition(name: &str) -> Rendition {
        fixtures::rendition(name, &format!("51/processed/video/{name}.mp4"), "video/mp4", None)
    }

    #[test]
    fn every_video_of_the_batch_is_submitted_and_not_only_the_first() {
        let host = Fake::default();
        let photo = Asset { media_type: MediaType::PhotoVertical, ..video("51/raw/p.mov", 10, 20) };
        let unverified = Asset { verified: false, ..video("51/raw/u.mov", 10, 20) };
        let problem = Some(problem("x", "y"));
        let failed = Asset { problem, ..video("51/raw/f.mov", 10, 20) };
        let videos = [video("51/raw/a.mov", 3840, 2160), video("51/raw/b.mov", 1080, 1920)];
        let [a, b] = videos;
        let outcome = run(&host, "{}", &batch(vec![photo, a, unverified, failed, b])).unwrap();
        let jobs = host.jobs.borrow();
        assert_eq!(
            jobs.iter().map(|job| job.source_key.as_str()).collect::<Vec<_>>(),
            ["51/raw/a.mov", "51/raw/b.mov"]
        );
        assert!(jobs.iter().all(|job| job.source_etag == "tag"));
        assert_eq!(outcome.note.as_deref(), Some("2 submitted, 0 up to date"));
        assert_eq!(host.reported.get(), (2, 2));
        assert!(outcome.assets.is_empty() && outcome.failures.is_empty() && outcome.bundles.is_empty());
    }

    #[test]
    fn portrait_stays_portrait_and_both_outputs_are_made_of_a_small_video_too() {
        let host = Fake::default();
        run(&host, "{}", &batch(vec![video("51/raw/a.mov", 2160, 3840), video("51/raw/s.mov", 640, 360)])).unwrap();
        let jobs = host.jobs.borrow();
        let output = |name: &str, key: &str, width, height, video_bitrate, audio| Output {
            name: name.to_owned(),
            key: key.to_owned(),
            pixels: PixelSize { width, height },
            video_bitrate,
            audio_bitrate: Some(audio),
        };
        assert_eq!(
            jobs[0].outputs,
            [
                output("1080p", "51/processed/a_1080p.mp4", 1080, 1920, 5_000_000, 128_000),
                output("720p", "51/processed/a_720p.mp4", 720, 1280, 3_000_000, 96_000)
            ]
        );
        assert_eq!(
            jobs[1].outputs,
            [
                output("1080p", "51/processed/s_1080p.mp4", 640, 360, 5_000_000, 128_000),
                output("720p", "51/processed/s_720p.mp4", 640, 360, 3_000_000, 96_000)
            ]
        );
    }

    #[test]
    fn a_video_without_sound_is_submitted_without_sound() {
        for (has_audio, expected) in [(Some(false), None), (Some(true), Some(128_000)), (None, Some(128_000))] {
            let host = Fake::default();
            run(&host, "{}", &batch(vec![Asset { has_audio, ..video("51/raw/a.mov", 10, 10) }])).unwrap();
            assert_eq!(host.jobs.borrow()[0].outputs[0].audio_bitrate, expected);
        }
    }

    #[test]
    fn a_video_that_is_up_to_date_is_returned_as_reused() {
        let answer = Ok(Submission::UpToDate(vec![rendition("1080p"), rendition("720p")]));
        let host = Fake { answers: vec![("51/raw/a.mov", answer)], ..Fake::default() };
        let outcome = run(&host, "{}", &batch(vec![video("51/raw/a.mov", 10, 10)])).unwrap();
        let [asset] = &outcome.assets[..] else { panic!("{outcome:?}") };
        assert_eq!(asset.key, "51/raw/a.mov");
        assert_eq!(
            asset.renditions.iter().map(|r| (r.name.as_str(), r.reused)).collect::<Vec<_>>(),
            [("1080p", true), ("720p", true)]
        );
        assert_eq!(outcome.note.as_deref(), Some("0 submitted, 1 up to date"));
    }

    #[test]
    fn a_video_that_cannot_be_submitted_fails_alone() {
        let refusal = Err(Failure::Unsupported("codec".to_owned()));
        let host = Fake { answers: vec![("51/raw/c.mov", refusal)], ..Fake::default() };
        let assets = vec![
            Asset { pixels: None, ..video("51/raw/a.mov", 10, 10) },
            Asset { pixels: Some(PixelSize { width: 0, height: 9 }), ..video("51/raw/b.mov", 10, 10) },
            video("51/raw/c.mov", 10, 10),
            Asset { content_type: Some("image/jpeg".to_owned()), ..video("51/raw/d.mov", 10, 10) },
            Asset { etag: None, ..video("51/raw/e.mov", 10, 10) },
            video("elsewhere", 10, 10),
            video("51/raw/good.mov", 10, 10),
        ];
        let outcome = run(&host, "{}", &batch(assets)).unwrap();
        let cases: Vec<_> = outcome
            .failures
            .iter()
            .map(|failed| {
                let case = format!("{:?}", failed.failure);
                (failed.key.as_str(), case[..case.find('(').unwrap()].to_owned())
            })
            .collect();
        let expected = [
            ("51/raw/a.mov", "Failure::Corrupt"),
            ("51/raw/b.mov", "Failure::Corrupt"),
            ("51/raw/c.mov", "Failure::Unsupported"),
            ("51/raw/d.mov", "Failure::Unsupported"),
            ("51/raw/e.mov", "Failure::InvalidInput"),
            ("elsewhere", "Failure::InvalidInput"),
        ];
        assert_eq!(cases, expected.map(|(key, case)| (key, case.to_owned())));
        assert_eq!(outcome.note.as_deref(), Some("1 submitted, 0 up to date, 6 failed"));
    }

    #[test]
    fn a_busy_service_fails_the_call_so_that_the_state_is_tried_again() {
        let answers = vec![("51/raw/a.mov", Err(Failure::Transient("busy".to_owned())))];
        let host = Fake { answers, ..Fake::default() };
        let result = run(&host, "{}", &batch(vec![video("51/raw/a.mov", 10, 10)]));
        assert!(matches!(result, Err(Failure::Transient(_))), "{result:?}");
    }

    #[test]
    fn a_batch_without_videos_succeeds() {
        let outcome = run(&Fake::default(), "{}", &batch(Vec::new())).unwrap();
        assert_eq!(outcome.note.as_deref(), Some("no videos"));
    }
}
