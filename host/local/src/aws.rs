//! Putting the services together.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use stagehost_mediaconvert::{JobEvent, MediaConvert};
use stagehost_s3::S3Service;
use stagehost_states::{States, StatesOptions};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::function::Function;
use crate::lambda::{self, Functions};
use crate::options::LocalOptions;
use crate::receiver::{self, Receiver, ReceiverError, ReceiverOptions, SecretError, WebhookSecret};
use crate::resources::LocalResources;
use crate::server::{self, Server, Services};
use crate::store;
use crate::transcoding::{EventBus, S3Files};

/// The access key and secret that SDKs may use here. They protect nothing: loopback does.
pub const CREDENTIALS: (&str, &str) = ("local", "local");

/// Why the local services do not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address that other machines reach, without a word that this is wanted.
    #[error(
        "{0} can be reached from other machines, and nobody is asked for a password here; bind 127.0.0.1, or allow \
         remote access on purpose"
    )]
    NotLoopback(SocketAddr),
    /// The port is taken, or needs rights.
    #[error("port {} of {} cannot be had: {source}; stop what uses it, or choose another (0 takes any free one)", address.port(), address.ip())]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// The system's word.
        source: std::io::Error,
    },
    /// The store of objects.
    #[error(transparent)]
    Store(#[from] store::StoreError),
    /// The folder for what is not objects.
    #[error("the folder {} cannot be used: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// The system's word.
        source: std::io::Error,
    },
    /// The secret for callbacks.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The receiver's database.
    #[error(transparent)]
    Receiver(#[from] ReceiverError),
    /// There must be a name to invoke the function by.
    #[error("no name is given for the function; give at least one")]
    NoFunction,
}

/// S3, Step Functions, Lambda's Invoke, MediaConvert and the receiver of callbacks, on one port of this machine.
pub struct LocalAws {
    address: SocketAddr,
    options: LocalOptions,
    webhook_secret: String,
    functions: Functions,
    function: String,
    s3: S3Service,
    states: States,
    mediaconvert: MediaConvert,
    receiver: Receiver,
    events: Arc<EventBus>,
    tasks: TaskTracker,
    stop: CancellationToken,
    server: Server,
}

impl LocalAws {
    /// Starts everything. Invocations fail with `ResourceNotFoundException` until
    /// [`set_function`](Self::set_function).
    ///
    /// # Errors
    /// [`StartError`], which names the address, folder or setting.
    pub async fn start(options: LocalOptions) -> Result<Self, StartError> {
        if !options.bind.ip().is_loopback() && !options.allow_remote {
            return Err(StartError::NotLoopback(options.bind));
        }
        let function = options.functions.first().cloned().ok_or(StartError::NoFunction)?;
        let (secret, webhook_secret) = match &options.webhook_secret {
            Some(text) => (WebhookSecret::new(text)?, text.trim().to_owned()),
            None => WebhookSecret::random(),
        };
        let (listener, address) =
            server::bind(options.bind).await.map_err(|source| StartError::Bind { address: options.bind, source })?;

        // Both block on the disk, once.
        let opened = options.clone();
        let (s3, receiver) = blocking(move || {
            let s3 = store::open(&opened)?;
            let own = opened.root.join(".stagehost");
            std::fs::create_dir_all(&own).map_err(|source| StartError::Folder { path: own.clone(), source })?;
            let receiver = Receiver::open(ReceiverOptions {
                database: Some(own.join("receiver.sqlite")),
                secret,
                trace_header: opened.trace_header,
            })?;
            Ok::<_, StartError>((s3, receiver))
        })
        .await?;

        let functions = Functions::new(options.functions.clone(), &options.region, &options.account);
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        let events = EventBus::start(functions.clone(), function.clone(), &tasks, stop.clone());
        let files = S3Files(s3_client(&options.region, &endpoint(address)));
        let mediaconvert = MediaConvert::new(
            stagehost_mediaconvert::Options {
                region: options.region.clone(),
                account: options.account.clone(),
                ..options.mediaconvert.clone()
            },
            Arc::new(files),
            events.clone(),
        );
        let resources = LocalResources {
            functions: functions.clone(),
            receiver: receiver.clone(),
            mediaconvert: mediaconvert.clone(),
        };
        let mut states = StatesOptions::new(&options.region, &options.account, Arc::new(resources));
        states.substitutions = substitutions(&options, address, &functions.arn(&function));
        let states = States::new(states);

        let server = Server::start(
            listener,
            Services {
                s3: store::router(s3.clone()),
                states: states.router(),
                lambda: lambda::router(functions.clone()),
                mediaconvert: stagehost_mediaconvert::router(mediaconvert.clone()),
                receiver: receiver::router(receiver.clone()),
                remote: options.allow_remote,
            },
        );
        tracing::info!(%address, root = %options.root.display(), "the local services are up");
        Ok(Self {
            address,
            options,
            webhook_secret,
            functions,
            function,
            s3,
            states,
            mediaconvert,
            receiver,
            events,
            tasks,
            stop,
            server,
        })
    }

    /// `http://127.0.0.1:PORT`: the endpoint of every service.
    pub fn endpoint(&self) -> String {
        endpoint(self.address)
    }

    /// The address that is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was started with.
    pub fn options(&self) -> &LocalOptions {
        &self.options
    }

    /// `CALLBACK_URL` for the receiver.
    pub fn callback_url(&self) -> String {
        format!("{}/internal/media-processing/callback", self.endpoint())
    }

    /// The secret that callbacks must be signed with.
    pub fn webhook_secret(&self) -> &str {
        &self.webhook_secret
    }

    /// The ARN of the function, for a state machine's definition.
    pub fn function_arn(&self) -> String {
        self.functions.arn(&self.function)
    }

    /// Who answers invocations and hears MediaConvert's events from now on.
    pub fn set_function(&self, function: Arc<dyn Function>) {
        self.functions.set(function);
    }

    /// Step Functions, for code of this process.
    pub fn states(&self) -> &States {
        &self.states
    }

    /// MediaConvert, for code of this process.
    pub fn mediaconvert(&self) -> &MediaConvert {
        &self.mediaconvert
    }

    /// The receiver of callbacks.
    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// MediaConvert's events from now on, for whoever watches.
    pub fn transcoding(&self) -> broadcast::Receiver<JobEvent> {
        self.events.watch()
    }

    /// Stops executions, transcoding and invocations, then the port. Nothing half-written stays: an object is published
    /// whole or not at all.
    pub async fn shutdown(mut self) {
        // What would start new work goes first.
        let cause = "The local services were shut down".to_owned();
        for execution in self.states.executions(None) {
            execution.stop(Some("Stagehost.Shutdown".into()), Some(cause.clone()));
        }
        self.mediaconvert.shutdown().await;
        self.events.close().await;
        self.functions.shutdown().await;
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.server.stop().await;
        let s3 = self.s3.clone();
        if let Err(error) = blocking(move || s3.abort_all_uploads()).await {
            tracing::warn!(%error, "unfinished uploads could not be removed");
        }
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// What the placeholders of the deployed template stand for here, unless the options say otherwise.
fn substitutions(options: &LocalOptions, address: SocketAddr, function: &str) -> BTreeMap<String, String> {
    let dead_letters = format!("{}/{}/listing-media-processing-dlq-local", endpoint(address), options.account);
    let mut values = BTreeMap::from([
        ("HostFunctionArn".to_owned(), function.to_owned()),
        ("DeadLetterQueueUrl".to_owned(), dead_letters),
    ]);
    values.extend(options.substitutions.clone());
    values
}

/// Runs `work` on a thread that may block.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

fn endpoint(address: SocketAddr) -> String {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    // "Any address" is no address to go to.
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

fn s3_client(region: &str, endpoint: &str) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new(CREDENTIALS.0, CREDENTIALS.1, None, None, "local"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}
