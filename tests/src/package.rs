//! The package that is deployed: the `bootstrap` binary, the precompiled stages and their pins.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};

use crate::binary;

/// The account's number in ARNs of tests.
pub const ACCOUNT: &str = "000000000000";

/// A package of `stagehost package`.
#[derive(Clone, Debug)]
pub struct Package {
    /// The folder that Lambda has at `LAMBDA_TASK_ROOT`.
    pub folder: PathBuf,
    /// The ZIP that is uploaded.
    pub zip: PathBuf,
}

/// Returns the package for tests, which is made once per test process. Its bootstrap is the one that cargo built together
/// with the tests, so that the AWS SDK is not compiled a second time.
///
/// `STAGEHOST_TEST_PACKAGE` names the folder of another package to test, with its ZIP beside it: the released one, or one for
/// another processor whose `bootstrap` is a script around an emulator.
///
/// # Errors
/// If it cannot be made; the error has the command's output.
pub fn package() -> Result<&'static Package> {
    static MADE: OnceLock<Result<Package, String>> = OnceLock::new();
    MADE.get_or_init(|| given_or_made("lambda-package")).as_ref().map_err(|e| anyhow::Error::msg(e.clone()))
}

/// Returns the same as [`package`] from a folder of its own, for the test process that `tests/run` starts beside the others.
///
/// # Errors
/// If it cannot be made; the error has the command's output.
pub fn package_apart() -> Result<&'static Package> {
    static MADE: OnceLock<Result<Package, String>> = OnceLock::new();
    MADE.get_or_init(|| given_or_made("lambda-package-apart")).as_ref().map_err(|e| anyhow::Error::msg(e.clone()))
}

fn given_or_made(name: &str) -> Result<Package, String> {
    match std::env::var_os("STAGEHOST_TEST_PACKAGE") {
        Some(folder) => Ok(Package { zip: Path::new(&folder).with_extension("zip"), folder: folder.into() }),
        None => package_with(name, &[]).map_err(|e| format!("{e:#}")),
    }
}

/// Makes a package with further arguments, under a name of its own.
///
/// # Errors
/// If it cannot be made; the error has the command's output.
pub fn package_with(name: &str, arguments: &[&str]) -> Result<Package> {
    let bootstrap = beside("bootstrap")?;
    ensure!(bootstrap.is_file(), "there is no {}; run the tests with tests/run", bootstrap.display());
    let bootstrap = bootstrap.display().to_string();
    make(name, &[&["--bootstrap", bootstrap.as_str()], arguments].concat())
}

/// Returns the package as it is released, for benchmarks. It is made once per process.
///
/// # Errors
/// If it cannot be made; the error has the command's output.
pub fn released_package() -> Result<&'static Package> {
    static MADE: OnceLock<Result<Package, String>> = OnceLock::new();
    let made = MADE.get_or_init(|| make("released-package", &[]).map_err(|e| format!("{e:#}")));
    made.as_ref().map_err(|e| anyhow::Error::msg(e.clone()))
}

/// Makes the released package with further arguments, under a name of its own.
///
/// # Errors
/// If it cannot be made; the error has the command's output.
pub fn released_package_with(name: &str, arguments: &[&str]) -> Result<Package> {
    make(name, arguments)
}

fn make(name: &str, arguments: &[&str]) -> Result<Package> {
    let made = Package { folder: beside(name)?, zip: beside(&format!("{name}.zip"))? };
    let mut command = Command::new(binary());
    command.args(["package", "--json", "--out"]).arg(&made.folder).arg("--zip").arg(&made.zip).args(arguments);
    let output = command.output().context("starting stagehost")?;
    ensure!(output.status.success(), "stagehost package: {}", String::from_utf8_lossy(&output.stderr));
    Ok(made)
}

/// Returns a path in cargo's target folder.
fn beside(name: &str) -> Result<PathBuf> {
    Ok(binary().parent().context("no target folder")?.join(name))
}

/// Returns the variables that Lambda and the template set at least, with S3 and Step Functions at `endpoint`.
pub fn environment(package: &Path, endpoint: &str, bucket: &str) -> Vec<(String, String)> {
    let root = package.display().to_string();
    let machine = format!("arn:aws:states:us-east-1:{ACCOUNT}:stateMachine:listing-media-processing-sm-test");
    let all = [
        ("LAMBDA_TASK_ROOT", root.as_str()),
        ("_HANDLER", "bootstrap"),
        ("AWS_LAMBDA_FUNCTION_NAME", "listing-media-processing-host-test"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "3008"),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "local"),
        ("AWS_SECRET_ACCESS_KEY", "local"),
        ("AWS_ENDPOINT_URL_S3", endpoint),
        ("AWS_ENDPOINT_URL_SFN", endpoint),
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", endpoint),
        ("AWS_ENDPOINT_URL_MEDIACONVERT", endpoint),
        ("MEDIA_BUCKET", bucket),
        ("CALLBACK_URL", "https://backend.invalid/callback"),
        ("CALLBACK_SECRET_ARN", "arn:aws:secretsmanager:us-east-1:000000000000:secret:callback"),
        ("STATE_MACHINE_ARN", machine.as_str()),
        ("ENV", "test"),
        ("LOG_LEVEL", "info"),
        ("TZ", ":UTC"),
    ];
    all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Returns the payload that a state of an execution sends to the function.
pub fn state(name: &str, batch: serde_json::Value) -> serde_json::Value {
    serde_json::json!({
        "state": name,
        "execution": {
            "arn": format!("arn:aws:states:us-east-1:{ACCOUNT}:execution:listing-media-processing-sm-test:batch-1"),
            "name": "batch-1",
            "startedAt": "2026-01-02T03:04:05.678Z",
        },
        "retry": 0,
        "batch": batch,
    })
}
