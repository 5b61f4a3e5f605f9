//! What all HTTP clients of the host have in common.

use std::error::Error;
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Url, redirect};

/// Begins a client that follows no redirect, uses no proxy from the environment and names the host as its user agent.
pub(crate) fn builder(connect_timeout: Duration) -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .no_proxy()
        .connect_timeout(connect_timeout)
        .user_agent(concat!("stagehost/", env!("CARGO_PKG_VERSION")))
}

/// Returns a URL as error messages show it: without user, password, query and fragment, any of which may be secret.
pub(crate) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

/// Returns the causes below an error, the nearest first. reqwest's own text names the URL, so messages are made of
/// these.
pub(crate) fn causes(error: &dyn Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}
