//! The model's inputs: prices, durations, a batch. Each can be replaced.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::exit::{read_named_text, usage};

const PRICES: &str = include_str!("prices.json");
const MEASURED: &str = include_str!("measured.json");

/// One region's prices.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prices {
    /// `us-east-1`
    pub region: String,
    /// The month or day for which they hold.
    pub as_of: String,
    /// `USD`
    pub currency: String,
    /// What they do not include.
    #[serde(default)]
    pub note: String,
    prices: BTreeMap<Item, Price>,
    multipliers: Multipliers,
}

/// A priced item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub enum Item {
    LambdaRequest,
    LambdaGbSecondArm64,
    LambdaGbSecondX86,
    LambdaDiskGbSecond,
    StateTransition,
    S3Put,
    S3Get,
    KmsRequest,
    SqsRequest,
    ScheduledCall,
    LogGb,
    MetricMonth,
    AlarmMonth,
    NormalizedMinute,
    XrayTrace,
}

impl Item {
    const ALL: [Item; 15] = [
        Item::LambdaRequest,
        Item::LambdaGbSecondArm64,
        Item::LambdaGbSecondX86,
        Item::LambdaDiskGbSecond,
        Item::StateTransition,
        Item::S3Put,
        Item::S3Get,
        Item::KmsRequest,
        Item::SqsRequest,
        Item::ScheduledCall,
        Item::LogGb,
        Item::MetricMonth,
        Item::AlarmMonth,
        Item::NormalizedMinute,
        Item::XrayTrace,
    ];
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Price {
    usd: f64,
    per: f64,
    unit: String,
    /// The page.
    source: String,
    /// When it was read: a day or a month.
    #[serde(default)]
    read: String,
}

/// How many normalized minutes a minute of output is.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Multipliers {
    /// AVC below 720 lines, up to 30 frames a second.
    pub avc_sd: f64,
    /// AVC of 720 to 1080 lines, up to 30 frames a second.
    pub avc_hd: f64,
}

impl Prices {
    /// Returns the program's own prices, or those of a file of the same shape.
    ///
    /// # Errors
    /// If the file cannot be read, or a price is missing.
    pub fn read(file: Option<&Path>) -> Result<Self> {
        let prices: Self = read(file, PRICES, "--prices")?;
        let missing = Item::ALL.into_iter().find(|item| !prices.prices.get(item).is_some_and(|price| price.per > 0.0));
        match missing {
            Some(item) => Err(usage!("--prices: the price {} is missing, or not for a positive number", name(item))),
            None => Ok(prices),
        }
    }

    /// Returns the price of a quantity.
    pub fn of(&self, item: Item, quantity: f64) -> f64 {
        // `read` has checked that every item is there.
        self.prices.get(&item).map_or(0.0, |price| quantity * price.usd / price.per)
    }

    /// Returns the multipliers of transcoding.
    pub fn multipliers(&self) -> Multipliers {
        self.multipliers
    }
}

fn name(item: Item) -> String {
    serde_json::to_value(item).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
}

/// How long things take in both designs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Measured {
    /// The source of the numbers.
    #[serde(default)]
    pub about: String,
    /// Of the host.
    pub host: Durations,
    /// Of the four functions.
    pub functions: Durations,
}

/// Milliseconds on one virtual CPU.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Durations {
    pub cold_start: Duration,
    pub enqueue: Duration,
    pub read_mb: Duration,
    pub validate_file: Duration,
    pub thumbnail_photo: Duration,
    pub submit_video: Duration,
    pub video_event: Duration,
    pub copy_file: Duration,
    pub zip_file: Duration,
    pub deflate_mb: Duration,
    pub callback: Duration,
    pub sweep: Duration,
}

/// One duration, and how it was found.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Duration {
    /// Milliseconds of the function itself.
    pub ms: f64,
    /// Whether they were measured; else they are assumed.
    pub measured: bool,
    /// How, in a few words.
    #[serde(default)]
    pub how: String,
    /// Milliseconds more in which it waits for AWS or the backend, which no benchmark on one machine can measure; assumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_ms: Option<f64>,
}

impl Duration {
    /// Returns the milliseconds in which it waits for others.
    pub fn waits(&self) -> f64 {
        self.waits_ms.unwrap_or_default()
    }

    /// Returns all milliseconds.
    pub fn total(&self) -> f64 {
        self.ms + self.waits()
    }
}

impl Measured {
    /// Returns the program's own durations, with those of the files in their places. A file may have some of them only, as the
    /// benchmarks write them; of two files the later one counts.
    ///
    /// # Errors
    /// If a file cannot be read, or has anything else.
    pub fn read(files: &[PathBuf]) -> Result<Self> {
        let mut all: Value = read(None, MEASURED, "--measured")?;
        for file in files {
            put_over(&mut all, read(Some(file.as_path()), MEASURED, "--measured")?);
        }
        let names = || files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join(", ");
        serde_json::from_value(all).map_err(|error| usage!("--measured {}: {error}", names()))
    }
}

/// Puts a document over another one. Durations are replaced as a whole.
fn put_over(below: &mut Value, above: Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) if !above.contains_key("ms") => {
            for (name, value) in above {
                put_over(below.entry(name).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above,
    }
}

impl Durations {
    /// Returns all durations with their names.
    pub fn all(&self) -> [(&'static str, &Duration); 12] {
        [
            ("cold start", &self.cold_start),
            ("starting the execution", &self.enqueue),
            ("reading a megabyte", &self.read_mb),
            ("validating a file", &self.validate_file),
            ("thumbnails of a photo", &self.thumbnail_photo),
            ("submitting a video", &self.submit_video),
            ("a transcoding event", &self.video_event),
            ("bundling a file that S3 copies", &self.copy_file),
            ("bundling another file", &self.zip_file),
            ("deflating a megabyte", &self.deflate_mb),
            ("the callback", &self.callback),
            ("a sweep", &self.sweep),
        ]
    }
}

fn read<T: serde::de::DeserializeOwned>(file: Option<&Path>, own: &str, option: &str) -> Result<T> {
    let text = match file {
        Some(file) => read_named_text(option, file)?,
        None => own.to_owned(),
    };
    serde_json::from_str(&text).map_err(|e| {
        let place = file.map_or("of the program itself".into(), |file| file.display().to_string());
        usage!("{option} {place}: {e}")
    })
}

/// A batch, and how the function runs.
#[derive(Clone, Debug, Args, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Photos in a batch
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub batch_photos: u32,

    /// Size of a photo, in MB
    #[arg(long, value_name = "MB", default_value_t = 4.0, value_parser = positive)]
    pub photo_mb: f64,

    /// Thumbnails of a photo
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub thumbnails: u32,

    /// Videos in a batch
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub batch_videos: u32,

    /// Size of a video, in MB
    #[arg(long, value_name = "MB", default_value_t = 80.0, value_parser = positive)]
    pub video_mb: f64,

    /// Length of a video, in minutes
    #[arg(long, value_name = "MINUTES", default_value_t = 1.0, value_parser = positive)]
    pub video_minutes: f64,

    /// Outputs of a video with 720 lines or more
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub hd_outputs: u32,

    /// Outputs of a video with fewer
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub sd_outputs: u32,

    /// Share of calls that start a new process
    #[arg(long, value_name = "0..1", default_value_t = 0.05, value_parser = share)]
    pub cold: f64,

    /// Share of executions that are traced
    #[arg(long, value_name = "0..1", default_value_t = 0.05, value_parser = share)]
    pub traced: f64,

    /// Share of batches in which a call of a stage fails
    #[arg(long, value_name = "0..1", default_value_t = 0.05, value_parser = share)]
    pub failing: f64,

    /// Memory of the host function, in MB
    #[arg(long, value_name = "MB", default_value_t = 3008, value_parser = clap::value_parser!(u32).range(128..=10240))]
    pub host_memory: u32,

    /// Batches in a month, over which fixed costs are spread
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    pub batches_a_month: u32,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=1e6).contains(&number) => Ok(number),
        _ => Err("expected a number from 0 to 1000000".into()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err("expected a share from 0 to 1, such as 0.05".into()),
    }
}
