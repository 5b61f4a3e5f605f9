//! The changes, one command each.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Map, Value};
use stagehost_pins::{Canary, Pin, PinStore, Pins, Shadow};

use super::candidate::published;
use super::change::ChangeArgs;
use super::show::current;
use crate::exit::{Exit, usage};

#[derive(Args)]
pub struct InitArgs {
    #[command(flatten)]
    change: ChangeArgs,

    /// The first pins: a package's, or any others
    #[arg(long, value_name = "FILE", default_value = "package/pins.json")]
    from: PathBuf,
}

pub async fn init(args: InitArgs) -> Result<Exit> {
    let text = std::fs::read(&args.from).map_err(|error| {
        usage!("cannot read {}: {error}; `stagehost package` makes pins, --from names others", args.from.display())
    })?;
    let pins = Pins::parse(&text, &args.from.display().to_string()).map_err(|error| usage!("{error}"))?;
    args.change.open().await?.put(None, pins).await
}

#[derive(Args)]
pub struct SetArgs {
    /// The state, as the state machine calls it
    state: String,

    /// The version, of the stage that is pinned now or of NAME; without it the settings alone are changed
    #[arg(value_name = "[NAME@]VERSION")]
    version: Option<String>,

    #[command(flatten)]
    settings: SettingsArgs,

    #[command(flatten)]
    change: ChangeArgs,
}

/// What a pin says beside the version; what is not given stays as it is.
#[derive(Args)]
struct SettingsArgs {
    /// The stage's configuration: a JSON object, or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    config: Option<String>,

    /// Linear memory of one call, in MiB
    #[arg(long, value_name = "MIB")]
    memory_mib: Option<u32>,

    /// Time of one call, in milliseconds
    #[arg(long, value_name = "MS")]
    deadline_ms: Option<u64>,

    /// Prefix of keys that may be read, such as {listingId}/raw/; may be given several times
    #[arg(long = "read", value_name = "PREFIX")]
    read: Vec<String>,

    /// Prefix of keys that may be written; may be given several times
    #[arg(long = "write", value_name = "PREFIX")]
    write: Vec<String>,

    /// Host that may be called over HTTP; may be given several times
    #[arg(long = "http", value_name = "HOST")]
    http: Vec<String>,
}

impl SettingsArgs {
    fn apply(&self, pin: &mut Pin) -> Result<()> {
        if let Some(config) = &self.config {
            pin.config = read_config(config)?;
        }
        pin.limits.memory_mib = self.memory_mib.unwrap_or(pin.limits.memory_mib);
        pin.limits.deadline_ms = self.deadline_ms.unwrap_or(pin.limits.deadline_ms);
        let lists = [
            (&self.read, &mut pin.grants.read),
            (&self.write, &mut pin.grants.write),
            (&self.http, &mut pin.grants.http),
        ];
        for (given, place) in lists {
            if !given.is_empty() {
                place.clone_from(given);
            }
        }
        Ok(())
    }
}

fn read_config(text: &str) -> Result<Map<String, Value>> {
    let text = match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).with_context(|| format!("cannot read --config {text}"))?,
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| usage!("--config is no JSON object: {error}"))
}

pub async fn set(args: SetArgs) -> Result<Exit> {
    let places = args.change.open().await?;
    let on = current(&places.store).await?;
    let now = on.pins.states.get(&args.state);
    let mut pin = match (&args.version, now) {
        (Some(version), now) => published(places.registry.as_ref(), &args.state, version, now).await?,
        (None, Some(now)) => now.clone(),
        (None, None) => return Err(usage!("nothing is pinned to {} yet; name a stage as NAME@VERSION", args.state)),
    };
    args.settings.apply(&mut pin)?;
    let next = on.pins.pinning(&args.state, pin);
    places.put(Some(&on), next).await
}

#[derive(Args)]
pub struct RollbackArgs {
    /// The revision whose pins shall be in force again [default: the one before]
    revision: Option<u64>,

    #[command(flatten)]
    change: ChangeArgs,
}

pub async fn rollback(args: RollbackArgs) -> Result<Exit> {
    let places = args.change.open().await?;
    let store = &places.store;
    let on = current(store).await?;
    let target = match args.revision {
        Some(revision) => revision,
        None => before(store, &on.pins).await?,
    };
    // Not every revision that is kept was in force: who makes a change may have been overtaken.
    let Some(earlier) = store.history(usize::MAX).await?.into_iter().find(|pins| pins.revision == target) else {
        return Err(usage!("revision {target} was never in force; `stagehost pins history` lists those that were"));
    };
    if on.pins.revoked.contains(&target) {
        return Err(usage!("revision {target} is revoked; `stagehost pins history` lists the others"));
    }
    let next = on.pins.rolled_back_to(&earlier);
    places.put_again(&on, next, target).await
}

/// The revision before this one; of pins that were put in force again, the one before those, so that a second rollback does
/// not lead back to what the first one took away.
async fn before(store: &PinStore, pins: &Pins) -> Result<u64> {
    let change = match pins.change.as_ref().and_then(|change| change.restores) {
        Some(restored) => store.revision(restored).await?.change,
        None => pins.change.clone(),
    };
    let before = change.and_then(|change| change.previous);
    before.ok_or_else(|| usage!("there are no pins before those of revision {}", pins.revision))
}

#[derive(Args)]
pub struct RevokeArgs {
    /// The revision
    revision: u64,

    #[command(flatten)]
    change: ChangeArgs,
}

pub async fn revoke(args: RevokeArgs) -> Result<Exit> {
    let places = args.change.open().await?;
    let on = current(&places.store).await?;
    let next = on.pins.revoking(args.revision).map_err(|error| usage!("{error}"))?;
    places.put(Some(&on), next).await
}

#[derive(Args)]
pub struct CanaryArgs {
    /// The state
    state: String,

    /// The version, of the pinned stage or of NAME
    #[arg(value_name = "[NAME@]VERSION")]
    version: String,

    /// For so many executions of a hundred; which ones follows from their names
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=99))]
    percent: u8,

    /// A host gives it up by itself when more than so many of a hundred of its calls trap, time out or run out of memory
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=99))]
    abort_above: Option<u8>,

    #[command(flatten)]
    settings: SettingsArgs,

    #[command(flatten)]
    change: ChangeArgs,
}

pub async fn canary(args: CanaryArgs) -> Result<Exit> {
    let places = args.change.open().await?;
    let on = current(&places.store).await?;
    let now = on.pins.pinned(&args.state).map_err(|error| usage!("{error}"))?;
    let mut pin = published(places.registry.as_ref(), &args.state, &args.version, Some(now)).await?;
    args.settings.apply(&mut pin)?;
    let canary = Canary { percent: args.percent, abort_above_percent: args.abort_above, pin };
    let next = on.pins.with_canary(&args.state, canary).map_err(|error| usage!("{error}"))?;
    places.put(Some(&on), next).await
}

#[derive(Args)]
pub struct EndArgs {
    /// The state
    state: String,

    #[command(flatten)]
    change: ChangeArgs,
}

pub async fn promote(args: EndArgs) -> Result<Exit> {
    let places = args.change.open().await?;
    let on = current(&places.store).await?;
    let next = on.pins.promoting(&args.state).map_err(|error| usage!("{error}"))?;
    places.put(Some(&on), next).await
}

pub async fn abort(args: EndArgs) -> Result<Exit> {
    let places = args.change.open().await?;
    let on = current(&places.store).await?;
    let next = on.pins.aborting(&args.state).map_err(|error| usage!("{error}"))?;
    places.put(Some(&on), next).await
}

#[derive(Args)]
pub struct ShadowArgs {
    /// The state
    state: String,

    /// The version, of the pinned stage or of NAME
    #[arg(value_name = "[NAME@]VERSION", required_unless_present = "off")]
    version: Option<String>,

    /// Beside so many executions of a hundred
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=100))]
    percent: u8,

    /// End it
    #[arg(long, conflicts_with = "version")]
    off: bool,

    #[command(flatten)]
    settings: SettingsArgs,

    #[command(flatten)]
    change: ChangeArgs,
}

pub async fn shadow(args: ShadowArgs) -> Result<Exit> {
    let places = args.change.open().await?;
    let on = current(&places.store).await?;
    let now = on.pins.pinned(&args.state).map_err(|error| usage!("{error}"))?;
    let shadow = match &args.version {
        None => None,
        Some(version) => {
            let mut pin = published(places.registry.as_ref(), &args.state, version, Some(now)).await?;
            args.settings.apply(&mut pin)?;
            Some(Shadow { percent: args.percent, pin })
        }
    };
    let next = on.pins.with_shadow(&args.state, shadow).map_err(|error| usage!("{error}"))?;
    places.put(Some(&on), next).await
}

#[derive(Args)]
pub struct RecordArgs {
    /// The state
    state: String,

    /// Of so many executions of a hundred; 0 ends it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    percent: u8,

    #[command(flatten)]
    change: ChangeArgs,
}

pub async fn record(args: RecordArgs) -> Result<Exit> {
    let places = args.change.open().await?;
    let on = current(&places.store).await?;
    let next = on.pins.recording(&args.state, args.percent).map_err(|error| usage!("{error}"))?;
    places.put(Some(&on), next).await
}
