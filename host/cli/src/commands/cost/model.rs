//! The cost of 1,000 batches: how much of everything one batch takes, times its price.
//!
//! The model is small on purpose: every line is a formula that fits into the command's help. It compares two designs: one
//! host function that runs every stage, and the four functions before it (validate 512 MB, thumbnails 2048 MB,
//! zip 3008 MB with 2 GB of disk, callback 256 MB), given the same work: every video transcoded, the same bundles, the state
//! machine's log without execution data. The functions do not wait for videos, so they have neither events nor a sweep.

use super::inputs::{Duration, Durations, Item, Measured, Prices, Workload};

/// How many batches the table is for.
pub const BATCHES: f64 = 1000.0;

/// Memory that comes with one virtual CPU, in MB (AWS Lambda Developer Guide, "Configure Lambda function memory").
const MB_PER_CPU: f64 = 1769.0;
/// Bundles of a batch: complete, originals, thumbnails.
const BUNDLES: f64 = 3.0;
/// The smallest file that S3 copies as a part of an upload, in MB; smaller files pass through the host.
const COPY_FROM_MB: f64 = 5.0;
/// Bytes that one ranged GET or one part of an upload carries, in MB.
const PART_MB: f64 = 8.0;
/// Size of a thumbnail in MB; assumed.
const THUMBNAIL_MB: f64 = 0.1;
/// Requests of KMS for each of S3, with a bucket key; assumed.
const KMS_PER_S3: f64 = 0.01;
/// Requests of KMS for a message that is sent and received, and for a batch's log; assumed.
const KMS_PER_BATCH: f64 = 2.0;
/// Each message is sent, received, deleted.
const SQS_PER_BATCH: f64 = 3.0;
/// What the state machine logs of a state without execution data: four events of half a KB; assumed.
const STATE_LOG_KB: f64 = 2.0;
/// A log line, and a call's START, END and REPORT, in KB; assumed.
const LOG_LINE_KB: f64 = 0.6;
/// The host's line of a state's numbers, in KB (host/telemetry/README.md has one).
const NUMBERS_KB: f64 = 1.2;
/// States of the host with such a line.
const HOST_STATES: f64 = 5.0;
/// The host's own metrics: failures of five stages, and its own errors (host/telemetry/README.md).
const HOST_METRICS: f64 = 6.0;
/// The hours of a month, as AWS counts them. A custom metric is paid for each hour in which it is sent (Amazon CloudWatch
/// pricing: "prorated by the hour and metered only when you send metrics"), and the host sends one only when something fails.
const HOURS: f64 = 730.0;
/// The label of the alarms' line.
pub const ALARMS: &str = "Alarms, months";
/// The alarms of the template.
pub const HOST_ALARMS: f64 = 5.0;
/// The alarms of the system before: dead letters, failed executions, errors of functions. An alarm for each function, or one that
/// sums the four, would be 0.30 USD more; this counts one for all functions of the account, which is the least.
const FUNCTIONS_ALARMS: f64 = 3.0;
/// How often the sweep runs in a month of thirty days.
pub const SWEEPS: f64 = 30.0 * 24.0 * 60.0 / SWEEP_MINUTES;
/// Minutes between two sweeps (the template's `Sweep`).
const SWEEP_MINUTES: f64 = 5.0;
/// Listings that a sweep makes: tickets and submissions together.
const SWEEP_LISTS: f64 = 1.0;
/// Minutes between two reports of a job.
const REPORT_EVERY_MINUTES: f64 = 1.0;
/// How much longer than its video a job takes, queue included; assumed.
const JOB_MINUTES_PER_MINUTE: f64 = 1.0;

/// States entered without a failure, and the start. A batch without a video enters as many.
pub const HOST_TRANSITIONS: f64 = 11.0;
/// The same without CheckBranches.
const FUNCTIONS_TRANSITIONS: f64 = 10.0;

/// A design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Design {
    /// Four functions on x86_64.
    Functions,
    /// The host on x86_64.
    HostX86,
    /// The host on arm64.
    HostArm64,
}

impl Design {
    /// In the order of the table's columns.
    pub const ALL: [Design; 3] = [Design::Functions, Design::HostX86, Design::HostArm64];

    /// Returns a column's heading.
    pub fn title(self) -> &'static str {
        match self {
            Design::Functions => "four functions, x86_64",
            Design::HostX86 => "one host, x86_64",
            Design::HostArm64 => "one host, arm64",
        }
    }

    fn is_host(self) -> bool {
        self != Design::Functions
    }
}

/// The part of the costs that a line belongs to, in the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostKind {
    /// Lambda.
    Compute,
    /// Requests of S3.
    Storage,
    /// Step Functions.
    States,
    /// Logs, metrics, alarms, traces.
    Watching,
    /// Everything else but transcoding.
    Rest,
    /// MediaConvert, which the designs share.
    Transcoding,
}

/// A line of the table.
pub struct Line {
    /// What it belongs to.
    pub kind: CostKind,
    /// What is paid for.
    pub label: &'static str,
    /// The formula of a batch's quantity.
    pub formula: &'static str,
    /// By design: the quantity for 1,000 batches, and its price.
    pub columns: [(f64, f64); 3],
}

/// Returns all lines. Labels and formulas do not depend on the batch.
pub fn lines(work: &Workload, measured: &Measured, prices: &Prices) -> Vec<Line> {
    let usages = Design::ALL.map(|design| Usage::of(design, work, measured, prices));
    let line = |kind, label, formula, quantity: fn(&Usage) -> f64, item: fn(&Usage) -> Item| Line {
        kind,
        label,
        formula,
        columns: usages.each_ref().map(|usage| {
            let quantity = quantity(usage) * BATCHES;
            (quantity, prices.of(item(usage), quantity))
        }),
    };
    use CostKind::{Compute, Rest, States, Storage, Transcoding, Watching};
    vec![
        line(Compute, "Lambda requests", "queue + states + events + sweeps", |u| u.requests, |_| Item::LambdaRequest),
        line(
            Compute,
            "Lambda GB-seconds",
            "memory/1024 × (ms of work ÷ CPUs + ms of waits + cold share × ms of a cold start)/1000",
            |u| u.gb_seconds,
            |u| u.compute,
        ),
        line(
            Compute,
            "Lambda disk, GB-seconds",
            "disk above 512 MB × seconds",
            |u| u.disk_gb_seconds,
            |_| Item::LambdaDiskGbSecond,
        ),
        line(States, "State transitions", "states entered + 1", |u| u.transitions, |_| Item::StateTransition),
        line(
            Storage,
            "S3 PUT, COPY, LIST",
            "tags + thumbnails + outputs + parts and copies of the bundles + records of jobs + sweeps",
            |u| u.s3_put,
            |_| Item::S3Put,
        ),
        line(
            Storage,
            "S3 GET, HEAD",
            "heads, tags and bytes of files + up-to-date checks + reads of the bundles + records of jobs",
            |u| u.s3_get,
            |_| Item::S3Get,
        ),
        line(Rest, "KMS requests", "S3 requests × 0.01 (bucket key) + 2", |u| u.kms, |_| Item::KmsRequest),
        line(Rest, "SQS requests", "sent + received + deleted", |_| SQS_PER_BATCH, |_| Item::SqsRequest),
        line(Rest, "Scheduled calls", "sweeps ÷ batches a month", |u| u.scheduled, |_| Item::ScheduledCall),
        line(Watching, "Logs, GB", "events of states + lines of calls", |u| u.log_gb, |_| Item::LogGb),
        line(
            Watching,
            "Custom metrics, months",
            "hours with a failure ÷ 730 ÷ batches a month",
            |u| u.metric_months,
            |_| Item::MetricMonth,
        ),
        line(Watching, ALARMS, "alarms ÷ batches a month", |u| u.alarm_months, |_| Item::AlarmMonth),
        line(
            Transcoding,
            "MediaConvert, normalized minutes",
            "videos × minutes × (HD outputs × 2 + SD outputs × 1)",
            |u| u.minutes,
            |_| Item::NormalizedMinute,
        ),
        line(Watching, "X-Ray traces", "share that is traced", |u| u.traces, |_| Item::XrayTrace),
    ]
}

/// What one batch uses.
struct Usage {
    compute: Item,
    requests: f64,
    gb_seconds: f64,
    disk_gb_seconds: f64,
    transitions: f64,
    s3_put: f64,
    s3_get: f64,
    kms: f64,
    scheduled: f64,
    log_gb: f64,
    metric_months: f64,
    alarm_months: f64,
    minutes: f64,
    traces: f64,
}

/// A batch, in the numbers of the formulas.
struct Batch {
    photos: f64,
    videos: f64,
    files: f64,
    thumbnails: f64,
    outputs: f64,
    photo_mb: f64,
    video_mb: f64,
    output_mb: f64,
    minutes: f64,
}

impl Batch {
    fn of(work: &Workload) -> Self {
        let (photos, videos) = (f64::from(work.batch_photos), f64::from(work.batch_videos));
        let per_video = f64::from(work.hd_outputs + work.sd_outputs);
        Self {
            photos,
            videos,
            files: photos + videos,
            thumbnails: photos * f64::from(work.thumbnails),
            outputs: videos * per_video,
            photo_mb: work.photo_mb,
            video_mb: work.video_mb,
            // Outputs are of 4 Mbit/s on average: half a megabyte a second.
            output_mb: work.video_minutes * 30.0,
            minutes: work.video_minutes,
        }
    }

    fn raw_mb(&self) -> f64 {
        self.photos * self.photo_mb + self.videos * self.video_mb
    }

    /// Returns the number of files in the bundles: each file is in two, an output of a video in one.
    fn bundled_files(&self) -> f64 {
        2.0 * self.files + 2.0 * self.thumbnails + self.outputs
    }

    fn bundled_mb(&self) -> f64 {
        2.0 * self.raw_mb() + 2.0 * self.thumbnails * THUMBNAIL_MB + self.outputs * self.output_mb
    }

    /// Returns the bundled files that S3 copies by itself: their number and MB.
    fn copied(&self) -> (f64, f64) {
        let kinds = [
            (2.0 * self.photos, self.photo_mb),
            (2.0 * self.videos, self.video_mb),
            (2.0 * self.thumbnails, THUMBNAIL_MB),
            (self.outputs, self.output_mb),
        ];
        let large = kinds.iter().filter(|(_, mb)| *mb >= COPY_FROM_MB);
        large.fold((0.0, 0.0), |(count, sum), (files, mb)| (count + files, sum + files * mb))
    }

    /// Returns 1 if there is a video, else 0.
    fn has_videos(&self) -> f64 {
        self.videos.min(1.0)
    }

    /// Returns the reports of all jobs: begun, one each minute, done.
    fn events(&self) -> f64 {
        self.videos * (2.0 + (self.minutes * JOB_MINUTES_PER_MINUTE / REPORT_EVERY_MINUTES).floor())
    }

    /// Returns the number of requests that read a file.
    fn ranges(&self, mb: f64) -> f64 {
        (mb / PART_MB).ceil().max(1.0)
    }
}

impl Usage {
    fn of(design: Design, work: &Workload, measured: &Measured, prices: &Prices) -> Self {
        let batch = Batch::of(work);
        let a_month = f64::from(work.batches_a_month);
        let sweeps = if design.is_host() { SWEEPS / a_month } else { 0.0 };
        let calls = if design.is_host() {
            host_calls(&batch, &measured.host, f64::from(work.host_memory), sweeps)
        } else {
            function_calls(&batch, &measured.functions)
        };
        let cold = if design.is_host() { &measured.host } else { &measured.functions }.cold_start.total();
        let requests: f64 = calls.iter().map(|call| call.count).sum();
        let seconds = |call: &Call| {
            let busy = call.work_ms / call.cpus() + work.cold * cold / call.cpus().min(1.0);
            call.count * (busy + call.wait_ms) / 1000.0
        };
        let transitions = if design.is_host() { HOST_TRANSITIONS } else { FUNCTIONS_TRANSITIONS };
        let (s3_put, s3_get) = if design.is_host() { host_s3(&batch, sweeps) } else { functions_s3(&batch) };
        let numbers = if design.is_host() { HOST_STATES * NUMBERS_KB } else { 0.0 };
        let log_kb = transitions * STATE_LOG_KB + LOG_LINE_KB * (requests + batch.files) + numbers;
        // Each failing batch sends at most one metric for an hour.
        let metric_months = (work.failing * a_month / HOURS).min(HOST_METRICS) / a_month;
        let alarms = if design.is_host() { HOST_ALARMS } else { FUNCTIONS_ALARMS };
        let multipliers = prices.multipliers();
        let per_minute =
            f64::from(work.hd_outputs) * multipliers.avc_hd + f64::from(work.sd_outputs) * multipliers.avc_sd;
        Self {
            compute: if design == Design::HostArm64 { Item::LambdaGbSecondArm64 } else { Item::LambdaGbSecondX86 },
            requests,
            gb_seconds: calls.iter().map(|call| call.memory / 1024.0 * seconds(call)).sum(),
            disk_gb_seconds: calls.iter().map(|call| call.disk_gb * seconds(call)).sum(),
            transitions,
            s3_put,
            s3_get,
            kms: (s3_put + s3_get) * KMS_PER_S3 + KMS_PER_BATCH,
            scheduled: sweeps,
            log_gb: log_kb / (1024.0 * 1024.0),
            metric_months: if design.is_host() { metric_months } else { 0.0 },
            alarm_months: alarms / a_month,
            minutes: batch.videos * batch.minutes * per_minute,
            traces: work.traced,
        }
    }
}

/// Calls of a function.
struct Call {
    count: f64,
    /// MB
    memory: f64,
    /// Disk above 512 MB.
    disk_gb: f64,
    /// Work of each call, on one virtual CPU.
    work_ms: f64,
    /// Time in which each call only waits for another service, whatever CPUs it has.
    wait_ms: f64,
    /// How many CPUs the work can use.
    threads: f64,
}

impl Call {
    /// Returns the virtual CPUs that the work uses.
    fn cpus(&self) -> f64 {
        (self.memory / MB_PER_CPU).min(self.threads)
    }
}

/// Returns the milliseconds of work, and those in which it waits for others, of so many times each of these.
fn times(parts: &[(f64, &Duration)]) -> (f64, f64) {
    (parts.iter().map(|(times, of)| times * of.ms).sum(), parts.iter().map(|(times, of)| times * of.waits()).sum())
}

fn host_calls(batch: &Batch, ms: &Durations, memory: f64, sweeps: f64) -> Vec<Call> {
    let call =
        |count, (work_ms, wait_ms)| Call { count, memory, disk_gb: 0.0, work_ms, wait_ms, threads: f64::INFINITY };
    let waiting = |count, wait_ms| call(count, (0.0, wait_ms));
    // Files that S3 does not copy pass through the host; nothing is deflated.
    let (copies, copied_mb) = batch.copied();
    let (passed, passed_mb) = (batch.bundled_files() - copies, batch.bundled_mb() - copied_mb);
    let (passing, passing_waits) = times(&[(passed, &ms.zip_file), (passed_mb, &ms.read_mb)]);
    vec![
        waiting(1.0, ms.enqueue.total()),
        call(1.0, times(&[(batch.files, &ms.validate_file), (batch.raw_mb(), &ms.read_mb)])),
        call(1.0, times(&[(batch.photos, &ms.thumbnail_photo), (batch.photos * batch.photo_mb, &ms.read_mb)])),
        waiting(batch.has_videos(), batch.videos * ms.submit_video.total()),
        waiting(batch.events(), ms.video_event.total()),
        call(1.0, (passing, passing_waits + copies * ms.copy_file.total())),
        waiting(1.0, ms.callback.total()),
        waiting(sweeps, ms.sweep.total()),
    ]
}

fn function_calls(batch: &Batch, ms: &Durations) -> Vec<Call> {
    let call = |memory, (work_ms, wait_ms)| Call {
        count: 1.0,
        memory,
        disk_gb: 0.0,
        work_ms,
        wait_ms,
        threads: f64::INFINITY,
    };
    let bundled_mb = batch.bundled_mb();
    let bundle =
        times(&[(batch.bundled_files(), &ms.zip_file), (bundled_mb, &ms.read_mb), (bundled_mb, &ms.deflate_mb)]);
    vec![
        call(512.0, (0.0, ms.enqueue.total())),
        call(512.0, times(&[(batch.files, &ms.validate_file), (batch.raw_mb(), &ms.read_mb)])),
        call(2048.0, times(&[(batch.photos, &ms.thumbnail_photo), (batch.photos * batch.photo_mb, &ms.read_mb)])),
        // CPython's zipfile reads, deflates and writes one file after the other, in one thread.
        Call { disk_gb: 1.5, threads: 1.0, ..call(3008.0, bundle) },
        call(256.0, (0.0, ms.callback.total())),
    ]
}

/// Returns the host's PUT and GET requests.
fn host_s3(batch: &Batch, sweeps: f64) -> (f64, f64) {
    let (copies, copied_mb) = batch.copied();
    let small = batch.bundled_files() - copies;
    let uploaded_parts = ((batch.bundled_mb() - copied_mb) / PART_MB).ceil();
    // A ticket for the state; for each video the intention of its job, the job's id, its report and its receipt.
    let records = batch.has_videos() + 4.0 * batch.videos;
    // Tags on every file, thumbnails, MediaConvert's outputs, records, bundles (begin, parts, copies, end), sweeps.
    let put = batch.files
        + batch.thumbnails
        + batch.outputs
        + records
        + 2.0 * BUNDLES
        + uploaded_parts
        + copies
        + SWEEP_LISTS * sweeps;
    // A video is read twice for its headers, and its receipt and its record are looked for; its report is looked for when the
    // ticket is open and when the job has ended. Every event reads the ticket. The sweep reads the open ones with their reports.
    let open = batch.has_videos() * batch.minutes * JOB_MINUTES_PER_MINUTE / SWEEP_MINUTES;
    let of_jobs = 6.0 * batch.videos + batch.events() + open * (1.0 + batch.videos);
    // Head, tags and bytes of every file; a head for every thumbnail; videos are read by MediaConvert and checked here.
    let get = 2.0 * batch.files
        + batch.photos * batch.ranges(batch.photo_mb)
        + batch.videos * batch.ranges(batch.video_mb)
        + batch.thumbnails
        + batch.photos * batch.ranges(batch.photo_mb)
        + batch.videos * batch.ranges(batch.video_mb)
        + batch.outputs
        + of_jobs
        + BUNDLES
        + small;
    (put, get)
}

/// Returns the four functions' PUT and GET requests.
fn functions_s3(batch: &Batch) -> (f64, f64) {
    let put = batch.thumbnails + batch.outputs + 2.0 * BUNDLES + (batch.bundled_mb() / PART_MB).ceil();
    let get = batch.files
        + batch.photos
        + batch.videos
        + batch.photos
        + batch.videos * batch.ranges(batch.video_mb)
        + batch.bundled_files();
    (put, get)
}
