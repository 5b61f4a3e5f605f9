//! The model against numbers that were worked out by hand, and against what it says of other files.
#![allow(clippy::unwrap_used)]

use clap::Parser;

use super::*;

const README: &str = include_str!("../../../../../statemachine/README.md");
const MACHINE: &str = include_str!("../../../../../statemachine/media-processing.asl.json");
const TEMPLATE: &str = include_str!("../../../../../statemachine/template.yaml");

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    args: CostArgs,
}

fn work(arguments: &[&str]) -> Workload {
    Command::try_parse_from([&["cost"], arguments].concat()).unwrap().args.work
}

fn lines(arguments: &[&str]) -> Vec<Line> {
    model::lines(&work(arguments), &Measured::read(&[]).unwrap(), &Prices::read(None).unwrap())
}

fn line<'a>(lines: &'a [Line], label: &str) -> &'a Line {
    lines.iter().find(|line| line.label == label).unwrap()
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() < 1e-6 * right.abs().max(1.0)
}

#[test]
fn a_batch_of_one_photo_costs_what_it_does_by_hand() {
    let lines = lines(&["--batch-photos", "1", "--batch-videos", "0", "--host-memory", "1769", "--cold", "0"]);
    // Queue, validate, thumbnails, zip, callback: no video, so nothing is submitted and no event comes. Every five minutes of a
    // month with 10,000 batches the sweep.
    let sweeps = 8640.0 / 10_000.0;
    assert!(close(line(&lines, "Lambda requests").columns[1].0, 1000.0 * (5.0 + sweeps)));
    // One CPU: the queue's 60 ms, the stages, with 8 files in bundles (1 photo and 3 thumbnails, twice); and 10 ms for each MB
    // that is read: 4 to validate, 4 to scale, 2 × 4.3 to bundle; and the sweep.
    let ms = Measured::read(&[]).unwrap().host;
    let work = ms.validate_file.ms + ms.thumbnail_photo.ms + 8.0 * ms.zip_file.ms + 10.0 * (4.0 + 4.0 + 8.6);
    let seconds = (60.0 + work + ms.callback.total() + sweeps * ms.sweep.total()) / 1000.0;
    let gb_seconds = line(&lines, "Lambda GB-seconds").columns;
    assert!(close(gb_seconds[1].0, 1000.0 * seconds * 1769.0 / 1024.0), "{gb_seconds:?}");
    assert!(
        close(gb_seconds[1].1, gb_seconds[1].0 * 0.0000166667)
            && close(gb_seconds[2].1, gb_seconds[2].0 * 0.0000133334)
    );
    assert!(close(line(&lines, "State transitions").columns[1].1, 11.0 * 0.025));
    // Tags, 3 thumbnails, 3 bundles begun and ended, and 2 × 4 MB + 6 × 0.1 MB in parts of 8 MB; a listing of each sweep.
    assert!(close(line(&lines, "S3 PUT, COPY, LIST").columns[1].0, 1000.0 * (1.0 + 3.0 + 6.0 + 2.0 + sweeps)));
    // One of twenty fails, and each of these sends a metric for one of the month's 730 hours.
    assert!(close(line(&lines, "Custom metrics, months").columns[1].0, 1000.0 * 0.05 / 730.0));
    assert!(close(line(&lines, "Alarms, months").columns[1].1, 0.10 * 5.0 / 10.0));
    assert_eq!(line(&lines, "MediaConvert, normalized minutes").columns[1], (0.0, 0.0));
}

#[test]
fn an_hd_output_counts_twice_and_both_designs_pay_the_same_for_it() {
    let lines = lines(&["--batch-videos", "2", "--video-minutes", "1.5", "--hd-outputs", "2", "--sd-outputs", "1"]);
    let columns = line(&lines, "MediaConvert, normalized minutes").columns;
    assert_eq!(columns[0].0, 1000.0 * 2.0 * 1.5 * 5.0);
    assert!(close(columns[0].1, columns[0].0 * 0.0075) && columns[0] == columns[2]);
}

#[test]
fn large_files_are_copied_by_the_host_and_read_by_the_functions() {
    let with = |mb| lines(&["--batch-photos", "10", "--batch-videos", "0", "--photo-mb", mb]);
    let (small, large) = (with("4"), with("6"));
    let get = |lines: &[Line], design: usize| line(lines, "S3 GET, HEAD").columns[design].0;
    // Twenty places in bundles are no longer read.
    assert_eq!(get(&small, 1) - get(&large, 1), 20_000.0);
    assert_eq!(get(&small, 0), get(&large, 0));
}

#[test]
fn a_wait_takes_as_long_on_any_number_of_cpus_and_cpython_bundles_on_one() {
    let gb_seconds = |memory: &str, design: usize| {
        let lines = lines(&["--batch-photos", "0", "--batch-videos", "1", "--cold", "0", "--host-memory", memory]);
        line(&lines, "Lambda GB-seconds").columns[design].0 / 1000.0
    };
    // Twice the memory has twice the CPUs: work costs the same, and waits cost twice as much. Here these are the queue, a
    // submission, three events, the copies of the video and its two outputs, the callback, and 0.864 sweeps.
    let ms = Measured::read(&[]).unwrap().host;
    let calls = ms.submit_video.total() + 3.0 * ms.video_event.total() + ms.callback.total();
    let waits = (60.0 + calls + 4.0 * ms.copy_file.total() + 0.864 * ms.sweep.total()) / 1000.0;
    assert!(close(gb_seconds("3538", 1) - gb_seconds("1769", 1), waits * 1769.0 / 1024.0));
    // Of 3008 MB the bundling uses one CPU: 4 files, 2 × 80 + 2 × 30 MB.
    let before = Measured::read(&[]).unwrap().functions;
    let bundle = (4.0 * before.zip_file.ms + 220.0 * (10.0 + before.deflate_mb.ms)) / 1000.0 * 3008.0 / 1024.0;
    let validate = (16.6 + 80.0 * 10.0) / 1000.0 / (512.0 / 1769.0) * 512.0 / 1024.0;
    assert!(close(gb_seconds("1769", 0), bundle + validate + (0.5 * 60.0 + 0.25 * before.callback.total()) / 1000.0));
}

#[test]
fn a_metric_is_paid_for_the_hours_in_which_something_fails_and_never_for_more_than_the_month() {
    let months = |a_month: &str, failing: &str| {
        let lines = lines(&["--batches-a-month", a_month, "--failing", failing]);
        line(&lines, "Custom metrics, months").columns[1].0 * a_month.parse::<f64>().unwrap() / 1000.0
    };
    assert!(close(months("1000", "0.073"), 0.1) && close(months("1000", "0"), 0.0));
    assert!(close(months("1000000", "0.5"), 6.0));
}

#[test]
fn the_host_costs_at_most_nine_tenths_of_the_functions_at_every_scale() {
    let scales = scales::scales(&work(&[]), &Measured::read(&[]).unwrap(), &Prices::read(None).unwrap());
    assert_eq!(
        scales.iter().map(|scale| scale.batches_a_month).collect::<Vec<_>>(),
        [1_000, 10_000, 100_000, 1_000_000]
    );
    for scale in &scales {
        for design in [1, 2] {
            let shares = (scale.of_functions(design), scale.of_functions_without_alarms(design));
            assert!(shares.0 <= 0.9 && shares.1 <= 0.9, "{} a month: {shares:?}", scale.batches_a_month);
        }
        // The bars are the sums of the table.
        for design in [0, 1, 2] {
            assert!(close(scale.parts[design].iter().sum(), scale.totals[design]));
        }
    }
    let given = &scales[1];
    assert!(close(given.totals[1], without_transcoding(&lines(&[]))[1]));
}

#[test]
fn another_number_of_batches_has_its_place_among_the_others() {
    let scales = |number| {
        let work = work(&["--batches-a-month", number]);
        scales::scales(&work, &Measured::read(&[]).unwrap(), &Prices::read(None).unwrap())
    };
    let numbers = |number| scales(number).iter().map(|scale| scale.batches_a_month).collect::<Vec<_>>();
    assert_eq!(numbers("2500"), [1_000, 2_500, 10_000, 100_000, 1_000_000]);
    for columns in [60, 80, 100] {
        let picture = picture::picture(&scales("2500"), Ink::Letters, Some(columns));
        assert!(picture.lines().all(|line| line.chars().count() <= usize::from(columns)), "{columns}:\n{picture}");
    }
    let picture = picture::picture(&scales("2500"), Ink::Letters, None);
    assert!(!picture.contains('\u{1b}') && picture.contains("CCC") && picture.contains("SSS"), "{picture}");
    assert!(picture::picture(&scales("2500"), Ink::Colours, None).contains("\u{1b}[34m█"));
}

#[test]
fn every_assumption_can_be_replaced() {
    let dir = std::env::temp_dir().join(format!("stagehost-cost-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let write = |name: &str, document: Value| {
        let file = dir.join(name);
        std::fs::write(&file, document.to_string()).unwrap();
        file
    };
    let mut prices = serde_json::to_value(Prices::read(None).unwrap()).unwrap();
    prices["prices"]["stateTransition"]["usd"] = json!(0.05);
    let doubled = Prices::read(Some(&write("prices.json", prices.clone()))).unwrap();
    assert!(close(doubled.of(inputs::Item::StateTransition, 1000.0), 0.05));
    prices["prices"].as_object_mut().unwrap().remove("kmsRequest");
    let error = Prices::read(Some(&write("missing.json", prices))).unwrap_err().to_string();
    assert!(error.contains("kmsRequest"), "{error}");

    let mut measured = serde_json::to_value(Measured::read(&[]).unwrap()).unwrap();
    measured["host"]["thumbnailPhoto"] = json!({"ms": 50, "measured": true});
    let file = write("measured.json", measured);
    let faster = Measured::read(std::slice::from_ref(&file)).unwrap();
    // A benchmark writes its own durations only.
    let some = write("waits.json", json!({"host": {"callback": {"ms": 7.5, "measured": true, "waitsMs": 250}}}));
    let both = Measured::read(&[file, some]).unwrap();
    assert_eq!((both.host.callback.total(), both.host.thumbnail_photo.ms), (257.5, 50.0));
    let slow = write("slow.json", json!({"host": {"validateFile": {"ms": 6.4, "measured": true, "waitsMs": 500}}}));
    let slow = model::lines(&work(&[]), &Measured::read(&[slow]).unwrap(), &Prices::read(None).unwrap());
    assert!(line(&slow, "Lambda GB-seconds").columns[1].0 > line(&lines(&[]), "Lambda GB-seconds").columns[1].0);
    let wrong = write("wrong.json", json!({"host": {"callbacks": {"ms": 7.5, "measured": true}}}));
    let error = Measured::read(&[wrong]).unwrap_err().to_string();
    assert!(error.contains("callbacks") && error.contains("wrong.json"), "{error}");
    let own = lines(&[]);
    let fast = model::lines(&work(&[]), &faster, &Prices::read(None).unwrap());
    assert!(line(&fast, "Lambda GB-seconds").columns[1].0 < line(&own, "Lambda GB-seconds").columns[1].0);
    assert!(
        text(&work(&[]), &faster, &doubled, &fast)
            .contains("host, measured: cold start 25.8 ms, validating a file 6.4 ms, thumbnails of a photo 50 ms")
    );
    std::fs::remove_dir_all(&dir).unwrap();
}

/// Returns the states on the way of a batch with videos in which nothing fails.
fn entered(flow: &Value) -> usize {
    let mut count = 0;
    let mut name = flow["StartAt"].as_str();
    while let Some(state) = name.map(|name| &flow["States"][name]) {
        count += 1 + state["Branches"].as_array().into_iter().flatten().map(entered).sum::<usize>();
        name = match state["Type"].as_str() {
            // Both ask for something good, and CheckBranches for something bad.
            Some("Choice") if state["Choices"][0]["Or"].is_null() => state["Choices"][0]["Next"].as_str(),
            Some("Choice") => state["Default"].as_str(),
            _ => state["Next"].as_str(),
        };
    }
    count
}

#[test]
fn the_transitions_are_those_of_the_shipped_state_machine() {
    let machine: Value = serde_json::from_str(MACHINE).unwrap();
    assert_eq!(entered(&machine) as f64 + 1.0, model::HOST_TRANSITIONS);
}

#[test]
fn the_alarms_and_the_sweeps_are_those_of_the_template() {
    assert_eq!(TEMPLATE.matches("Type: AWS::CloudWatch::Alarm\n").count() as f64, model::HOST_ALARMS);
    assert!(TEMPLATE.contains("ScheduleExpression: rate(5 minutes)"));
    assert_eq!(model::SWEEPS, 8640.0);
}

#[test]
fn every_price_names_its_page_and_when_it_was_read() {
    let prices = serde_json::to_value(Prices::read(None).unwrap()).unwrap();
    for (name, price) in prices["prices"].as_object().unwrap() {
        assert!(price["source"].as_str().unwrap().starts_with("https://aws.amazon.com/"), "{name}");
        assert!(price["read"].as_str().unwrap().starts_with("20"), "{name}");
    }
}

#[test]
fn the_memory_is_that_of_the_template() {
    let default = TEMPLATE.split("  HostMemoryMb:\n").nth(1).unwrap().split("Default: ").nth(1).unwrap();
    assert_eq!(default.lines().next().unwrap(), work(&[]).host_memory.to_string());
}

#[test]
fn the_table_in_the_readme_is_the_one_that_is_printed() {
    let (measured, prices) = (Measured::read(&[]).unwrap(), Prices::read(None).unwrap());
    let table = text(&work(&[]), &measured, &prices, &lines(&[]));
    let picture = picture::picture(&scales::scales(&work(&[]), &measured, &prices), Ink::Letters, None);
    let printed = format!("{}\n\n{}", table.trim_end(), picture.trim_end());
    assert!(README.contains(&printed), "put this into statemachine/README.md:\n\n{printed}");
}

#[test]
fn amounts_are_grouped_by_thousands() {
    assert_eq!([5.0, 99.5, 100.0, 5_000.0, 1_234_567.0].map(amount), ["5.00", "99.50", "100", "5,000", "1,234,567"]);
}
