//! A machine without ffmpeg: the videos fail with the next step in their messages, and everything else is done.
#![allow(clippy::unwrap_used)]

use stagehost_tests::{file, ran, run, run_command};

#[test]
fn videos_name_ffmpeg_and_the_next_step_and_photos_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let folder = |name: &str, files: &[&str]| {
        let folder = dir.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        for name in files {
            std::fs::copy(file("samples/listing").join(name), folder.join(name)).unwrap();
        }
        folder
    };
    let (nothing, document) = (folder("nothing", &[]), folder("document", &["description.pdf"]));
    let input = folder("listing", &["staircase.mp4", "walk-through.mp4", "kitchen.jpg"]);

    // Builds the stages if necessary: that needs cargo, which the next run cannot find.
    let ready = run([document, "--out".into(), dir.path().join("ready")]).unwrap();
    assert_eq!(ready.code, 0, "{}", ready.stderr);

    let mut command = run_command([input, "--out".into(), dir.path().join("out")]);
    let ran = ran(command.env("PATH", nothing)).unwrap();
    assert_eq!((ran.code, &ran.json["status"]), (3, &"PARTIAL_SUCCESS".into()), "{:#}\n{}", ran.json, ran.stderr);
    for video in ["staircase.mp4", "walk-through.mp4"] {
        let output = ran.output(video);
        let said = output["errorMessage"].as_str().unwrap();
        assert_eq!(output["errorCode"], "Stage.Unsupported", "{said}");
        for part in [video, "ffmpeg was not found", "apt install ffmpeg", "stagehost run --setup"] {
            assert!(said.contains(part), "{part:?} is not said: {said}");
        }
    }
    let photo = ran.output("kitchen.jpg");
    assert!(photo["errorCode"].is_null(), "{photo:#}");
    assert_eq!(photo["outputs"].as_object().unwrap().len(), 3, "{photo:#}");
    assert!(dir.path().join("out/toq-listing-medias/1/zip/batch-1/complete.zip").is_file(), "the archive is made");
}
