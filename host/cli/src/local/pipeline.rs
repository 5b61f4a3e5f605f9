//! The whole system in one process: the local AWS, and the host that reaches it by the AWS SDK.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use async_trait::async_trait;
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use bytes::Bytes;
use stagehost_aws::{
    AwsOptions, Clients, Endpoints, MediaConvertOptions, Secret, SignedWebhook, StageSecretsSetting, WebhookOptions,
};
use stagehost_dispatch::{Dispatcher, DispatcherParts, JobAdmission, NoQueue, StageSource, StateMachineExecutions};
use stagehost_local::{CREDENTIALS, ForeignFunction, Function, FunctionError, LocalAws, LocalOptions};
use stagehost_pins::{FilePins, PinSource, Pins, PinsEvent, PinsWatcher};
use stagehost_runtime::{Fanout, Observer, StageEngine};

use crate::build::checkout::Checkout;
use crate::build::components::{ComponentStore, Components};
use crate::build::host_states::host_states_in;
use crate::build::install::install_missing;
use crate::build::release_pins::pin;
use crate::exit::{read_named_text, usage};
use crate::local::callbacks::{self, BothCallbacks};
use crate::local::following::{FollowArgs, Followed, LocalMachine};
use crate::local::leftovers;
use crate::local::recording::{ComponentBytes, RecordedStages, prepare, recorder};
use crate::local::swap::{self, SwapParts, Swapper, Swapping};
use crate::local::waiting::WaitingStates;
use crate::output::printer::Printer;
use crate::settings::file::ConfigFile;
use crate::settings::stage_override::StageOverride;

/// The deployed state machine's name, with `local` for the environment.
pub const STATE_MACHINE: &str = "listing-media-processing-sm-local";

/// Guest memory of all calls together: about what a Lambda of 2 GiB has left for them.
const GUEST_MEMORY_MIB: u32 = 1536;

/// Where results go if `--out` is not given.
pub const DEFAULT_OUT: &str = "out";

/// The options that `run`, `serve` and `stage dev --pipeline` share.
#[derive(clap::Args, Debug)]
pub struct PipelineArgs {
    /// The bucket as a plain folder; results stay there, and a later run makes only what is missing
    #[arg(long, value_name = "DIR", default_value = DEFAULT_OUT)]
    pub out: PathBuf,

    /// A state machine in the Amazon States Language, instead of the shipped one
    #[arg(long, value_name = "FILE")]
    pub state_machine: Option<PathBuf>,

    /// Settings per state: {"states": {"GenerateThumbnails": {"config": {…}, "limits": {…}, "grants": {…}}}}
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The component that runs for a state, replaced when the file changes; or NAME@VERSION of --registry; may be given
    /// several times
    #[arg(long = "stage", value_name = "STATE=FILE")]
    pub stages_named: Vec<StageOverride>,

    /// A folder of built components, instead of building the checkout's
    #[arg(long, value_name = "DIR")]
    pub stages: Option<PathBuf>,

    /// Record every call of a stage into this folder, for `stagehost replay`
    #[arg(long, value_name = "DIR")]
    pub record: Option<PathBuf>,

    /// Send callbacks to this URL, such as http://127.0.0.1:8000/callback; those that it accepts are also kept here
    #[arg(long, value_name = "URL")]
    pub callback_url: Option<String>,

    /// The secret that signs callbacks: whsec_ and base64, or any text; by default every start makes a random one
    #[arg(long, value_name = "SECRET")]
    pub webhook_secret: Option<String>,

    #[command(flatten)]
    pub follow: FollowArgs,

    /// First install what is missing: the compile target for stages, ffmpeg
    #[arg(long)]
    pub setup: bool,

    /// Whether the caller says when a component that `--stage` names is replaced, instead of its file.
    #[arg(skip)]
    pub swap_on_request: bool,
}

/// The running pipeline.
pub struct Pipeline {
    /// The local services.
    pub aws: LocalAws,
    /// The host's SDK clients.
    pub clients: Clients,
    /// The state machine's ARN.
    pub state_machine: String,
    /// The bucket's folder.
    pub bucket: PathBuf,
    /// Replaces the components that `--stage` names; `None` if signed pins are followed.
    pub swapper: Option<Arc<Swapper>>,
    /// Follows their files.
    _swapping: Option<Swapping>,
    /// The host, as the local Lambda calls it.
    pub host: Arc<dyn Function>,
    /// The file with the pins, unless those of a store are followed.
    pub pins: PathBuf,
    /// The folder in which the runs of canaries are counted, if pins are followed.
    pub canaries: PathBuf,
}

impl Pipeline {
    /// Builds stages, pins them, starts the services and the host.
    ///
    /// # Errors
    /// If the command line is wrong or a part does not start; the text names it.
    pub async fn start(
        args: &PipelineArgs,
        bind: SocketAddr,
        remote: bool,
        observer: Arc<dyn Observer>,
        printer: &Printer,
    ) -> Result<Self> {
        let own = args.out.join(".stagehost");
        let Prepared { definition_file, definition, functions, named, engine, pins, store } =
            Prepared::new(args, &own, printer).await?;

        let mut options = LocalOptions::new(&args.out);
        options.bind = bind;
        options.allow_remote = remote;
        options.foreign_functions = functions;
        options.webhook_secret = args.webhook_secret.clone();
        let aws = LocalAws::start(options).await?;
        let pins_file = own.join("pins.json");
        if let Some(pins) = &pins {
            std::fs::write(&pins_file, serde_json::to_vec_pretty(pins)?)
                .with_context(|| format!("cannot write {}", pins_file.display()))?;
        }

        let machine = aws
            .states()
            .create_state_machine(stagehost_states::NewMachine {
                name: STATE_MACHINE.into(),
                definition,
                role_arn: format!("arn:aws:iam::{}:role/local", aws.options().account),
                ..Default::default()
            })
            .map_err(|e| usage!("the state machine {}: {e}", definition_file.display()))?;

        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut fanout = Fanout::new(cores, GUEST_MEMORY_MIB);
        if let Some(folder) = &args.record {
            fanout = fanout.intercepted(Arc::new(recorder(folder)));
        }
        let clients = clients(&aws)?;
        let mut capabilities = clients.capabilities()?;
        if let Some(url) = &args.callback_url {
            capabilities.webhook = Arc::new(BothCallbacks {
                theirs: SignedWebhook::new(webhook(&aws, url.clone())?)?,
                ours: capabilities.webhook,
            });
        }
        let watcher: PinsWatcher = Arc::new(|event: PinsEvent<'_>| event.log());
        let bucket = args.out.join(&aws.options().bucket);
        let room = (cores, GUEST_MEMORY_MIB);
        let place = LocalMachine { engine, objects: capabilities.objects.clone(), bucket: &bucket, own: &own, room };
        let canaries_folder = own.join("canaries");
        let followed = args.follow.open(place, &canaries_folder, watcher.clone()).await?;
        let (source, mut stages, bytes, canaries, sampler): (Arc<dyn PinSource>, Arc<dyn StageSource>, _, _, _) =
            match followed {
                Some(Followed { pins, stages, registry, canaries, sampler }) => {
                    (pins, stages, ComponentBytes::Published(registry), Some(canaries), Some(sampler))
                }
                None => {
                    let pins = Arc::new(FilePins::new(pins_file.clone(), watcher.clone()));
                    (pins, store.clone(), ComponentBytes::Known(store.clone()), None, None)
                }
            };
        if let Some(folder) = &args.record {
            stages = Arc::new(RecordedStages::new(stages, bytes, folder));
        }
        let dispatcher = Dispatcher::new(DispatcherParts {
            pins: source,
            stages,
            capabilities,
            fanout,
            documents: clients.documents(),
            tickets: Arc::new(clients.tickets()),
            executions: Arc::new(StateMachineExecutions::new(clients.states.clone(), &machine.arn)),
            admission: JobAdmission::new(1000, 1),
            visibility: Arc::new(NoQueue),
            observer,
            watcher,
            canaries,
            // On one machine no call is refused.
            failed_tries: None,
            sampler,
        });
        leftovers::delete(&clients.s3, &aws.options().bucket).await?;
        let waiting = WaitingStates::new(bucket.clone(), aws.states().tokens().clone());
        let host: Arc<dyn Function> = Arc::new(Host { dispatcher, waiting });
        aws.set_function(host.clone());
        let swapper = pins.map(|pins| {
            let parts = SwapParts { store, pins, file: pins_file.clone(), named };
            Arc::new(Swapper::new(parts))
        });
        let by_file = swapper.clone().filter(|_| !args.swap_on_request);
        let swapping = by_file.map(|swapper| swap::follow(swapper, printer.clone()));
        Ok(Self {
            aws,
            clients,
            state_machine: machine.arn,
            bucket,
            swapper,
            _swapping: swapping,
            host,
            pins: pins_file,
            canaries: canaries_folder,
        })
    }
}

/// What is read, built and compiled before any service starts.
struct Prepared {
    definition_file: PathBuf,
    definition: String,
    /// Functions that are not the host, by the settings.
    functions: BTreeMap<String, ForeignFunction>,
    named: Vec<StageOverride>,
    engine: StageEngine,
    /// `None` if the pins of a store are followed.
    pins: Option<Pins>,
    store: Arc<ComponentStore>,
}

impl Prepared {
    /// Reads the state machine and the settings, and builds and pins the stages. The command line is checked before
    /// anything is installed or built.
    ///
    /// # Errors
    /// If the command line is wrong, or a stage cannot be built or compiled; the text names it.
    async fn new(args: &PipelineArgs, own: &Path, printer: &Printer) -> Result<Self> {
        let definition_file = match &args.state_machine {
            Some(file) => file.clone(),
            None => Checkout::find()?.state_machine(),
        };
        let definition = read_named_text("the state machine", &definition_file)?;
        let states = host_states_in(&definition_file, &definition)?;
        if let Some(url) = &args.callback_url {
            callbacks::check(url)?;
        }
        if let Some(secret) = &args.webhook_secret {
            Secret::new(secret.as_str()).map_err(|e| usage!("--webhook-secret: {e}"))?;
        }
        if let Some(folder) = &args.record {
            prepare(folder)?;
        }
        let named = args.follow.fetched(&args.stages_named, &own.join("fetched")).await?;
        let mut config = ConfigFile::read(args.config.as_deref(), &states, &named)?;
        let functions = std::mem::take(&mut config.settings.functions);
        if args.setup {
            tokio::task::block_in_place(|| install_missing(printer))?;
        }
        // Versions of a named component differ little from each other.
        let engine = if named.is_empty() { StageEngine::new()? } else { StageEngine::remembering()? };
        let mut components = Components::default();
        let pins = match &args.follow.pins {
            Some(_) => None,
            None => {
                let stages = match &args.stages {
                    Some(folder) => folder.clone(),
                    None => Checkout::find()?.built_stages(printer).await?,
                };
                Some(pin(&states, &stages, &named, config.settings, &mut components)?)
            }
        };
        let store = Arc::new(ComponentStore::new(engine.clone(), components, printer.clone())?);
        if let Some(pins) = &pins {
            // Compiled before the first execution, so that the time is not counted as that of a state.
            for pin in named.iter().filter_map(|named| pins.states.get(&named.state)) {
                store.stage(pin).await.map_err(|error| anyhow!("{}", error.error_message))?;
            }
        }
        Ok(Self { definition_file, definition, functions, named, engine, pins, store })
    }
}

/// The dispatcher, as the local Lambda calls it.
struct Host {
    dispatcher: Dispatcher,
    waiting: WaitingStates,
}

#[async_trait]
impl Function for Host {
    async fn invoke(&self, payload: Bytes) -> Result<Bytes, FunctionError> {
        let waits = self.waiting.invoked(&payload);
        let answer = self.dispatcher.handle(&payload, None).await;
        if let Some(ticket) = waits {
            self.waiting.handled(&ticket, answer.is_ok());
        }
        if self.waiting.job_ended(&payload) {
            // The event needs no retry: the state has failed.
            return Ok(Bytes::from_static(b"{}"));
        }
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
        webhook: webhook(aws, aws.callback_url())?,
        stage_secrets: StageSecretsSetting::from_lookup(|name| std::env::var(name).ok())?,
        ..AwsOptions::default()
    };
    Ok(Clients::new(&config, options))
}

/// Returns where a callback goes, signed with the secret of the local services.
fn webhook(aws: &LocalAws, url: String) -> Result<WebhookOptions> {
    let secret = Some(Arc::new(Secret::new(aws.webhook_secret())?) as Arc<_>);
    Ok(WebhookOptions { url: Some(url), secret, ..WebhookOptions::default() })
}
