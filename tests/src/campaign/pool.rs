//! The function as Lambda runs it: processes that serve one invocation at a time, started when all others are at work.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{Semaphore, oneshot};

use super::environment::Environment;
use super::shared::Shared;
use super::work::Work;
use crate::package::Package;
use crate::runtime_api::{Deadline, FunctionError};

/// How many processes there are at most. Invocations that the engine has given up keep theirs.
const PROCESSES: usize = 4;

/// The processes of one function. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    package: &'static Package,
    bucket: String,
    temporary: PathBuf,
    idle: Mutex<Vec<Environment>>,
    room: Arc<Semaphore>,
    started: AtomicUsize,
}

impl Pool {
    pub(super) fn new(shared: Arc<Shared>, package: &'static Package, bucket: String, temporary: PathBuf) -> Self {
        Self(Arc::new(Inner {
            shared,
            package,
            bucket,
            temporary,
            idle: Mutex::default(),
            room: Arc::new(Semaphore::new(PROCESSES)),
            started: AtomicUsize::new(0),
        }))
    }

    /// Waits until no invocation is in progress, including those that the engine has given up.
    pub(super) async fn rest(&self) {
        let _all = self.0.room.acquire_many(PROCESSES as u32).await;
    }

    /// Returns how many processes have been started.
    pub(super) fn started(&self) -> usize {
        self.0.started.load(Ordering::SeqCst)
    }

    /// Ends all idle processes.
    pub(super) fn end(&self) {
        self.0.idle().clear();
    }

    async fn environment(&self) -> Result<Environment, FunctionError> {
        let inner = &self.0;
        loop {
            let Some(idle) = inner.idle().pop() else { break };
            if idle.lives() {
                return Ok(idle);
            }
        }
        let number = inner.started.fetch_add(1, Ordering::SeqCst) + 1;
        let started = Environment::start(&inner.shared, inner.package, &inner.bucket, &inner.temporary, number).await;
        started.map_err(|error| FunctionError::new("Emulator.NoProcess", format!("{error:#}")))
    }
}

impl Inner {
    fn idle(&self) -> MutexGuard<'_, Vec<Environment>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl stagehost_local::Function for Pool {
    async fn invoke(&self, payload: Bytes) -> Result<Bytes, FunctionError> {
        let stopped = || FunctionError::new("Emulator.Stopped", "the pool was stopped");
        let room = self.0.room.clone().acquire_owned().await.map_err(|_| stopped())?;
        let environment = self.environment().await?;
        let work = Work::of(&payload);
        environment.context.set_work(Some(work.clone()));
        let gives_up = self.0.shared.plan.invocation(&work);
        let (sender, answer) = oneshot::channel();
        let inner = self.0.clone();
        // A task of its own, because it goes on when the engine no longer waits.
        tokio::spawn(async move {
            let answer = environment.function.invoke_bytes(payload, Deadline::USUAL).await;
            if let Err(error) = &answer {
                let text: String = error.to_string().chars().take(300).collect();
                inner.shared.log.note(
                    environment.context.number,
                    environment.context.work(),
                    format!("failed: {text}"),
                );
            }
            environment.context.set_work(None);
            if environment.lives() {
                inner.idle().push(environment);
            }
            drop(room);
            // Whoever invoked may have given up.
            let _ = sender.send(answer);
        });
        match gives_up {
            None => answer.await.unwrap_or_else(|_| Err(stopped())),
            Some(time) => {
                // An answer within this time is lost as well.
                tokio::time::sleep(time).await;
                self.0.shared.log.note(0, Some(work), format!("the engine gives up after {time:?}"));
                Err(FunctionError::new("Lambda.Unknown", "the engine gave up waiting"))
            }
        }
    }
}
