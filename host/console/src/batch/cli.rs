//! What a page did or could do, as commands of the AWS CLI.

use crate::app::App;
use crate::html::format::quoted;

/// Returns `aws …` for the services that the console uses.
fn aws(app: &App, words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    let endpoint = app.options.endpoint.as_ref().map(|url| format!(" --endpoint-url {}", quoted(url)));
    format!("aws {} --region {}{}", words.join(" "), quoted(&app.options.region), endpoint.unwrap_or_default())
}

/// Returns the command that shows an execution's history.
pub(super) fn history(app: &App, arn: &str) -> String {
    aws(app, &["stepfunctions", "get-execution-history", "--execution-arn", arn])
}

/// Returns the command that starts an execution with this input.
pub(super) fn start(app: &App, input: &str) -> String {
    aws(
        app,
        &["stepfunctions", "start-execution", "--state-machine-arn", app.parts.executions.machine(), "--input", input],
    )
}

/// Returns the command that lets an execution go on from where it stopped.
pub(super) fn redrive(app: &App, arn: &str) -> String {
    aws(app, &["stepfunctions", "redrive-execution", "--execution-arn", arn])
}

/// Returns the command that stops an execution.
pub(super) fn stop(app: &App, arn: &str) -> String {
    aws(app, &["stepfunctions", "stop-execution", "--execution-arn", arn])
}

/// Returns the command that copies all files of a listing to this machine.
pub(super) fn copy(app: &App, listing: &str) -> String {
    let from = format!("s3://{}/{listing}/", app.parts.media.bucket());
    aws(app, &["s3", "cp", "--recursive", &from, &format!("listing-{listing}")])
}
