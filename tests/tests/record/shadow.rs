//! Shadows: whatever a candidate does, the world stays as the stage in service left it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use stagehost_record::{
    CallRecorder, Candidate, Kind, RecordBudget, RecordLimits, Recording, SHADOW_PREFIX, Shadow, ShadowReport, Verdict,
    read_reports, summarize,
};
use stagehost_runtime::{BatchOutcome, Limits, Stage, World};
use stagehost_storage::{Folder, Found, Storage};

use crate::world::{Outside, PHOTO, Shared, batch, fanout, grants, limits, request, stage};

struct Bench {
    outside: Arc<Outside>,
    sink: Arc<dyn Storage>,
    dir: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { outside: Outside::new(), sink: Arc::new(Folder::new(dir.path())), dir }
    }

    fn shadow(&self) -> Shadow {
        Shadow::new(Arc::new(Shared(self.outside.clone())), self.sink.clone(), 1, 256)
    }

    /// Runs the stage in service. Returns its outcome and the recordings.
    async fn serve(&self, stage: &Arc<Stage>, config: &str, keep: RecordLimits) -> (BatchOutcome, Vec<Recording>) {
        let recorder = CallRecorder::keeping(10, keep, RecordBudget::default());
        let fanout = fanout().intercepted(Arc::new(recorder.clone()));
        let request = request(stage, &self.outside, config);
        let outcome = fanout.run(stage.clone(), request, batch(), Arc::new(())).await.unwrap();
        (outcome, recorder.take())
    }

    /// Runs the candidate as a shadow and asserts that it changed nothing.
    async fn follow(
        &self,
        candidate: Candidate,
        served: (BatchOutcome, Vec<Recording>),
        deadline: Option<Instant>,
    ) -> ShadowReport {
        let before = self.outside.state();
        let report = self.shadow().run(&candidate, served.1, &served.0.batch, deadline).await.unwrap();
        assert_eq!(self.outside.state(), before, "the shadow did something");
        report
    }
}

fn candidate(stage: &Arc<Stage>, config: &str) -> Candidate {
    Candidate { stage: stage.clone(), config: config.into(), limits: limits(), grants: grants() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_does_the_same_is_reported_as_the_same() {
    let (bench, actor) = (Bench::new(), stage("actor", World::Custom));
    let served = bench.serve(&actor, "{}", RecordLimits::default()).await;
    let report = bench.follow(candidate(&actor, "{}"), served, None).await;
    assert_eq!(report.calls.len(), 1);
    assert_eq!(report.calls[0].differences, []);
    assert_eq!((report.calls[0].verdict, report.not_run), (Verdict::Same, 0));
    let digest = &actor.identity().digest["sha256:".len()..][..12];
    let names = bench.sink.list(SHADOW_PREFIX).await.unwrap();
    assert_eq!(names, [format!("{SHADOW_PREFIX}/Act/{digest}/job-4.json")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_writes_other_bytes_is_reported_as_different() {
    let (bench, actor) = (Bench::new(), stage("actor", World::Custom));
    let served = bench.serve(&actor, "{}", RecordLimits::default()).await;
    let report = bench.follow(candidate(&actor, "{\"do\":\"other-bytes\"}"), served, None).await;
    assert_eq!(report.calls[0].verdict, Verdict::Different);
    assert!(report.calls[0].differences.iter().any(|d| d.kind == Kind::Object), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_s_requests_in_pieces_are_answered_and_not_sent() {
    let (bench, actor) = (Bench::new(), stage("actor", World::Custom));
    let served = bench.serve(&actor, "{\"do\":\"pieces\"}", RecordLimits::default()).await;
    let report = bench.follow(candidate(&actor, "{\"do\":\"pieces\"}"), served, None).await;
    assert_eq!(report.calls[0].differences, []);
    assert_eq!(report.calls[0].verdict, Verdict::Same);
    let served = bench.serve(&actor, "{}", RecordLimits::default()).await;
    let report = bench.follow(candidate(&actor, "{\"do\":\"pieces\"}"), served, None).await;
    assert_eq!(report.calls[0].verdict, Verdict::Different);
    assert!(report.calls[0].differences.iter().any(|d| d.kind == Kind::Http), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_picture_that_the_candidate_made_otherwise_is_kept_beside_the_report() {
    let (bench, actor) = (Bench::new(), stage("actor", World::Custom));
    let pictures = |report: ShadowReport| report.calls.into_iter().flat_map(|call| call.pictures).collect::<Vec<_>>();
    let served = bench.serve(&actor, "{\"do\":\"picture\"}", RecordLimits::default()).await;
    let report = bench.follow(candidate(&actor, "{\"do\":\"picture\"}"), served, None).await;
    assert_eq!(pictures(report), [], "the same picture");
    let served = bench.serve(&actor, "{\"do\":\"picture\"}", RecordLimits::default()).await;
    let report = bench.follow(candidate(&actor, "{\"do\":\"picture other-bytes\"}"), served, None).await;
    let differing = pictures(report);
    let [picture] = &differing[..] else { panic!("one picture differs: {differing:?}") };
    assert!(picture.key.ends_with(".jpg") && picture.kept.contains("/pictures/"), "{picture:?}");
    assert_eq!((picture.content_type.as_str(), picture.bytes), ("image/jpeg", 5));
    let kept = bench.sink.get(&picture.kept, None).await.unwrap();
    assert!(matches!(kept, Found::Found { bytes, .. } if &bytes[..] == b"other"));
    let (reports, unreadable) = read_reports(&bench.sink, "Act", None).await.unwrap();
    assert_eq!((reports.len(), unreadable), (2, Vec::new()), "a picture is no report");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_traps_in_the_middle_of_a_write_leaves_nothing_behind() {
    let (bench, actor) = (Bench::new(), stage("actor", World::Custom));
    let served = bench.serve(&actor, "{}", RecordLimits::default()).await;
    let report = bench.follow(candidate(&actor, "{\"do\":\"trap\"}"), served, None).await;
    assert_eq!(report.calls[0].verdict, Verdict::Failed);
    assert_eq!(report.calls[0].failure.as_ref().unwrap().code, "Stage.Trapped");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_loops_ends_at_its_own_deadline_or_at_the_functions() {
    let (bench, actor) = (Bench::new(), stage("actor", World::Custom));
    let served = bench.serve(&actor, "{}", RecordLimits::default()).await;
    let looping =
        Candidate { limits: Limits { deadline_ms: 300, ..limits() }, ..candidate(&actor, "{\"do\":\"loop\"}") };
    let report = bench.follow(looping, served, None).await;
    assert_eq!(report.calls[0].verdict, Verdict::Failed);
    assert_eq!(report.calls[0].failure.as_ref().unwrap().code, "Stage.Timeout");

    // When the function's time runs out, the candidate is cut off and not to blame.
    let served = bench.serve(&actor, "{}", RecordLimits::default()).await;
    let deadline = Some(Instant::now() + Duration::from_secs(2));
    let report = bench.follow(candidate(&actor, "{\"do\":\"loop\"}"), served, deadline).await;
    assert_eq!(report.calls[0].verdict, Verdict::CutOff);

    let served = bench.serve(&actor, "{}", RecordLimits::default()).await;
    let report = bench.follow(candidate(&actor, "{}"), served, Some(Instant::now())).await;
    assert_eq!((report.calls.len(), report.not_run), (0, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidates_jobs_are_never_submitted() {
    let (bench, submitter) = (Bench::new(), stage("submitter", World::Transcode));
    // The stage in service submits none.
    let served = bench.serve(&submitter, "{\"do\":\"none\"}", RecordLimits::default()).await;
    assert_eq!(bench.outside.state().0, Vec::<String>::new());
    let report = bench.follow(candidate(&submitter, "{\"do\":\"more\"}"), served, None).await;
    let kinds: Vec<_> = report.calls[0].differences.iter().map(|difference| difference.kind).collect();
    assert_eq!((report.calls[0].verdict, kinds), (Verdict::Different, vec![Kind::Job, Kind::Output]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_reads_the_real_store_but_never_what_the_stage_in_service_wrote() {
    let (bench, actor) = (Bench::new(), stage("actor", World::Custom));
    let served = bench.serve(&actor, "{\"do\":\"blind\"}", RecordLimits::default()).await;
    assert!(bench.outside.state().1.keys().any(|key| key.contains("blind")), "it is in the store");
    // It reads a file that the stage in service did not read, and looks for what that one wrote.
    let report = bench.follow(candidate(&actor, "{\"do\":\"beyond theirs blind\"}"), served, None).await;
    let call = &report.calls[0];
    assert_eq!(call.failure, None, "{call:?}");
    assert!(!call.differences.iter().any(|difference| difference.what.contains("title")), "{call:?}");
    assert!(!call.differences.iter().any(|difference| difference.kind == Kind::Unrecorded), "{call:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_lists_the_real_store_and_deletes_nothing_there() {
    let (bench, actor) = (Bench::new(), stage("actor", World::Custom));
    let served = bench.serve(&actor, "{}", RecordLimits::default()).await;
    // `follow` asserts that the store is unchanged. What the stage in service has written is hidden.
    let report = bench.follow(candidate(&actor, "{\"do\":\"tidy\"}"), served, None).await;
    let call = &report.calls[0];
    assert_eq!(call.failure, None, "{call:?}");
    let title = call.differences.iter().find(|difference| difference.what == "title");
    assert!(title.is_some_and(|title| title.now.as_ref().unwrap().contains("0 found, gone: true")), "{call:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_sees_what_was_stored_before_the_stage_in_service_ran() {
    let (bench, actor) = (Bench::new(), stage("actor", World::Custom));
    // An earlier run has written the object; this one does not.
    bench.serve(&actor, "{\"do\":\"blind\"}", RecordLimits::default()).await;
    let served = bench.serve(&actor, "{}", RecordLimits::default()).await;
    let report = bench.follow(candidate(&actor, "{\"do\":\"theirs\"}"), served, None).await;
    let title = report.calls[0].differences.iter().find(|difference| difference.what == "title");
    assert!(title.is_some_and(|title| title.now.as_ref().unwrap().contains("saw 40 bytes")), "{report:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_for_the_bytes_the_candidate_reads_the_same_version_from_the_store() {
    let (bench, actor) = (Bench::new(), stage("actor", World::Custom));
    let served = bench.serve(&actor, "{}", RecordLimits { bytes: 0, ..RecordLimits::default() }).await;
    bench.outside.reads.lock().unwrap().clear();
    let report = bench.follow(candidate(&actor, "{}"), served, None).await;
    assert_eq!(report.calls[0].differences, []);
    assert_eq!(*bench.outside.reads.lock().unwrap(), [PHOTO], "opened once, and nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_writes_without_end_is_contained_and_reported() {
    let (bench, actor) = (Bench::new(), stage("actor", World::Custom));
    let served = bench.serve(&actor, "{}", RecordLimits::default()).await;
    let shadow = bench.shadow().within(RecordBudget::new(128 << 10, 0));
    let flood = candidate(&actor, "{\"do\":\"flood\"}");
    let report = shadow.run(&flood, served.1, &served.0.batch, None).await.unwrap();
    let call = &report.calls[0];
    assert_eq!(call.differences[0].kind, Kind::Cut, "{call:?}");
    assert_ne!(call.verdict, Verdict::Same);
    let stored = bench.sink.list(SHADOW_PREFIX).await.unwrap();
    let bytes = std::fs::metadata(bench.dir.path().join(&stored[0])).unwrap().len();
    assert!(bytes < 256 << 10, "the report has {bytes} bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_candidate_runs_another_is_dropped() {
    let (bench, actor) = (Bench::new(), stage("actor", World::Custom));
    let slow = bench.serve(&actor, "{}", RecordLimits::default()).await;
    let next = bench.serve(&actor, "{}", RecordLimits::default()).await;
    let (shadow, soon) = (bench.shadow(), Instant::now() + Duration::from_secs(2));
    let looping = candidate(&actor, "{\"do\":\"loop\"}");
    let first = shadow.run(&looping, slow.1, &slow.0.batch, Some(soon));
    let second = async {
        // The first one has been polled, so it runs.
        let same = candidate(&actor, "{}");
        shadow.run(&same, next.1, &next.0.batch, None).await
    };
    let (first, second) = tokio::join!(first, second);
    assert!(first.is_some() && second.is_none());
    let third = bench.serve(&actor, "{}", RecordLimits::default()).await;
    assert!(shadow.run(&candidate(&actor, "{}"), third.1, &third.0.batch, None).await.is_some(), "it is free again");
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_summarised_by_candidate() {
    let (bench, actor) = (Bench::new(), stage("actor", World::Custom));
    for config in ["{}", "{\"do\":\"other-tag\"}", "{\"do\":\"trap\"}"] {
        let served = bench.serve(&actor, "{}", RecordLimits::default()).await;
        bench.follow(candidate(&actor, config), served, None).await;
    }
    let (reports, unreadable) = read_reports(&bench.sink, "Act", None).await.unwrap();
    assert_eq!((reports.len(), unreadable), (3, Vec::new()));
    let sums = summarize(reports);
    let [sum] = &sums[..] else { panic!("{sums:?}") };
    assert_eq!((sum.calls, sum.same, sum.different, sum.failed), (3, 1, 1, 1));
    assert_eq!(sum.different_by_kind[&Kind::Tag], 2, "the one that trapped set no tag at all");
    assert_eq!(sum.failed_by_case["Stage.Trapped"], 1);
    assert!(sum.duration_ratio.unwrap().p95 > 0.0 && sum.memory_ratio.unwrap().p50 > 0.0);
    assert_eq!(sum.examples.len(), 2);
    assert!(read_reports(&bench.sink, "Act", Some("ffff")).await.unwrap().0.is_empty());

    // The same by the command.
    let ask = |state: &str| {
        let mut command = std::process::Command::new(stagehost_tests::binary());
        command.args(["pins", "shadow-report", state, "--json", "--bucket"]).arg(bench.dir.path());
        command.output().unwrap()
    };
    let output = ask("Act");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let sum = &json["candidates"][0];
    assert_eq!((&sum["calls"], &sum["same"], &sum["failedByCase"]["Stage.Trapped"]), (&3.into(), &1.into(), &1.into()));
    let output = ask("Nowhere");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("pipeline/shadow/Nowhere/"));
}
