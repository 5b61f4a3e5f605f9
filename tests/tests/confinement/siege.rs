//! A hundred hostile calls of each behaviour beside honest ones, in a process of their own whose memory is measured.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stagehost_batch::{Batch, Problem};
use stagehost_record::{CallRecorder, Candidate, RecordBudget, RecordLimits, Shadow};
use stagehost_runtime::{Export, Fanout, Limits, Stage, StageEngine};
use stagehost_storage::Folder;

use crate::calls::{
    HONEST, HOSTILE_LISTING, batch_of, grants, honest_call, honest_limits, honest_title, photo, request,
};
use crate::case::{Behaviour, Case, Role};
use crate::outside::{HONEST_LISTING, Outside};
use crate::resident::{Resident, assert_that_it_measures};

/// How often each behaviour is called, at least.
const CALLS: u64 = 100;
/// How many honest calls must succeed meanwhile, at least. Hostile calls go on until then.
const HONEST_CALLS: u64 = 10;
/// The batches of hostile files that are under way at once.
const EXECUTIONS: usize = 2;
/// The calls of each behaviour that one batch starts at once.
const AT_ONCE: usize = 10;
/// What the host may grow by for one call and for all calls, in MiB, beside the memory of the pins.
const ONE_CALL_MIB: u64 = 32;
const ALL_CALLS_MIB: u64 = 192;
/// The time of a whole case, for a host that hangs.
const LONGEST: Duration = Duration::from_secs(300);
/// The longest message of a failure, in bytes.
const LONGEST_MESSAGE: usize = 2048;

/// The variables by which a child knows that it is one, and where the artifacts are.
const HOSTILE_ARTIFACT: &str = "CONFINEMENT_HOSTILE";
const HONEST_ARTIFACT: &str = "CONFINEMENT_HONEST";

/// Runs the case in a child process, which is this test once more. `test` is its path.
pub fn besiege(test: &str, case: Case) {
    if let (Some(hostile), Some(honest)) = (std::env::var_os(HOSTILE_ARTIFACT), std::env::var_os(HONEST_ARTIFACT)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            assert_that_it_measures();
            let siege = Siege::new(case, Path::new(&hostile), Path::new(&honest));
            tokio::time::timeout(LONGEST, siege.run()).await.expect("the host hangs");
        });
        // Calls that are cut off are not waited for.
        runtime.shutdown_background();
        return;
    }
    let name = test.split_once("::").unwrap().1;
    let output = Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture"])
        .env(HOSTILE_ARTIFACT, case.guest.compile())
        .env(HONEST_ARTIFACT, HONEST.compile())
        .output()
        .unwrap();
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let summary = said.lines().find(|line| line.contains(SUMMARY));
    println!("{name}: {}", summary.unwrap_or("nothing was measured"));
    assert!(output.status.success() && summary.is_some(), "{said}\n{complained}");
}

/// In the line that a child prints at its end.
const SUMMARY: &str = "hostile calls beside";

struct Siege {
    case: Case,
    limits: Limits,
    hostile: Arc<Stage>,
    honest: Arc<Stage>,
    outside: Arc<Outside>,
    folder: tempfile::TempDir,
    shadow: Shadow,
    recordings: RecordBudget,
    calls: AtomicU64,
    honest_calls: AtomicU64,
    over: AtomicBool,
}

impl Siege {
    fn new(case: Case, hostile: &Path, honest: &Path) -> Arc<Self> {
        let engine = StageEngine::new().unwrap();
        let outside = Outside::new();
        let (limits, folder) = ((case.limits)(), tempfile::tempdir().unwrap());
        let (sink, recordings) = (Arc::new(Folder::new(folder.path())), RecordBudget::default());
        Arc::new(Self {
            shadow: Shadow::new(outside.objects(), sink, 1, limits.memory_mib).within(recordings.clone()),
            recordings,
            limits,
            hostile: case.guest.load(&engine, hostile),
            honest: HONEST.load(&engine, honest),
            outside,
            folder,
            calls: AtomicU64::new(0),
            honest_calls: AtomicU64::new(0),
            over: AtomicBool::new(false),
            case,
        })
    }

    async fn run(self: Arc<Self>) {
        let own = u64::from(self.limits.memory_mib);
        // What is made once for the process is not counted.
        honest_call(&Fanout::new(1, 64), &self.honest, &self.outside).await;

        // One call at a time.
        let resident = Resident::begin();
        self.hostile_calls(&Fanout::new(1, self.limits.memory_mib), 2).await;
        let alone = resident.most_grown_mib();
        let most_alone = own + ONE_CALL_MIB;
        assert!(alone <= Some(most_alone), "one call at a time: the host grew by {alone:?} MiB, not {most_alone}");

        // All beside each other: four hostile calls, or as many as fit 64 MiB, and honest ones.
        let room = (4 * own).max(64) + 32;
        let fanout = Fanout::new(2, u32::try_from(room).unwrap());
        let (resident, began) = (Resident::begin(), Instant::now());
        self.calls.store(0, Ordering::SeqCst);
        self.honest_calls.store(0, Ordering::SeqCst);
        let honest = tokio::spawn({
            let (this, fanout) = (self.clone(), fanout.clone());
            async move {
                while !this.over.load(Ordering::SeqCst) {
                    honest_call(&fanout, &this.honest, &this.outside).await;
                    this.honest_calls.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        let mut executions = tokio::task::JoinSet::new();
        // Of two shadows at once, one is dropped.
        let at_once = if self.case.role == Role::Shadow { 1 } else { EXECUTIONS };
        for _ in 0..at_once {
            let (this, fanout, honest) = (self.clone(), fanout.clone(), honest.abort_handle());
            executions.spawn(async move {
                while !this.enough() && !honest.is_finished() {
                    this.hostile_calls(&fanout, AT_ONCE).await;
                }
            });
        }
        while let Some(ended) = executions.join_next().await {
            ended.unwrap();
        }
        self.over.store(true, Ordering::SeqCst);
        honest.await.unwrap();
        let beside = resident.most_grown_mib();
        let most = room + ALL_CALLS_MIB;
        assert!(beside <= Some(most), "the host grew by {beside:?} MiB, not {most}");
        self.judge_the_world().await;

        println!(
            "{} {SUMMARY} {} honest ones in {:.1} s; at most +{} MiB of {most_alone} for one call, +{} MiB of {most} for all",
            self.calls.load(Ordering::SeqCst) * self.case.behaviours.len() as u64,
            self.honest_calls.load(Ordering::SeqCst),
            began.elapsed().as_secs_f64(),
            alone.unwrap_or_default(),
            beside.unwrap_or_default(),
        );
    }

    fn enough(&self) -> bool {
        self.calls.load(Ordering::SeqCst) >= CALLS && self.honest_calls.load(Ordering::SeqCst) >= HONEST_CALLS
    }

    /// Makes `files` calls of every behaviour and judges each.
    async fn hostile_calls(&self, fanout: &Fanout, files: usize) {
        match (self.case.role, self.case.guest.world.export()) {
            (Role::Shadow, _) => self.candidates(files).await,
            (_, Export::AssetStage) => self.hostile_files(fanout, files).await,
            (_, Export::BatchStage) => self.hostile_batches(fanout, files).await,
        }
        self.calls.fetch_add(files as u64, Ordering::SeqCst);
    }

    /// Puts a batch with `files` files for every behaviour through the hostile stage.
    async fn hostile_files(&self, fanout: &Fanout, files: usize) {
        let fanout = self.recorded(fanout);
        let (batch, behaviours) = self.hostile_batch(files);
        let request = request(&self.hostile, &self.outside, &batch, self.limits, "{}");
        let outcome = fanout.run(self.hostile.clone(), request, batch.clone(), Arc::new(())).await.unwrap();
        for ((before, after), behaviour) in batch.assets.iter().zip(&outcome.batch.assets).zip(behaviours) {
            let judged =
                judge(&behaviour, after.problem.as_ref().map(|Problem { code, message, .. }| (&**code, &**message)));
            assert!(judged.is_ok(), "{}: {}", before.key, judged.unwrap_err());
            assert_eq!((&before.key, before.media_type), (&after.key, after.media_type));
            if !behaviour.code.is_empty() {
                assert_eq!((&before.title, &before.renditions), (&after.title, &after.renditions), "{behaviour:?}");
            }
        }
    }

    /// Makes `times` calls of every behaviour of a batch stage, all at once.
    async fn hostile_batches(&self, fanout: &Fanout, times: usize) {
        let mut all = tokio::task::JoinSet::new();
        for behaviour in (0..times).flat_map(|_| self.case.behaviours) {
            let (batch, _) = self.hostile_batch(1);
            let request = request(
                &self.hostile,
                &self.outside,
                &batch,
                self.limits,
                &format!(r#"{{"do":"{}"}}"#, behaviour.name),
            );
            let (fanout, stage) = (self.recorded(fanout), self.hostile.clone());
            all.spawn(async move { (behaviour, fanout.run(stage, request, batch, Arc::new(())).await) });
        }
        while let Some(ended) = all.join_next().await {
            let (behaviour, outcome) = ended.unwrap();
            let failure = outcome.as_ref().err().map(|failure| (failure.case.name(), failure.message.as_str()));
            judge(behaviour, failure).unwrap();
        }
    }

    /// Lets the honest stage serve a batch, and repeats its calls with the hostile one as a candidate.
    async fn candidates(&self, files: usize) {
        let (batch, behaviours) = self.hostile_batch(files);
        let recorder = CallRecorder::keeping(batch.assets.len(), RecordLimits::default(), self.recordings.clone());
        let request = request(&self.honest, &self.outside, &batch, honest_limits(), "{}");
        let fanout = Fanout::new(2, 64).intercepted(Arc::new(recorder.clone()));
        let served = fanout.run(self.honest.clone(), request, batch, Arc::new(())).await.unwrap();
        let sum = honest_title();
        assert!(served.batch.assets.iter().all(|asset| asset.title.as_ref() == Some(&sum)), "{:?}", served.batch);
        let recordings = recorder.take();
        assert_eq!(recordings.len(), behaviours.len(), "every call was recorded");

        let candidate =
            Candidate { stage: self.hostile.clone(), config: "{}".into(), limits: self.limits, grants: grants() };
        let report = self.shadow.run(&candidate, recordings, &served.batch, None).await.unwrap();
        assert_eq!((report.calls.len(), report.not_run), (behaviours.len(), 0));
        for call in &report.calls {
            let name = call.subject.rsplit('/').next().unwrap().split('.').next().unwrap();
            let behaviour = self.case.behaviours.iter().find(|behaviour| behaviour.name == name).unwrap();
            judge(behaviour, call.failure.as_ref().map(|failure| (&*failure.code, &*failure.message))).unwrap();
        }
    }

    fn recorded(&self, fanout: &Fanout) -> Fanout {
        match self.case.role {
            Role::Recorded => {
                let sink = Arc::new(Folder::new(self.folder.path()));
                fanout.intercepted(Arc::new(CallRecorder::storing(
                    sink,
                    RecordLimits::default(),
                    self.recordings.clone(),
                )))
            }
            Role::InService | Role::Shadow => fanout.clone(),
        }
    }

    /// Nothing is left open, nothing was written outside of the grants, and no more than the quotas.
    async fn judge_the_world(&self) {
        let calls = (self.calls.load(Ordering::SeqCst) + 2) * self.case.behaviours.len() as u64;
        if self.case.role == Role::Shadow {
            let written = self.outside.finished().into_iter().filter(|key| !key.ends_with("_reversed.jpg"));
            assert_eq!(written.collect::<Vec<_>>(), [""; 0], "a candidate wrote");
            assert_eq!(
                self.outside.created.load(Ordering::SeqCst),
                calls,
                "one object for each call of the honest stage"
            );
        } else {
            (self.case.effects)(&self.outside, calls);
        }
        for key in self.outside.finished() {
            let granted = [HOSTILE_LISTING, HONEST_LISTING].map(|listing| format!("{listing}/thumb/"));
            assert!(granted.iter().any(|prefix| key.starts_with(prefix)), "{key} was written");
        }
        // What was cut off is discarded in the background.
        while self.outside.open_writers.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn hostile_batch(&self, files: usize) -> (Batch, Vec<Behaviour>) {
        let mut assets = Vec::new();
        let mut behaviours = Vec::new();
        for number in 0..files {
            for behaviour in self.case.behaviours {
                let name = behaviour.name;
                assets.push(photo(&format!("{HOSTILE_LISTING}/raw/photo/vertical/2025-11-27/{name}.{number}.jpg")));
                behaviours.push(*behaviour);
            }
        }
        (batch_of(HOSTILE_LISTING, assets), behaviours)
    }
}

/// Compares how a call ended with how it must end.
fn judge(behaviour: &Behaviour, failure: Option<(&str, &str)>) -> Result<(), String> {
    let Behaviour { name, code, says } = behaviour;
    let (found, message) = failure.unwrap_or_default();
    if found != *code || !message.contains(says) {
        let begins: String = message.chars().take(LONGEST_MESSAGE).collect();
        return Err(format!("{name} ended as {found:?}, {begins:?}; expected is {code:?}, {says:?}"));
    }
    if message.len() > LONGEST_MESSAGE {
        return Err(format!("the message of {name} has {} bytes", message.len()));
    }
    Ok(())
}
