//! The settings of the service.

use std::time::Duration;

use serde_json::Value;

use crate::ffmpeg::Tools;

/// The settings of the service.
#[derive(Clone, Debug)]
pub struct Options {
    /// Region in ARNs and events.
    pub region: String,
    /// Account in ARNs and events, twelve digits.
    pub account: String,
    /// The paths of ffmpeg and ffprobe.
    pub tools: Tools,
    /// The number of jobs that run at once.
    pub concurrency: usize,
    /// The number of threads of one decoder or encoder.
    pub threads: u32,
    /// The longest run of a program, whatever the film's length is.
    pub timeout: Duration,
    /// The longest time in which ffmpeg reports no progress. It reports twice a second, but not while it moves the index of a
    /// finished film to its beginning, for which it writes the film once more.
    pub silence: Duration,
    /// The time between two checks that the buckets of a running job still exist.
    pub look: Duration,
    /// Bytes of address space for a program (Linux).
    pub memory: u64,
    /// Bytes of one output (Linux).
    pub largest_output: u64,
    /// The time between two `STATUS_UPDATE` events. `None` uses the interval of the job, which is at least 10 s.
    pub update_interval: Option<Duration>,
    /// Job templates by name: the settings in the spelling of the API, of CloudFormation or of the console's export.
    pub templates: Vec<(String, Value)>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            account: "000000000000".into(),
            tools: Tools::default(),
            concurrency: 1,
            threads: 2,
            timeout: Duration::from_secs(3600),
            silence: Duration::from_secs(90),
            look: Duration::from_secs(2),
            memory: 4 << 30,
            largest_output: 8 << 30,
            update_interval: None,
            templates: Vec::new(),
        }
    }
}
