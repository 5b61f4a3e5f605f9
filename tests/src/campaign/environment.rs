//! One process of the function: the real `bootstrap` behind its own proxy.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result};

use super::context::Context;
use super::proxy::Proxy;
use super::shared::Shared;
use crate::package::{Package, environment};
use crate::runtime_api::Function;

/// One process of the function. It is killed when this is dropped.
pub(super) struct Environment {
    pub(super) context: Arc<Context>,
    pub(super) function: Arc<Function>,
    _proxy: Proxy,
}

impl Environment {
    /// Starts a process. Returns before it is ready.
    pub(super) async fn start(
        shared: &Arc<Shared>,
        package: &Package,
        bucket: &str,
        temporary: &Path,
        number: usize,
    ) -> Result<Self> {
        let context = Arc::new(Context::new(number));
        let proxy = Proxy::start(shared.clone(), context.clone())?;
        let endpoint = proxy.endpoint();
        let mut variables = environment(&package.folder, &endpoint, bucket);
        let own = [
            ("AWS_ENDPOINT_URL_SQS", endpoint.clone()),
            ("CALLBACK_URL", format!("{endpoint}/internal/media-processing/callback")),
            ("MEDIACONVERT_ROLE", "arn:aws:iam::000000000000:role/campaign".to_owned()),
            // A try of a state that finds an unanswered request waits this long before it makes the request again.
            ("MEDIACONVERT_UNDECIDED_SECONDS", "3".to_owned()),
            ("TMPDIR", temporary.display().to_string()),
        ];
        variables.extend(own.map(|(name, value)| (name.to_owned(), value)));
        let function = Function::start(Command::new(package.folder.join("bootstrap")), variables).await;
        let function = Arc::new(function.context("starting the function")?);
        context.set_function(function.clone());
        Ok(Self { context, function, _proxy: proxy })
    }

    /// Returns whether it can serve another invocation.
    pub(super) fn lives(&self) -> bool {
        !self.context.is_killed() && self.function.exit_status().is_none()
    }
}
