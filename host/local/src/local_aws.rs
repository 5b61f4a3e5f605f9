//! Starting and stopping all services.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use axum::Router;
use stagehost_mediaconvert::{JobEvent, MediaConvert};
use stagehost_s3::S3Service;
use stagehost_states::{States, StatesOptions};
use tokio::sync::broadcast;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::endpoint::{endpoint, s3_client};
use crate::error::StartError;
use crate::lambda::function::Function;
use crate::lambda::functions::Functions;
use crate::lambda::routes as lambda;
use crate::mediaconvert::event_bus::EventBus;
use crate::mediaconvert::s3_files::S3Files;
use crate::options::LocalOptions;
use crate::receiver::{self, Receiver, ReceiverOptions, WebhookSecret};
use crate::s3;
use crate::s3_items::S3Items;
use crate::server::{self, Server, Services};
use crate::task_resources::LocalResources;

/// S3, Step Functions, Lambda's Invoke, MediaConvert and the receiver of callbacks, on one port.
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
    pages: Arc<OnceLock<Router>>,
    tasks: TaskTracker,
    stop: CancellationToken,
    server: Server,
}

impl LocalAws {
    /// Starts all services. Invocations fail with `ResourceNotFoundException` until
    /// [`set_function`](Self::set_function) has been called.
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

        // Both block on the disk.
        let opened = options.clone();
        let (s3, receiver) = blocking(move || {
            let s3 = s3::open(&opened)?;
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

        let foreign = callable(&options)?;
        let functions = Functions::new(options.functions.clone(), foreign, &options.region, &options.account);
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
            items: Arc::new(S3Items(s3_client(&options.region, &endpoint(address)))),
        };
        let mut states = StatesOptions::new(&options.region, &options.account, Arc::new(resources));
        states.substitutions = substitutions(&options, address, &functions.arn(&function));
        let states = States::new(states);

        let pages = Arc::new(OnceLock::new());
        let server = Server::start(
            listener,
            Services {
                s3: s3::router(s3.clone()),
                states: states.router(),
                lambda: lambda::router(functions.clone()),
                mediaconvert: stagehost_mediaconvert::router(mediaconvert.clone()),
                receiver: receiver::router(receiver.clone()),
                pages: pages.clone(),
                remote: options.allow_remote,
            },
        );
        tracing::info!(%address, root = %options.root.display(), "the local services are running");
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
            pages,
            tasks,
            stop,
            server,
        })
    }

    /// Returns the endpoint of all services: `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        endpoint(self.address)
    }

    /// Returns the bound address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the options with which the services were started.
    pub fn options(&self) -> &LocalOptions {
        &self.options
    }

    /// Returns the receiver's URL for `CALLBACK_URL`.
    pub fn callback_url(&self) -> String {
        format!("{}/internal/media-processing/callback", self.endpoint())
    }

    /// Returns the secret with which callbacks must be signed.
    pub fn webhook_secret(&self) -> &str {
        &self.webhook_secret
    }

    /// Returns the function's ARN, for the definition of a state machine.
    pub fn function_arn(&self) -> String {
        self.functions.arn(&self.function)
    }

    /// Sets the function that answers invocations and receives MediaConvert's events.
    pub fn set_function(&self, function: Arc<dyn Function>) {
        self.functions.set(function);
    }

    /// Sets the pages below `/console`, to which `/` leads a browser. Only the first call counts.
    pub fn set_pages(&self, pages: Router) {
        let _ = self.pages.set(pages);
    }

    /// Returns Step Functions, for code in the same process.
    pub fn states(&self) -> &States {
        &self.states
    }

    /// Returns MediaConvert, for code in the same process.
    pub fn mediaconvert(&self) -> &MediaConvert {
        &self.mediaconvert
    }

    /// Returns the receiver of callbacks.
    pub fn receiver(&self) -> &Receiver {
        &self.receiver
    }

    /// Returns a receiver of MediaConvert's later events. A slow receiver loses the oldest events.
    pub fn job_events(&self) -> broadcast::Receiver<JobEvent> {
        self.events.subscribe()
    }

    /// Stops executions, transcoding and invocations, then the server. No partial objects remain: an object is
    /// published whole or not at all.
    pub async fn shutdown(mut self) {
        // First the services that could start new work.
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

/// Returns the values of the template's placeholders. The options override them.
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

/// Returns what calls the functions that are not the host's.
fn callable(options: &LocalOptions) -> Result<BTreeMap<String, Arc<dyn Function>>, StartError> {
    let callable = options.foreign_functions.iter().map(|(name, target)| match target.callable(name) {
        _ if options.functions.contains(name) => Err(StartError::ForeignFunction {
            name: name.clone(),
            reason: "the host's own function has this name".to_owned(),
        }),
        Ok(function) => Ok((name.clone(), function)),
        Err(reason) => Err(StartError::ForeignFunction { name: name.clone(), reason }),
    });
    callable.collect()
}
