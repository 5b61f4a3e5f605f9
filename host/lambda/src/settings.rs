//! The function's settings, from its environment variables.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use stagehost_aws::AwsOptions;
use stagehost_registry::TrustedKeys;
use stagehost_storage::Location;

/// The default of `PINS_MAX_AGE`: how old pins may be before they are fetched again.
const PINS_MAX_AGE: Duration = Duration::from_secs(5);

/// The default of `RUNNING_EXECUTIONS`: twice the calls that the template reserves, because half of them wait for videos.
const RUNNING_EXECUTIONS: usize = 100;

/// The default of `QUEUE_CONSUMERS`, as in the template.
const QUEUE_CONSUMERS: usize = 5;

/// Memory that guests do not get, in MiB: 192 for what the host holds for all calls together, and the host's own.
const HOST_MEMORY_MIB: u32 = 256;

/// Where the pins are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinsPlace {
    /// A file, by default the one in the package.
    File(PathBuf),
    /// Signed revisions in a folder or a bucket.
    Store(Location),
}

/// The function's settings.
#[derive(Debug)]
pub struct Settings {
    /// `PINS`
    pub pins: PinsPlace,
    /// `REGISTRY`: where stages are published that are not in the package.
    pub registry: Option<Location>,
    /// `TRUSTED_KEYS`: the keys whose signatures are accepted on documents from a store.
    pub trusted: TrustedKeys,
    /// `PINS_MIN_REVISION`: the lowest revision of pins in a store that may be in force.
    pub pins_min_revision: u64,
    /// `PINS_MAX_AGE`, in seconds.
    pub pins_max_age: Duration,
    /// `ARTIFACTS`: the folder of precompiled stages.
    pub artifacts: PathBuf,
    /// `STATE_MACHINE_ARN`; without it queue messages are refused.
    pub state_machine: Option<String>,
    /// `RUNNING_EXECUTIONS`: how many executions of one listing may run while no other listing has any.
    pub running_executions: usize,
    /// `QUEUE_CONSUMERS`: how many processes take messages of the queue at the same time.
    pub queue_consumers: usize,
    /// `ENV`: the environment's name, in metrics and in the pins of a store.
    pub environment: String,
    /// Memory for all guests together, in MiB.
    pub guest_memory_mib: u32,
    /// Settings of the AWS clients.
    pub aws: AwsOptions,
}

impl Settings {
    /// Reads the environment. An empty variable counts as absent.
    ///
    /// # Errors
    /// If a variable is missing or invalid. The error names it.
    pub fn from_env() -> Result<Self> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let get = |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let package = PathBuf::from(get("LAMBDA_TASK_ROOT").unwrap_or_else(|| ".".to_owned()));
        let pins = match get("PINS") {
            None => PinsPlace::File(package.join("pins.json")),
            Some(file) if file.ends_with(".json") && !file.contains("://") => PinsPlace::File(file.into()),
            Some(place) => {
                PinsPlace::Store(place.parse().context("PINS, which may also be a file that ends in .json")?)
            }
        };
        let trusted: TrustedKeys = get("TRUSTED_KEYS").unwrap_or_default().parse().context("TRUSTED_KEYS")?;
        let registry: Option<Location> = get("REGISTRY").map(|place| place.parse()).transpose().context("REGISTRY")?;
        if trusted.is_empty() && (registry.is_some() || matches!(pins, PinsPlace::Store(_))) {
            let named = if registry.is_some() { "REGISTRY" } else { "PINS" };
            bail!(
                "{named} names a store, but TRUSTED_KEYS has no key whose signatures are accepted there; `stagehost keys \
                 list` shows public keys"
            );
        }
        let environment = get("ENV");
        if environment.is_none() && matches!(pins, PinsPlace::Store(_)) {
            bail!(
                "PINS names a store, but ENV does not say which environment this is; pins are signed for one environment, \
                 and `stagehost pins show` prints its name"
            );
        }
        let number = |name: &str| {
            let text = get(name);
            text.map(|text| text.parse::<u64>().with_context(|| format!("{name} is {text:?}; expected a whole number")))
                .transpose()
        };
        let count = |name: &str, default: usize| -> Result<usize> {
            Ok(number(name)?.map_or(default, |count| usize::try_from(count).unwrap_or(usize::MAX)))
        };
        let memory = number("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")?.unwrap_or(2048);
        let memory = u32::try_from(memory).unwrap_or(u32::MAX);
        Ok(Self {
            pins,
            registry,
            trusted,
            pins_min_revision: number("PINS_MIN_REVISION")?.unwrap_or_default(),
            pins_max_age: number("PINS_MAX_AGE")?
                .map_or(PINS_MAX_AGE, |age| Duration::from_secs(u32::try_from(age).unwrap_or(u32::MAX).into())),
            artifacts: get("ARTIFACTS").map_or_else(|| package.join("stages"), PathBuf::from),
            state_machine: get("STATE_MACHINE_ARN"),
            running_executions: count("RUNNING_EXECUTIONS", RUNNING_EXECUTIONS)?,
            queue_consumers: count("QUEUE_CONSUMERS", QUEUE_CONSUMERS)?,
            environment: environment.unwrap_or_else(|| "unknown".to_owned()),
            guest_memory_mib: memory.saturating_sub(HOST_MEMORY_MIB).max(memory / 4).max(1),
            aws: AwsOptions::from_lookup(&lookup)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The public key of RFC 8032, section 7.1, test 1.
    const KEY: &str = "ed25519:11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    fn from(variables: &[(&str, &str)]) -> Result<Settings> {
        let own = [("MEDIA_BUCKET", "medias"), ("LAMBDA_TASK_ROOT", "/var/task")];
        Settings::from_lookup(|name| {
            let found = variables.iter().chain(&own).find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn pins_and_stages_are_by_default_those_of_the_package() {
        let settings = from(&[]).unwrap();
        assert_eq!(settings.pins, PinsPlace::File("/var/task/pins.json".into()));
        assert_eq!(settings.artifacts, PathBuf::from("/var/task/stages"));
        let store =
            [("PINS", "s3://bucket/some/pins/"), ("PINS_MAX_AGE", "0"), ("TRUSTED_KEYS", KEY), ("ENV", "staging")];
        let settings = from(&store).unwrap();
        assert_eq!(
            settings.pins,
            PinsPlace::Store(Location::Bucket { bucket: "bucket".into(), prefix: "some/pins".into() })
        );
        assert_eq!(settings.pins_max_age, Duration::ZERO);
    }

    #[test]
    fn a_store_of_pins_needs_the_environments_name() {
        let error = from(&[("PINS", "s3://bucket/pins"), ("TRUSTED_KEYS", KEY)]).unwrap_err().to_string();
        assert!(error.contains("ENV does not say"), "{error}");
        assert!(from(&[("PINS", "own.json")]).is_ok(), "a file is not signed");
    }

    #[test]
    fn an_invalid_variable_is_named_in_the_error() {
        for (name, value) in [
            ("PINS", "s3://"),
            ("PINS_MAX_AGE", "soon"),
            ("PINS_MIN_REVISION", "-1"),
            ("RUNNING_EXECUTIONS", "all"),
            ("PINS_FLOOR", "/a/name"),
            ("MEDIA_BUCKET", ""),
            ("TRUSTED_KEYS", "ed25519:no"),
        ] {
            let error = format!("{:#}", from(&[(name, value)]).unwrap_err());
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn a_store_of_pins_or_stages_needs_trusted_keys() {
        for name in ["PINS", "REGISTRY"] {
            let error = from(&[(name, "s3://bucket/place")]).unwrap_err().to_string();
            assert!(error.contains("TRUSTED_KEYS") && error.contains(name), "{error}");
            assert!(from(&[(name, "s3://bucket/place"), ("TRUSTED_KEYS", KEY), ("ENV", "staging")]).is_ok());
        }
    }

    #[test]
    fn guests_get_the_functions_memory_except_what_the_host_needs() {
        let of = |size: &str| from(&[("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", size)]).unwrap().guest_memory_mib;
        assert_eq!(of("2048"), 1792);
        assert_eq!(of("128"), 32);
    }
}
