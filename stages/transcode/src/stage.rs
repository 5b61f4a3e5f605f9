//! Which videos are submitted, with which outputs, and what the service answers.

use stage_sdk::{AssetFailure, Outcome};

use crate::bindings::toq::media::transcoder::{Job, Output, Submission};
use crate::bindings::toq::media::types::{Asset, Batch, Failure, MediaType, PixelSize, Rendition};
use crate::config::{Config, SMALLEST, STREAM};
use crate::geometry::{fit, within};

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
    let mut outcome = Outcome::default();
    let (mut submitted, mut up_to_date) = (0_u64, 0_u64);
    for (done, video) in (1..).zip(videos) {
        match job(host, &config, video).and_then(|job| submit(host, job)) {
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

/// How the key of a picture of the film ends; see `transcoder.output` of the contract. The part between the dots is the number
/// that the service gives it.
const PICTURE: (&str, &str) = ("0000001", "jpg");

/// Submits a job. A host or a pin that allows no pictures still makes the films.
fn submit(host: &impl Host, job: Job) -> Result<Submission, Failure> {
    let result = host.submit(&job);
    let is_picture = |output: &Output| output.key.ends_with(".jpg");
    if !matches!(result, Err(Failure::Denied(_))) || !job.outputs.iter().any(is_picture) {
        return result;
    }
    let films = job.outputs.iter().filter(|output| !is_picture(output)).cloned().collect();
    host.submit(&Job { outputs: films, ..job })
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
    let mut outputs = Vec::with_capacity(config.outputs.len() + config.posters.len());
    for output in &config.outputs {
        let size = fit(pixels, output.long, output.short).ok_or_else(|| {
            Failure::Corrupt(format!("{name} has a picture of {} × {} pixels", pixels.width, pixels.height))
        })?;
        if size.width < SMALLEST || size.height < SMALLEST {
            return Err(Failure::Unsupported(format!(
                "{name} has {} × {} pixels, and the film {} would have {} × {}; each side must have at least {SMALLEST}",
                pixels.width, pixels.height, output.name, size.width, size.height
            )));
        }
        outputs.push(Output {
            name: output.name.clone(),
            key: host.derive(key, &output.name, "mp4")?,
            pixels: size,
            video_bitrate: output.video_bitrate,
            // If it is not known whether there is sound, it is kept.
            audio_bitrate: (video.has_audio != Some(false)).then_some(output.audio_bitrate),
        });
    }
    outputs.extend(stream(host, config, video, pixels)?);
    for poster in &config.posters {
        let bounds = PixelSize { width: poster.width, height: poster.height };
        // A very long film strip has no small picture that the service makes.
        let fitted = within(pixels, bounds).filter(|size| size.width >= SMALLEST && size.height >= SMALLEST);
        let Some(size) = fitted else { continue };
        let (number, extension) = PICTURE;
        outputs.push(Output {
            name: poster.name(),
            key: host.derive(key, &format!("{}.{number}", poster.name()), extension)?,
            pixels: size,
            video_bitrate: 0,
            audio_bitrate: None,
        });
    }
    Ok(Job { source_key: key.clone(), source_etag: etag.clone(), outputs })
}

/// Returns the playlists of a stream: the one above its renditions, and theirs.
fn stream(host: &impl Host, config: &Config, video: &Asset, pixels: PixelSize) -> Result<Vec<Output>, Failure> {
    let mut renditions: Vec<Output> = Vec::with_capacity(config.streaming.len() + 1);
    for output in &config.streaming {
        let fitted = fit(pixels, output.long, output.short);
        let Some(size) = fitted.filter(|size| size.width >= SMALLEST && size.height >= SMALLEST) else { continue };
        // A small video has the same size in several boxes.
        if renditions.iter().any(|other| other.pixels == size) {
            continue;
        }
        let name = format!("{STREAM}-{}", output.name);
        renditions.push(Output {
            key: host.derive(&video.key, &name, "m3u8")?,
            name,
            pixels: size,
            video_bitrate: output.video_bitrate,
            audio_bitrate: (video.has_audio != Some(false)).then_some(output.audio_bitrate),
        });
    }
    let Some(largest) = renditions.iter().map(|output| output.pixels).max_by_key(|size| size.width) else {
        return Ok(renditions);
    };
    let key = host.derive(&video.key, STREAM, "m3u8")?;
    let above = Output { name: STREAM.to_owned(), key, pixels: largest, video_bitrate: 0, audio_bitrate: None };
    renditions.insert(0, above);
    Ok(renditions)
}

fn with_reused(video: &Asset, renditions: Vec<Rendition>) -> Asset {
    let renditions = renditions.into_iter().map(|rendition| Rendition { reused: true, ..rendition }).collect();
    Asset { renditions, ..video.clone() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::{Cell, RefCell};

    use stage_sdk::testing::batch;

    use super::*;
    use crate::fixtures::{self, problem};

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
        let photo = Asset { media_type: MediaType::PhotoVertical, ..video("51/raw/p.mov", 64, 128) };
        let unverified = Asset { verified: false, ..video("51/raw/u.mov", 64, 128) };
        let problem = Some(problem("x", "y"));
        let failed = Asset { problem, ..video("51/raw/f.mov", 64, 128) };
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
        let films = |job: &Job| job.outputs[..2].to_vec();
        assert_eq!(
            films(&jobs[0]),
            [
                output("1080p", "51/processed/a_1080p.mp4", 1080, 1920, 5_000_000, 128_000),
                output("720p", "51/processed/a_720p.mp4", 720, 1280, 3_000_000, 96_000)
            ]
        );
        assert_eq!(
            films(&jobs[1]),
            [
                output("1080p", "51/processed/s_1080p.mp4", 640, 360, 5_000_000, 128_000),
                output("720p", "51/processed/s_720p.mp4", 640, 360, 3_000_000, 96_000)
            ]
        );
    }

    #[test]
    fn pictures_of_every_video_are_made_in_the_sizes_of_thumbnails() {
        let host = Fake::default();
        run(&host, "{}", &batch(vec![video("51/raw/a.mov", 2160, 3840), video("51/raw/s.mov", 640, 360)])).unwrap();
        let pictures: Vec<Vec<_>> = host.jobs.borrow().iter().map(|job| job.outputs[2..].to_vec()).collect();
        let facts = |outputs: &[Output]| -> Vec<(String, u32, u32)> {
            outputs.iter().map(|o| (o.name.clone(), o.pixels.width, o.pixels.height)).collect()
        };
        let expect = |sizes: [(u32, u32); 3]| -> Vec<(String, u32, u32)> {
            let names = ["320x240", "640x480", "1280x960"];
            names.iter().zip(sizes).map(|(name, (width, height))| ((*name).to_owned(), width, height)).collect()
        };
        assert_eq!(facts(&pictures[0]), expect([(136, 240), (270, 480), (540, 960)]));
        assert_eq!(facts(&pictures[1]), expect([(320, 180), (640, 360), (640, 360)]));
        assert_eq!(pictures[0][0].key, "51/processed/a_320x240.0000001.jpg");
        assert!(pictures[0].iter().all(|output| output.audio_bitrate.is_none()));

        let host = Fake::default();
        run(&host, r#"{"posters":[]}"#, &batch(vec![video("51/raw/a.mov", 640, 360)])).unwrap();
        assert_eq!(host.jobs.borrow()[0].outputs.len(), 2);
    }

    #[test]
    fn a_stream_has_each_size_once_and_a_playlist_above_them() {
        let config = r#"{"posters":[],"streaming":[
            {"name":"1080p","long":1920,"short":1080,"videoBitrate":5000000,"audioBitrate":128000},
            {"name":"720p","long":1280,"short":720,"videoBitrate":3000000,"audioBitrate":96000},
            {"name":"480p","long":854,"short":480,"videoBitrate":1200000,"audioBitrate":96000}]}"#;
        let host = Fake::default();
        run(&host, config, &batch(vec![video("51/raw/a.mov", 1920, 1080), video("51/raw/s.mov", 640, 1280)])).unwrap();
        let jobs = host.jobs.borrow();
        let made = |job: &Job| -> Vec<_> {
            job.outputs[2..].iter().map(|o| (o.name.clone(), o.key.clone(), o.pixels.width, o.pixels.height)).collect()
        };
        let expect = |stem: &str, outputs: &[(&str, u32, u32)]| -> Vec<_> {
            let key = |name| format!("51/processed/{stem}_{name}.m3u8");
            outputs.iter().map(|(name, width, height)| ((*name).to_owned(), key(name), *width, *height)).collect()
        };
        let all = [("hls", 1920, 1080), ("hls-1080p", 1920, 1080), ("hls-720p", 1280, 720), ("hls-480p", 854, 480)];
        assert_eq!(made(&jobs[0]), expect("a", &all));
        // A small portrait film: nothing is enlarged, and no size is there twice.
        let small = [("hls", 640, 1280), ("hls-1080p", 640, 1280), ("hls-480p", 428, 854)];
        assert_eq!(made(&jobs[1]), expect("s", &small));
    }

    #[test]
    fn where_no_picture_may_be_written_the_films_are_made_all_the_same() {
        let refusal = Err(Failure::Denied("no grant".to_owned()));
        let host = Fake { answers: vec![("51/raw/a.mov", refusal)], ..Fake::default() };
        run(&host, "{}", &batch(vec![video("51/raw/a.mov", 640, 360)])).unwrap();
        assert_eq!(host.jobs.borrow().iter().map(|job| job.outputs.len()).collect::<Vec<_>>(), [5, 2]);
    }

    #[test]
    fn a_video_that_the_service_cannot_make_is_refused_with_its_size() {
        let host = Fake::default();
        let outcome = run(&host, "{}", &batch(vec![video("51/raw/a.mov", 10_000, 100)])).unwrap();
        let Failure::Unsupported(text) = &outcome.failures[0].failure else { panic!("{outcome:?}") };
        assert!(text.contains("10000 × 100") && text.contains("1920 × 20"), "{text}");
        assert!(host.jobs.borrow().is_empty());
    }

    #[test]
    fn a_video_without_sound_is_submitted_without_sound() {
        for (has_audio, expected) in [(Some(false), None), (Some(true), Some(128_000)), (None, Some(128_000))] {
            let host = Fake::default();
            run(&host, "{}", &batch(vec![Asset { has_audio, ..video("51/raw/a.mov", 64, 64) }])).unwrap();
            assert_eq!(host.jobs.borrow()[0].outputs[0].audio_bitrate, expected);
        }
    }

    #[test]
    fn a_video_that_is_up_to_date_is_returned_as_reused() {
        let answer = Ok(Submission::UpToDate(vec![rendition("1080p"), rendition("720p")]));
        let host = Fake { answers: vec![("51/raw/a.mov", answer)], ..Fake::default() };
        let outcome = run(&host, "{}", &batch(vec![video("51/raw/a.mov", 64, 64)])).unwrap();
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
            Asset { pixels: None, ..video("51/raw/a.mov", 64, 64) },
            Asset { pixels: Some(PixelSize { width: 0, height: 9 }), ..video("51/raw/b.mov", 64, 64) },
            video("51/raw/c.mov", 64, 64),
            Asset { content_type: Some("image/jpeg".to_owned()), ..video("51/raw/d.mov", 64, 64) },
            Asset { etag: None, ..video("51/raw/e.mov", 64, 64) },
            video("elsewhere", 64, 64),
            video("51/raw/good.mov", 64, 64),
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
        let result = run(&host, "{}", &batch(vec![video("51/raw/a.mov", 64, 64)]));
        assert!(matches!(result, Err(Failure::Transient(_))), "{result:?}");
    }

    #[test]
    fn a_batch_without_videos_succeeds() {
        let outcome = run(&Fake::default(), "{}", &batch(Vec::new())).unwrap();
        assert_eq!(outcome.note.as_deref(), Some("no videos"));
    }
}
