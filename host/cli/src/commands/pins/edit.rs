//! The commands that change pins.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use serde_json::{Map, Value};
use stagehost_pins::{Pin, Pins};
use stagehost_runtime::{HttpSecret, Quotas};

use super::change::ChangeArgs;
use crate::exit::{Exit, read_named, read_named_text, usage};
use crate::output::printer::Printer;
use crate::pinning::change::{ChangeKind, NextPins, current};
use crate::pinning::wanted;

#[derive(Args)]
#[command(after_help = "\
Examples:

  stagehost pins init --from package/pins.json \\
    --why \"first pins\"")]
pub struct InitArgs {
    #[command(flatten)]
    change: ChangeArgs,

    /// The first pins
    #[arg(long, value_name = "FILE", default_value = "package/pins.json")]
    from: PathBuf,
}

pub async fn init(args: InitArgs, printer: &Printer) -> Result<Exit> {
    let text = read_named("--from", &args.from).context("`stagehost package` makes the first pins")?;
    let pins = Pins::parse(&text, &args.from.display().to_string()).map_err(|error| usage!("{error}"))?;
    let change = args.change.open(printer).await?;
    if change.environment().is_none() {
        return Err(usage!(
            "for which environment are these pins? name it with --environment, or set STAGEHOST_ENVIRONMENT, as ENV of the \
             hosts has it"
        ));
    }
    args.change.put(&change, None, NextPins::new(pins), printer).await
}

#[derive(Args)]
#[command(after_help = "\
Examples:

  stagehost pins set GenerateThumbnails 1.5.0 \\
    --why \"sharper\" --dry-run
  stagehost pins set GenerateThumbnails \\
    --memory-mib 768 --why \"larger photos\"")]
pub struct SetArgs {
    /// The state, by its name in the state machine
    state: String,

    /// The version, of the pinned stage or of NAME; without it only the settings change
    #[arg(value_name = "[NAME@]VERSION")]
    version: Option<String>,

    #[command(flatten)]
    settings: SettingsArgs,

    #[command(flatten)]
    change: ChangeArgs,
}

/// A pin's settings; those that are not given stay.
#[derive(Args)]
struct SettingsArgs {
    /// The stage's configuration: a JSON object, or @FILE
    #[arg(long, value_name = "JSON|@FILE")]
    config: Option<String>,

    /// Linear memory of one call, in MiB; a function has at most 10240
    #[arg(long, value_name = "MIB", value_parser = clap::value_parser!(u32).range(1..=10240))]
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

    /// Name of a tag that may be set on objects; may be given several times
    #[arg(long = "tag", value_name = "NAME")]
    tags: Vec<String>,

    /// Secret that the host puts into requests to a host, such as chat-token@chat.example=Authorization:Bearer; may be given
    /// several times
    #[arg(long = "secret", value_name = "NAME@HOST=HEADER[:PREFIX]", value_parser = secret)]
    secrets: Vec<HttpSecret>,

    /// Quota of one call, such as jobs=1000; may be given several times
    #[arg(long = "quota", value_name = "NAME=COUNT", value_parser = quota)]
    quotas: Vec<(String, u64)>,
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
            (&self.tags, &mut pin.grants.tags),
        ];
        for (given, place) in lists {
            if !given.is_empty() {
                place.clone_from(given);
            }
        }
        if !self.secrets.is_empty() {
            pin.grants.secrets.clone_from(&self.secrets);
        }
        for (name, count) in &self.quotas {
            pin.limits.quotas = with_quota(pin.limits.quotas, name, *count)?;
        }
        Ok(())
    }
}

/// Reads `chat-token@chat.example=Authorization:Bearer`. A space follows the prefix, if there is one.
fn secret(text: &str) -> Result<HttpSecret, String> {
    let expected =
        "expected NAME@HOST=HEADER or NAME@HOST=HEADER:PREFIX, such as chat-token@chat.example=Authorization:Bearer";
    let (name, rest) = text.split_once('@').ok_or(expected)?;
    let (host, header) = rest.split_once('=').ok_or(expected)?;
    let (header, prefix) = header.split_once(':').unwrap_or((header, ""));
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix} ") };
    Ok(HttpSecret { name: name.to_owned(), host: host.to_owned(), header: header.to_owned(), prefix })
}

/// Reads `jobs=1000`.
fn quota(text: &str) -> Result<(String, u64), String> {
    let (name, count) = text.split_once('=').ok_or("expected NAME=COUNT, such as jobs=1000")?;
    let count = count.parse().map_err(|error| format!("{count:?} is not a count: {error}"))?;
    Ok((name.to_owned(), count))
}

/// Returns the quotas with one of them changed.
fn with_quota(quotas: Quotas, name: &str, count: u64) -> Result<Quotas> {
    let mut document = serde_json::to_value(quotas)?;
    let names =
        document.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    match document.get_mut(name) {
        Some(place) => *place = count.into(),
        None => return Err(usage!("there is no quota {name:?}; the quotas are {names}")),
    }
    Ok(serde_json::from_value(document)?)
}

fn read_config(text: &str) -> Result<Map<String, Value>> {
    let text = match text.strip_prefix('@') {
        Some(file) => read_named_text("--config", file.as_ref())?,
        None => text.to_owned(),
    };
    serde_json::from_str(&text).map_err(|error| usage!("--config must be a JSON object: {error}"))
}

pub async fn set(args: SetArgs, printer: &Printer) -> Result<Exit> {
    let change = args.change.open(printer).await?;
    let on = change.current().await?;
    let settings = |pin: &mut Pin| args.settings.apply(pin);
    let next = wanted::set(&change, &on, &args.state, args.version.as_deref(), &settings).await?;
    args.change.put(&change, Some(&on), next, printer).await
}

#[derive(Args)]
#[command(after_help = "\
Examples:

  stagehost pins rollback --why \"colours are off\"
  stagehost pins rollback 12 --why \"colours are off\"")]
pub struct RollbackArgs {
    /// The revision to put in force again [default: the one before]
    revision: Option<u64>,

    /// Put yanked versions in force all the same, for this reason
    #[arg(long, value_name = "REASON")]
    allow_yanked: Option<String>,

    #[command(flatten)]
    change: ChangeArgs,
}

pub async fn rollback(args: RollbackArgs, printer: &Printer) -> Result<Exit> {
    let allow_yanked = args.allow_yanked.as_deref().map(|reason| reason.trim().to_owned());
    if allow_yanked.as_deref() == Some("") {
        return Err(usage!("--allow-yanked is empty; give the reason, for the history"));
    }
    let change = args.change.open(printer).await?;
    let on = change.current().await?;
    let next = wanted::rollback(&change.store, &on, args.revision, allow_yanked).await?;
    args.change.put(&change, Some(&on), next, printer).await
}

#[derive(Args)]
#[command(after_help = "\
Examples: with a new key; for pins that name no environment

  stagehost pins resign --key release-2 --why \"new key\"
  stagehost pins resign --environment staging \\
    --why \"signed for one environment\"")]
pub struct ResignArgs {
    /// The environment that they are signed for now, if they are to be for another one
    #[arg(long, value_name = "NAME")]
    from_environment: Option<String>,

    #[command(flatten)]
    change: ChangeArgs,
}

pub async fn resign(args: ResignArgs, printer: &Printer) -> Result<Exit> {
    let change = args.change.open(printer).await?;
    let on = current(&change.store.clone().even_unbound()).await?;
    if let (Some(found), Some(own)) = (on.pins.environment.as_deref(), change.environment())
        && found != own
        && args.from_environment.as_deref() != Some(found)
    {
        return Err(usage!(
            "the pins at {} are signed for the environment {found}, not for {own}; if they are to be for {own}, add \
             --from-environment {found}",
            change.store.place()
        ));
    }
    let next = NextPins { kind: ChangeKind::Resigned, pins: on.pins.clone() };
    args.change.put(&change, Some(&on), next, printer).await
}

#[derive(Args)]
#[command(after_help = "\
Examples:

  stagehost pins revoke 13 --why \"writes wrong colours\"")]
pub struct RevokeArgs {
    /// The revision
    revision: u64,

    #[command(flatten)]
    change: ChangeArgs,
}

pub async fn revoke(args: RevokeArgs, printer: &Printer) -> Result<Exit> {
    let change = args.change.open(printer).await?;
    let on = change.current().await?;
    args.change.put(&change, Some(&on), wanted::revoke(&on, args.revision)?, printer).await
}

#[derive(Args)]
#[command(after_help = "\
Examples:

  stagehost pins canary GenerateThumbnails 1.5.0 \\
    --percent 5 --abort-above 2 --why \"one in twenty\"")]
pub struct CanaryArgs {
    /// The state
    state: String,

    /// The version, of the pinned stage or of NAME
    #[arg(value_name = "[NAME@]VERSION")]
    version: String,

    /// How many executions of a hundred use it; the execution's name decides which
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=99))]
    percent: u8,

    /// Hosts end the canary themselves if its share of defects is higher than the pinned stage's by more than this many
    /// percentage points
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=99))]
    abort_above: Option<u8>,

    #[command(flatten)]
    settings: SettingsArgs,

    #[command(flatten)]
    change: ChangeArgs,
}

pub async fn canary(args: CanaryArgs, printer: &Printer) -> Result<Exit> {
    let change = args.change.open(printer).await?;
    let on = change.current().await?;
    let settings = |pin: &mut Pin| args.settings.apply(pin);
    let share = (args.percent, args.abort_above);
    let next = wanted::canary(&change, &on, &args.state, &args.version, share, &settings).await?;
    args.change.put(&change, Some(&on), next, printer).await
}

#[derive(Args)]
#[command(after_help = "\
Examples:

  stagehost pins promote GenerateThumbnails \\
    --why \"a day without a failure\"
  stagehost pins abort GenerateThumbnails --why \"too slow\"")]
pub struct EndArgs {
    /// The state
    state: String,

    #[command(flatten)]
    change: ChangeArgs,
}

pub async fn promote(args: EndArgs, printer: &Printer) -> Result<Exit> {
    let change = args.change.open(printer).await?;
    let on = change.current().await?;
    args.change.put(&change, Some(&on), wanted::promote(&on, &args.state)?, printer).await
}

pub async fn abort(args: EndArgs, printer: &Printer) -> Result<Exit> {
    let change = args.change.open(printer).await?;
    let on = change.current().await?;
    args.change.put(&change, Some(&on), wanted::abort(&on, &args.state)?, printer).await
}

#[derive(Args)]
#[command(after_help = "\
Examples:

  stagehost pins shadow GenerateThumbnails 1.5.0 \\
    --percent 20 --why \"is it the same?\"
  stagehost pins shadow GenerateThumbnails --off \\
    --why \"seen enough\"")]
pub struct ShadowArgs {
    /// The state
    state: String,

    /// The version, of the pinned stage or of NAME
    #[arg(value_name = "[NAME@]VERSION", required_unless_present = "off")]
    version: Option<String>,

    /// How many executions of a hundred it runs beside
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=100))]
    percent: u8,

    /// End the shadow
    #[arg(long, conflicts_with = "version")]
    off: bool,

    #[command(flatten)]
    settings: SettingsArgs,

    #[command(flatten)]
    change: ChangeArgs,
}

pub async fn shadow(args: ShadowArgs, printer: &Printer) -> Result<Exit> {
    let change = args.change.open(printer).await?;
    let on = change.current().await?;
    let settings = |pin: &mut Pin| args.settings.apply(pin);
    let next = wanted::shadow(&change, &on, &args.state, args.version.as_deref(), args.percent, &settings).await?;
    args.change.put(&change, Some(&on), next, printer).await
}

#[derive(Args)]
#[command(after_help = "\
Examples:

  stagehost pins record GenerateThumbnails \\
    --percent 1 --why \"odd colours now and then\"")]
pub struct RecordArgs {
    /// The state
    state: String,

    /// How many executions of a hundred are recorded; 0 ends the recording
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=100))]
    percent: u8,

    #[command(flatten)]
    change: ChangeArgs,
}

pub async fn record(args: RecordArgs, printer: &Printer) -> Result<Exit> {
    let change = args.change.open(printer).await?;
    let on = change.current().await?;
    let next = on.pins.recording(&args.state, args.percent).map_err(|error| usage!("{error}"))?;
    args.change.put(&change, Some(&on), NextPins::new(next), printer).await
}
