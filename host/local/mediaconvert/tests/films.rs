//! Films that phones, cameras and editing programs write, each with the right result. ffmpeg generates them.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::path::Path;
use std::process::Command;

use common::{Bench, assert_near, bench, colour, ffmpeg, has, job, output, stream, transcoded};
use serde_json::{Value, json};
use stagehost_mediaconvert::Options;

const RED: &str = "0xC82828";

/// Every output says BT.709 in limited range and has 8 bits.
fn assert_standard(video: &Value) {
    assert_eq!(video["pix_fmt"], "yuv420p");
    for (tag, value) in
        [("color_space", "bt709"), ("color_transfer", "bt709"), ("color_primaries", "bt709"), ("color_range", "tv")]
    {
        assert_eq!(video[tag], value, "{tag}");
    }
}

/// Returns whether HDR films can be made and converted here.
fn hdr() -> bool {
    ffmpeg() && has("-filters", "zscale") && has("-encoders", "libx265")
}

/// Generates a red film in HDR, of 10 bits and BT.2020. The red is that of the other tests, at the level of SDR white (203 nits).
fn hdr_film(bench: &Bench, name: &str, transfer: &str) {
    let filter = format!(
        "format=rgb24,scale=out_color_matrix=bt709:out_range=limited,format=yuv420p10le,\
         setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv,zscale=t=linear:npl=203,\
         format=gbrpf32le,zscale=p=bt2020,zscale=t={transfer}:npl=203:m=bt2020nc:r=tv,format=yuv420p10le"
    );
    let red = format!("color=c={RED}:size=320x180:rate=10:duration=1");
    let x265 = format!("log-level=error:qp=10:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc:range=limited");
    let encode = ["-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-x265-params", &x265];
    let input: Vec<&str> = ["-f", "lavfi", "-i", &red, "-vf", &filter].into_iter().chain(encode).collect();
    bench.film(name, &input);
    let source = stream(&bench.store.path("media", &format!("51/raw/{name}")), "video").unwrap();
    assert_eq!((&source["pix_fmt"], &source["color_transfer"]), (&json!("yuv420p10le"), &json!(transfer)));
}

/// A tone curve may change the lightness of the red, but not its hue or saturation.
fn assert_red_of_hdr(made: &Path, of: &str) {
    assert_standard(&stream(made, "video").unwrap());
    let [red, green, blue] = colour(made);
    let saturation = f64::from(red - green.min(blue)) / f64::from(red);
    assert!((saturation - 0.8).abs() < 0.12, "{of}: {:?}", [red, green, blue]);
    assert!(red > 150 && green.abs_diff(blue) < 16, "{of}: {:?}", [red, green, blue]);
}

#[tokio::test]
async fn hdr_becomes_bt_709_with_the_colours_that_were_filmed() {
    if !hdr() {
        return;
    }
    for transfer in ["arib-std-b67", "smpte2084"] {
        let bench = bench(Options::default());
        hdr_film(&bench, "hdr.mov", transfer);
        assert_red_of_hdr(&transcoded(&bench, "hdr.mov", 160, 90).await, transfer);
    }
}

/// Adds Dolby Vision's configuration to a film's sample entry ("Dolby Vision Streams Within the ISO Base Media File Format",
/// section 3): profile, level 4, metadata and base layer present; the base layer's compatibility.
fn tag_dolby_vision(file: &Path, profile: u16, compatibility: u8) {
    let mut bytes = std::fs::read(file).unwrap();
    let find = |bytes: &[u8], name: &[u8], from: usize| {
        from + bytes[from..].windows(4).position(|window| window == name).unwrap()
    };
    let length = |bytes: &[u8], at: usize| u32::from_be_bytes(bytes[at - 4..at].try_into().unwrap());
    let table = find(&bytes, b"stsd", 0);
    let entry = find(&bytes, b"hvc1", table);
    let mut record = vec![1, 0];
    record.extend(((profile << 9) | (4 << 3) | 0b101).to_be_bytes());
    record.push(compatibility << 4);
    record.resize(24, 0);
    let name: &[u8; 4] = if profile < 8 { b"dvcC" } else { b"dvvC" };
    let added = [&32_u32.to_be_bytes(), name.as_slice(), &record].concat();
    let end = entry - 4 + length(&bytes, entry) as usize;
    // The index is behind the pictures, so none of them moves.
    assert!(find(&bytes, b"mdat", 0) < find(&bytes, b"moov", 0));
    for around in [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"hvc1"] {
        let at = find(&bytes, around, find(&bytes, b"moov", 0));
        let longer = length(&bytes, at) + 32;
        bytes[at - 4..at].copy_from_slice(&longer.to_be_bytes());
    }
    bytes.splice(end..end, added);
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test]
async fn the_base_layer_of_dolby_vision_is_taken_and_a_film_without_one_fails_by_name() {
    if !hdr() {
        return;
    }
    // Phones write profile 8.4, whose base layer is HLG; 8.1 has one of HDR10.
    for (compatibility, transfer) in [(4, "arib-std-b67"), (1, "smpte2084")] {
        let bench = bench(Options::default());
        hdr_film(&bench, "dolby.mov", transfer);
        let source = bench.store.path("media", "51/raw/dolby.mov");
        tag_dolby_vision(&source, 8, compatibility);
        let tagged = stream(&source, "video").unwrap();
        let is_tagged =
            |data: &Value| data["dv_profile"] == 8 && data["dv_bl_signal_compatibility_id"] == compatibility;
        assert!(tagged["side_data_list"].as_array().unwrap().iter().any(is_tagged), "{tagged}");
        assert_red_of_hdr(&transcoded(&bench, "dolby.mov", 160, 90).await, transfer);
    }
    let bench = bench(Options::default());
    hdr_film(&bench, "dolby.mov", "smpte2084");
    tag_dolby_vision(&bench.store.path("media", "51/raw/dolby.mov"), 5, 0);
    let id = bench.submit(job("dolby.mov", &[output("_x", 160, 90)]));
    let end = bench.end(&id).await;
    assert_eq!((end.status, &end.event["detail"]["errorCode"]), ("ERROR", &json!(1030)), "{}", end.event);
    assert!(end.event["detail"]["errorMessage"].as_str().unwrap().contains("profile 5"), "{}", end.event);
}

#[tokio::test]
async fn full_range_and_the_matrix_of_small_pictures_are_converted() {
    if !ffmpeg() {
        return;
    }
    let red = format!("color=c={RED}:size=320x180:rate=10:duration=1");
    for (name, filter) in [
        ("full.mp4", "format=rgb24,scale=out_color_matrix=bt601:out_range=full,format=yuvj420p"),
        ("small.mp4", "format=rgb24,scale=out_color_matrix=bt601:out_range=limited,format=yuv420p"),
    ] {
        let bench = bench(Options::default());
        bench.film(name, &["-f", "lavfi", "-i", &red, "-vf", filter, "-c:v", "libx264", "-qp", "5"]);
        let made = transcoded(&bench, name, 320, 180).await;
        assert_standard(&stream(&made, "video").unwrap());
        assert_near(colour(&made), [200, 40, 40], 12);
    }
}

#[tokio::test]
async fn interlaced_pictures_become_whole_ones_and_wide_pixels_square_ones() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options::default());
    bench.film(
        "camera.mov",
        &[
            "-f",
            "lavfi",
            "-i",
            "testsrc2=size=720x576:rate=50:duration=1",
            "-vf",
            "tinterlace=interleave_top,fieldorder=tff,format=yuv420p",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-flags",
            "+ilme+ildct",
            "-x264opts",
            "tff=1",
            "-aspect",
            "16:9",
        ],
    );
    assert_eq!(stream(&bench.store.path("media", "51/raw/camera.mov"), "video").unwrap()["field_order"], "tt");
    let made = stream(&transcoded(&bench, "camera.mov", 1024, 576).await, "video").unwrap();
    assert_eq!((&made["field_order"], &made["sample_aspect_ratio"]), (&json!("progressive"), &json!("1:1")));
    assert_eq!((&made["width"], &made["height"], &made["r_frame_rate"]), (&json!(1024), &json!(576), &json!("25/1")));
}

#[tokio::test]
async fn a_turned_film_with_odd_sides_is_upright_and_has_no_lines_at_its_edges() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options::default());
    // Red above blue when it is shown; stored lying on its side, in all colours of every pixel, because halved ones need even sides.
    let picture = "color=blue:size=101x179:rate=10:duration=1,format=yuv444p,drawbox=w=iw:h=90:color=red:t=fill";
    bench.draw("lying.mov", &[&format!("{picture},transpose=cclock")], &["-pix_fmt", "yuv444p"]);
    let lying = bench.store.path("media", "51/raw/lying.mov");
    common::turn_by_90(&lying);
    let stored = stream(&lying, "video").unwrap();
    assert_eq!((&stored["width"], &stored["height"]), (&json!(179), &json!(101)));

    let made = transcoded(&bench, "lying.mov", 100, 178).await;
    let video = stream(&made, "video").unwrap();
    assert_eq!((&video["width"], &video["height"]), (&json!(100), &json!(178)));
    assert!(video["side_data_list"].is_null(), "it is not turned once more: {video}");
    let output = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-i"])
        .arg(&made)
        .args(["-frames:v", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", "pipe:1"])
        .output()
        .unwrap();
    let pixel = |x: usize, y: usize| -> [u8; 3] { output.stdout[(y * 100 + x) * 3..][..3].try_into().unwrap() };
    for x in [0, 1, 50, 98, 99] {
        for (y, expected) in [(0, [255, 0, 0]), (1, [255, 0, 0]), (176, [0, 0, 255]), (177, [0, 0, 255])] {
            assert_near(pixel(x, y), expected, 24);
        }
    }
}

/// Pictures of which each is a little brighter than the one before, 30 in a second.
const COUNTED: &str = "nullsrc=size=160x90:rate=30:duration=2,geq=lum='20+3*N':cb=128:cr=128";

/// Returns when each picture of a film is shown, in seconds after the first, and which of the counted ones it is.
fn pictures(file: &Path) -> Vec<(f64, f64)> {
    let output = Command::new("ffprobe")
        .args(["-loglevel", "error", "-select_streams", "v", "-show_entries", "packet=pts_time", "-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut times: Vec<f64> = text.lines().map(|line| line.trim_end_matches(',').parse().unwrap()).collect();
    times.sort_by(f64::total_cmp);
    let decoded = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-i"])
        .arg(file)
        .args(["-vsync", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo", "pipe:1"])
        .output()
        .unwrap();
    let bright =
        decoded.stdout.chunks(160 * 90 * 3 / 2).map(|picture| (f64::from(picture[160 * 45 + 80]) - 20.0) / 3.0);
    assert_eq!(bright.len(), times.len());
    times.iter().map(|time| time - times[0]).zip(bright).collect()
}

#[tokio::test]
async fn films_of_odd_times_and_of_one_frame_show_every_picture_at_its_time() {
    if !ffmpeg() {
        return;
    }
    let h264 = ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "5", "-pix_fmt", "yuv420p"];
    // A camera in the dark takes fewer pictures: of the first second, every seventh is there.
    let dark = |number: f64| if number < 31.0 { (number / 7.0).floor() * 7.0 } else { number };
    for (name, more, seconds, is_dark) in [
        ("variable.mov", &["-vf", "select='not(mod(n,7))+gt(n,30)'", "-vsync", "vfr"][..], 2.0, true),
        ("base.mov", &["-video_track_timescale", "1000003"][..], 2.0, false),
        ("one.mp4", &["-frames:v", "1"][..], 0.03, false),
        ("index-at-the-end.mp4", &["-movflags", "-faststart"][..], 2.0, false),
    ] {
        let bench = bench(Options::default());
        let arguments: Vec<&str> =
            ["-f", "lavfi", "-i", COUNTED].into_iter().chain(h264).chain(more.iter().copied()).collect();
        bench.film(name, &arguments);
        let made = transcoded(&bench, name, 160, 90).await;
        let found: f64 = stream(&made, "video").unwrap()["duration"].as_str().unwrap().parse().unwrap();
        assert!((found - seconds).abs() < 0.12, "{name}: {found} s");
        let shown = pictures(&made);
        assert!((shown.last().unwrap().0 - (seconds - 1.0 / 30.0)).abs() < 0.04, "{name}: {shown:?}");
        for (time, number) in &shown {
            // Where the camera left pictures out, the one before is repeated, and the next may come one picture early.
            let at = (time * 30.0 + 0.01).floor();
            let wanted = if is_dark { [dark(at), dark(at + 1.0)] } else { [at, at] };
            let right = wanted.iter().any(|wanted| (number - wanted).abs() < 0.6);
            assert!(right, "{name}: picture {number} in place of {wanted:?} at {time} s");
        }
    }
}

#[tokio::test]
async fn a_matrix_of_zeros_turns_nothing_and_is_not_in_the_output() {
    if !ffmpeg() {
        return;
    }
    let bench = bench(Options::default());
    bench.landscape("camera.mp4");
    let file = bench.store.path("media", "51/raw/camera.mp4");
    let mut bytes = std::fs::read(&file).unwrap();
    // The matrix of a track header of version 0 begins 40 bytes after the name of its box.
    let header = bytes.windows(4).position(|window| window == b"tkhd").unwrap() + 4;
    bytes[header + 40..header + 76].fill(0);
    std::fs::write(&file, bytes).unwrap();
    let made = stream(&transcoded(&bench, "camera.mp4", 320, 180).await, "video").unwrap();
    assert_eq!((&made["width"], &made["height"]), (&json!(320), &json!(180)));
    assert!(made["side_data_list"].is_null(), "{made}");
}

#[tokio::test]
async fn frames_are_captured_from_the_first_on_at_the_interval_of_the_job() {
    if !ffmpeg() {
        return;
    }
    let capture = json!({
        "nameModifier": "_poster", "extension": "jpg", "containerSettings": {"container": "RAW"},
        "videoDescription": {
            "width": 160, "height": 90, "scalingBehavior": "STRETCH_TO_OUTPUT",
            "codecSettings": {"codec": "FRAME_CAPTURE", "frameCaptureSettings": {
                "framerateNumerator": 3000, "framerateDenominator": 3000, "maxCaptures": 2, "quality": 95,
            }},
        },
    });
    // A second of black, then red.
    let bench = bench(Options::default());
    let parts =
        ["color=c=black:size=320x180:rate=10:duration=1", &format!("color=c={RED}:size=320x180:rate=10:duration=2")];
    bench.draw("fade.mp4", &parts, &["-filter_complex", "concat=n=2"]);
    let id = bench.submit(job("fade.mp4", &[output("_x", 160, 90), capture.clone()]));
    let end = bench.end(&id).await;
    assert_eq!(end.status, "COMPLETE", "{}", end.event);
    let captured = |number: u32| bench.store.path("media", &format!("51/processed/clip_poster.{number:07}.jpg"));
    assert!(!captured(2).exists());
    let pixels = |file: &Path| common::thumbnail(file);
    assert!(pixels(&captured(0)).iter().all(|value| *value < 30), "the first frame is black");
    assert!(pixels(&captured(1)).chunks(3).all(|pixel| pixel[0] > 170 && pixel[1] < 70), "after a second it is red");
    let outputs = &end.event["detail"]["outputGroupDetails"][0]["outputDetails"];
    assert_eq!(outputs[1]["outputFilePaths"], json!(["s3://media/51/processed/clip_poster.0000001.jpg"]));
    assert_eq!(outputs[1]["videoDetails"], json!({"widthInPx": 160, "heightInPx": 90}));

    // A film of one frame has one capture.
    bench.draw("one.mp4", &["testsrc=size=320x180:rate=10"], &["-frames:v", "1"]);
    let mut request = job("one.mp4", &[output("_x", 160, 90), capture]);
    request["settings"]["outputGroups"][0]["outputGroupSettings"]["fileGroupSettings"]["destination"] =
        json!("s3://media/51/processed/one");
    let id = bench.submit(request);
    let end = bench.end(&id).await;
    assert_eq!(end.status, "COMPLETE", "{}", end.event);
    assert!(bench.store.path("media", "51/processed/one_poster.0000000.jpg").is_file());
    assert!(!bench.store.path("media", "51/processed/one_poster.0000001.jpg").exists());
}
