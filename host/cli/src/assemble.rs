//! The whole system in one process: the local AWS, and the host pointed at it by the SDK.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use bytes::Bytes;
use serde_json::Value;
use stagehost_aws::{AwsOptions, Clients, Endpoints, MediaConvertOptions, Secret, WebhookOptions};
use stagehost_dispatch::{Dispatcher, DispatcherParts, NoQueue, StateMachineExecutions};
use stagehost_local::{CREDENTIALS, Function, FunctionError, LocalAws, LocalOptions};
use stagehost_pins::{FilePins, PinsEvent, PinsWatcher};
use stagehost_record::{CallRecorder, RecordLimits, store_blob};
use stagehost_runtime::{Fanout, Observer, StageEngine};
use stagehost_storage::{Folder, Storage};

use crate::exit::usage;
use crate::home::Home;
use crate::pinning::{LocalConfig, StageOverride, pin};
use crate::store::{ComponentStore, Components};

/// As the deployed one is called, with `local` for the environment.
pub const STATE_MACHINE: &str = "listing-media-processing-sm-local";

/// Guest memory of all calls together. A Lambda of 2 GiB has about this much left for them.
const GUEST_MEMORY_MIB: u32 = 1536;

/// What a run and a server have in common on the command line.
#[derive(clap::Args, Debug)]
pub struct PipelineArgs {
    /// The bucket as a plain folder; results stay there, and a later run finds what is up to date
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub out: PathBuf,

    /// A state machine in the Amazon States Language, instead of the shipped one
    #[arg(long, value_name = "FILE")]
    pub state_machine: Option<PathBuf>,

    /// Settings per state: {"states": {"GenerateThumbnails": {"config": {…}, "limits": {…}, "grants": {…}}}}
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Run this component for a state; may be given several times
    #[arg(long = "stage", value_name = "STATE=FILE")]
    pub stages_named: Vec<StageOverride>,

    /// A folder of built components, instead of building the checkout's
    #[arg(long, value_name = "DIR")]
    pub stages: Option<PathBuf>,

    /// Record every call of a stage into this folder, for `stagehost replay`
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,

    /// Install what is missing first: the compile target for stages, ffmpeg
    #[arg(long)]
    pub setup: bool,
}

/// Everything, running.
pub struct Pipeline {
    /// The services.
    pub aws: LocalAws,
    /// The SDK's clients of the host.
    pub clients: Clients,
    /// ARN of the state machine.
    pub state_machine: String,
    /// The bucket's folder.
    pub bucket: PathBuf,
}

impl Pipeline {
    /// Builds stages, pins them, starts the services and the host.
    ///
    /// # Errors
    /// Wrong usage, or whatever keeps a part from starting; the text names it.
    pub async fn start(
        args: &PipelineArgs,
        bind: SocketAddr,
        remote: bool,
        observer: Arc<dyn Observer>,
    ) -> Result<Self> {
        if args.setup {
            tokio::task::block_in_place(crate::setup::install_missing)?;
        }
        let stages = match &args.stages {
            Some(folder) => folder.clone(),
            None => tokio::task::block_in_place(|| Home::find()?.built_stages(false))?,
        };
        let definition_file = match &args.state_machine {
            Some(file) => file.clone(),
            None => Home::find()?.state_machine(),
        };
        let definition = std::fs::read_to_string(&definition_file)
            .map_err(|e| usage!("cannot read the state machine {}: {e}", definition_file.display()))?;

        let config = args.config.as_deref().map(LocalConfig::read).transpose()?.unwrap_or_default();
        let engine = StageEngine::new()?;
        let mut components = Components::default();
        let states =
            host_states(&definition).map_err(|e| usage!("the state machine {}: {e}", definition_file.display()))?;
        let pins = pin(&states, &stages, &args.stages_named, config, &mut components)?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut fanout = Fanout::new(cores, GUEST_MEMORY_MIB);
        if let Some(folder) = &args.record {
            fanout = fanout.intercepted(Arc::new(recorder(folder, &components).await?));
        }
        let store = ComponentStore::new(engine, components)?;

        let mut options = LocalOptions::new(&args.out);
        options.bind = bind;
        options.allow_remote = remote;
        let aws = LocalAws::start(options).await?;
        let pins_file = args.out.join(".stagehost/pins.json");
        std::fs::write(&pins_file, serde_json::to_vec_pretty(&pins)?)
            .with_context(|| format!("cannot write {}", pins_file.display()))?;

        let machine = aws
            .states()
            .create_state_machine(stagehost_states::NewMachine {
                name: STATE_MACHINE.into(),
                definition,
                role_arn: format!("arn:aws:iam::{}:role/local", aws.options().account),
                ..Default::default()
            })
            .map_err(|e| usage!("the state machine {}: {e}", definition_file.display()))?;

        let clients = clients(&aws)?;
        let watcher: PinsWatcher = Arc::new(|event: PinsEvent<'_>| event.log());
        let dispatcher = Dispatcher::new(DispatcherParts {
            pins: Arc::new(FilePins::new(pins_file, watcher.clone())),
            stages: Arc::new(store),
            capabilities: clients.capabilities()?,
            fanout,
            documents: clients.documents(),
            tickets: Arc::new(clients.tickets()),
            executions: Arc::new(StateMachineExecutions::new(clients.states.clone(), &machine.arn)),
            visibility: Arc::new(NoQueue),
            observer,
            watcher,
            sampler: None,
        });
        aws.set_function(Arc::new(Host(dispatcher)));
        let bucket = args.out.join(&aws.options().bucket);
        Ok(Self { aws, clients, state_machine: machine.arn, bucket })
    }
}

/// Records into a folder. The components go there too, so that the records are complete by themselves.
async fn recorder(folder: &Path, components: &Components) -> Result<CallRecorder> {
    let sink: Arc<dyn Storage> = Arc::new(Folder::new(folder));
    for component in components.all() {
        store_blob(sink.as_ref(), Bytes::copy_from_slice(component)).await?;
    }
    // A disk has room.
    Ok(CallRecorder::storing(sink, RecordLimits { bytes: 4 << 30, ..RecordLimits::default() }))
}

/// The dispatcher, as the local Lambda calls it.
struct Host(Dispatcher);

#[async_trait]
impl Function for Host {
    async fn invoke(&self, payload: Bytes) -> Result<Bytes, FunctionError> {
        let answer = self.0.handle(&payload, None).await;
        answer
            .map(|value| Bytes::from(value.to_string()))
            .map_err(|error| FunctionError::new(error.error_type, error.error_message))
    }
}

fn clients(aws: &LocalAws) -> Result<Clients> {
    let (key, secret) = CREDENTIALS;
    let config = aws_config::SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(aws.options().region.clone()))
        .credentials_provider(aws_credential_types::provider::SharedCredentialsProvider::new(Credentials::new(
            key, secret, None, None, "local",
        )))
        .build();
    let endpoint = Some(aws.endpoint());
    let options = AwsOptions {
        bucket: aws.options().bucket.clone(),
        endpoints: Endpoints {
            s3: endpoint.clone(),
            mediaconvert: endpoint.clone(),
            states: endpoint,
            ..Endpoints::default()
        },
        mediaconvert: MediaConvertOptions {
            role: Some(format!("arn:aws:iam::{}:role/mediaconvert-local", aws.options().account)),
            status_interval: Duration::from_secs(10),
            ..MediaConvertOptions::default()
        },
        webhook: WebhookOptions {
            url: Some(aws.callback_url()),
            secret: Some(Arc::new(Secret::new(aws.webhook_secret())?)),
            ..WebhookOptions::default()
        },
        ..AwsOptions::default()
    };
    Ok(Clients::new(&config, options))
}

/// The states that call the host, in whatever depth of Parallel and Map.
pub fn host_states(definition: &str) -> Result<Vec<String>> {
    let definition: Value = serde_json::from_str(definition).context("not JSON")?;
    let mut found = Vec::new();
    collect(&definition, &mut found);
    found.sort();
    found.dedup();
    Ok(found)
}

fn collect(machine: &Value, found: &mut Vec<String>) {
    let Some(states) = machine.get("States").and_then(Value::as_object) else { return };
    for (name, state) in states {
        let resource = state.get("Resource").and_then(Value::as_str).unwrap_or_default();
        // Only an envelope is dispatched by state name; a state may call other functions in other ways.
        let enveloped = state.pointer("/Parameters/Payload/state.$").or_else(|| state.pointer("/Parameters/state.$"));
        if (resource.contains(":lambda:") || resource.contains("HostFunctionArn")) && enveloped.is_some() {
            found.push(name.clone());
        }
        let inner = state.get("Branches").and_then(Value::as_array).into_iter().flatten();
        for machine in inner.chain(state.get("Iterator")).chain(state.get("ItemProcessor")) {
            collect(machine, found);
        }
    }
}

/// `YYYY-MM-DD`, UTC.
pub fn today() -> String {
    time::OffsetDateTime::now_utc().date().to_string()
}

/// Whether two files hold the same bytes.
pub fn same_bytes(a: &Path, b: &Path) -> std::io::Result<bool> {
    use std::io::Read;
    let (mut a, mut b) = (std::fs::File::open(a)?, std::fs::File::open(b)?);
    if a.metadata()?.len() != b.metadata()?.len() {
        return Ok(false);
    }
    let (mut left, mut right) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    loop {
        let read = a.read(&mut left)?;
        if read == 0 {
            return Ok(true);
        }
        b.read_exact(&mut right[..read])?;
        if left[..read] != right[..read] {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_state_that_calls_the_host_is_found_also_in_branches() {
        let home = Home::find().unwrap();
        let definition = std::fs::read_to_string(home.state_machine()).unwrap();
        let states = host_states(&definition).unwrap();
        for state in
            ["ValidateRawAssets", "GenerateThumbnails", "ProcessVideos", "CreateZipBundle", "FinalizeAndCallback"]
        {
            assert!(states.iter().any(|found| found == state), "{state} in {states:?}");
        }
    }
}
