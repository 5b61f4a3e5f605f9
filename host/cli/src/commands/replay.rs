//! `stagehost replay`: recorded calls, repeated without any network.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use serde_json::{Map, Value, json};
use stagehost_dispatch::StageSource;
use stagehost_pins::Pin;
use stagehost_record::{Record, Replayed, StoredRecord, blob_name, replay as replay_one};
use stagehost_runtime::{StageEngine, StageIdentity, World, check, names_of};
use stagehost_storage::Found;

use crate::build::checkout::{Checkout, TARGET};
use crate::build::components::{ComponentStore, Components};
use crate::exit::{Exit, read_named, usage};
use crate::output::printer::Printer;

#[derive(Args, Debug)]
#[command(after_help = "\
A record is one call of a stage: its input, its output, and every answer of the host in between. A replay answers the \
stage from the record; nothing is read from or sent to anywhere else.

Exit codes: 0 no difference, 4 differences, 1 failure, 2 wrong usage or a missing file.

Examples:

  stagehost run samples/listing --record /tmp/recorded
  stagehost replay /tmp/recorded
  stagehost replay /tmp/recorded \\
    --state GenerateThumbnails --stage ./candidate.wasm
  stagehost replay front.jpg-1a2b3c4d-0.json --json")]
pub struct ReplayArgs {
    /// Records, or folders of records
    #[arg(required = true, value_name = "FILE")]
    records: Vec<PathBuf>,

    /// Call this component instead of the recorded one
    #[arg(long, value_name = "WASM")]
    stage: Option<PathBuf>,

    /// Give the stage this configuration instead of the recorded one: a file with a JSON object
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Only the records of this state
    #[arg(long, value_name = "STATE")]
    state: Option<String>,

    /// A folder of components; a recorded component is looked up beside the record, then here, then among the built stages
    #[arg(long, value_name = "DIR")]
    stages: Option<PathBuf>,

    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// If the command line is wrong, or a record cannot be replayed.
pub async fn replay(args: ReplayArgs, printer: &Printer) -> Result<Exit> {
    let config = args.config.as_deref().map(read_config).transpose()?;
    let mut records = Vec::new();
    for file in record_files(&args.records)? {
        let stored = StoredRecord::open(&file)?;
        if args.state.as_ref().is_none_or(|state| *state == stored.record.context.state) {
            records.push((file, stored));
        }
    }
    if records.is_empty() {
        let state = args.state.map(|state| format!(" of the state {state:?}")).unwrap_or_default();
        return Err(usage!("there is no record{state} in {}", list(&args.records)));
    }
    let stages = Stages::new(&args, &records, printer).await?;
    let mut done = Vec::new();
    for (file, stored) in records {
        let pin = stages.pin(&stored.record)?;
        let stage = stages.store.stage(&pin).await.map_err(|e| anyhow::anyhow!("{}: {e}", file.display()))?;
        let replayed = replay_one(stored, &stage, config.clone()).await.map_err(anyhow::Error::msg)?;
        if !args.json {
            printer.line(text(&file, &replayed).trim_end());
        }
        done.push((file, replayed));
    }
    let different = done.iter().filter(|(_, replayed)| !replayed.differences.is_empty()).count();
    if args.json {
        let records: Vec<_> = done
            .iter()
            .map(|(file, replayed)| {
                let mut document = json!({"record": file, "same": replayed.differences.is_empty()});
                if let (Some(all), Ok(Value::Object(more))) = (document.as_object_mut(), serde_json::to_value(replayed))
                {
                    all.extend(more);
                }
                document
            })
            .collect();
        printer.document(&json!({"same": done.len() - different, "different": different, "records": records}));
    } else if done.len() > 1 {
        printer.line(format_args!("{} the same, {different} different", done.len() - different));
    }
    Ok(if different == 0 { Exit::Success } else { Exit::Different })
}

/// Returns the result for people.
fn text(file: &Path, replayed: &Replayed) -> String {
    let (mark, result) = match (replayed.now, replayed.differences.len()) {
        (None, _) => ("✗", "not replayed".to_owned()),
        (Some(_), 0) => ("✓", "the same".to_owned()),
        (Some(_), 1) => ("✗", "1 difference".to_owned()),
        (Some(_), number) => ("✗", format!("{number} differences")),
    };
    let now = replayed.now.map(|now| format!(", {:.0} ms now", now.duration_ms)).unwrap_or_default();
    let stage = &replayed.stage;
    let mut text = format!(
        "{mark} {} {}: {result}  ({} {}, {:.0} ms then{now})\n",
        replayed.state, replayed.subject, stage.name, stage.version, replayed.before.duration_ms
    );
    if !replayed.differences.is_empty() {
        text.push_str(&format!("  {}\n", file.display()));
    }
    for difference in &replayed.differences {
        for line in difference.to_string().lines() {
            text.push_str(&format!("  {line}\n"));
        }
    }
    text
}

fn read_config(file: &Path) -> Result<String> {
    let config: Map<String, Value> = serde_json::from_slice(&read_named("--config", file)?)
        .map_err(|e| usage!("--config {} must be a JSON object: {e}", file.display()))?;
    Ok(Value::Object(config).to_string())
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Returns the records in these files and folders, in order.
///
/// # Errors
/// If one of them cannot be read.
pub fn record_files(places: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for place in places {
        if place.is_dir() {
            let records = place.join("records");
            collect(if records.is_dir() { &records } else { place }, &mut found)
                .with_context(|| format!("cannot read {}", place.display()))?;
        } else if place.is_file() {
            found.push(place.clone());
        } else {
            return Err(usage!("cannot read {}: there is no such file or folder", place.display()));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    Ok(())
}

/// The components to call.
struct Stages {
    store: ComponentStore,
    /// `--stage`: its file, digest and names.
    candidate: Option<(PathBuf, String, stagehost_runtime::Names)>,
}

impl Stages {
    async fn new(args: &ReplayArgs, records: &[(PathBuf, StoredRecord)], printer: &Printer) -> Result<Self> {
        let mut components = Components::default();
        let candidate = match &args.stage {
            Some(file) => {
                let bytes = read_named("--stage", file)?;
                let names = names_of(&bytes).map_err(|e| usage!("{}: {e}", file.display()))?;
                Some((file.clone(), components.add_bytes(bytes.into()), names))
            }
            None => {
                recorded(args, records, &mut components).await?;
                None
            }
        };
        Ok(Self { store: ComponentStore::new(StageEngine::new()?, components, printer.clone())?, candidate })
    }

    /// Returns the pin to call for a record.
    fn pin(&self, record: &Record) -> Result<Pin> {
        let stage = &record.stage;
        let (name, version, world, digest) = match &self.candidate {
            Some((_, digest, _)) if *digest == stage.digest => {
                (stage.name.clone(), stage.version.clone(), stage.world, digest)
            }
            Some((file, digest, names)) => {
                let fits = |world: &World| check(names, *world).is_empty() && world.export() == stage.world.export();
                let world = Some(stage.world).filter(&fits).or_else(|| World::infer(names).filter(&fits));
                let world = world.ok_or_else(|| {
                    usage!(
                        "{} cannot replace {} {} in the state {}: it does not fit the world {}; choose the records with \
                         --state, or see `stagehost stage check`",
                        file.display(),
                        stage.name,
                        stage.version,
                        record.context.state,
                        stage.world
                    )
                })?;
                let name = file.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
                (name, "0.0.0-local".to_owned(), world, digest)
            }
            None => (stage.name.clone(), stage.version.clone(), stage.world, &stage.digest),
        };
        Ok(Pin {
            stage: name,
            version,
            world,
            digest: digest.clone(),
            config: Map::new(),
            limits: record.limits,
            grants: record.grants.clone(),
        })
    }
}

/// Adds the recorded components: from beside the records, `--stages`, or the checkout's built stages.
async fn recorded(args: &ReplayArgs, records: &[(PathBuf, StoredRecord)], components: &mut Components) -> Result<()> {
    let mut built: Option<HashMap<String, PathBuf>> = None;
    for (file, stored) in records {
        let stage = &stored.record.stage;
        if components.get(&stage.digest).is_some() {
            continue;
        }
        let blob = stored.storage.get(&blob_name(stage.digest.trim_start_matches("sha256:")), None).await;
        if let Ok(Found::Found { bytes, .. }) = blob
            && StageIdentity::digest_of(&bytes) == stage.digest
        {
            components.add_bytes(Arc::from(bytes.as_ref()));
            continue;
        }
        let built = built.get_or_insert_with(|| built_components(args.stages.as_deref()));
        let Some(component) = built.get(&stage.digest) else {
            return Err(usage!(
                "{}: the component {} {} ({}) is neither beside the record, nor in --stages, nor among the checkout's \
                 built stages; name one with --stage FILE",
                file.display(),
                stage.name,
                stage.version,
                stage.digest
            ));
        };
        components.add(component)?;
    }
    Ok(())
}

/// Returns the components in `--stages` and among the checkout's built stages, by digest. Nothing is built: that would
/// give another digest.
fn built_components(stages: Option<&Path>) -> HashMap<String, PathBuf> {
    let checkout = Checkout::find().ok().map(|checkout| checkout.target_dir().join(TARGET).join("release"));
    let folders = [stages.map(Path::to_owned), checkout];
    let files = folders.iter().flatten().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let components = files.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "wasm"));
    components.filter_map(|path| Some((StageIdentity::digest_of(&std::fs::read(&path).ok()?), path))).collect()
}
