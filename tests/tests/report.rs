//! What `run` reports of batches of any size, compared with what the backend received. Large batches go through the bucket,
//! because Step Functions takes 256 KiB; an earlier report could not read those, and said that nothing was made or told.
//!
//! With `STAGEHOST_REQUIRE=large` (or `all`, as in CI) the largest batch has 2,000 files.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use stagehost_local::receiver::WebhookSecret;
use stagehost_needs::LARGE;
use stagehost_tests::binary;
use stagehost_tests::measured::measured;

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// What the host may have resident, in MiB, with few files and with many.
const MOST_MIB: u64 = 400;

/// The bodies of callbacks that a backend has accepted, in order.
type Accepted = Arc<Mutex<Vec<Value>>>;

/// A backend that accepts callbacks with a valid signature. Returns its URL and what it has accepted.
fn backend(runtime: &tokio::runtime::Runtime) -> Result<(String, Accepted)> {
    async fn callback(State(accepted): State<Accepted>, headers: HeaderMap, body: Bytes) -> StatusCode {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let secret = WebhookSecret::new(SECRET).unwrap();
        let timestamp = text("webhook-timestamp").parse().unwrap_or_default();
        if text("webhook-signature") != secret.sign_message(text("webhook-id"), timestamp, &body) {
            return StatusCode::UNAUTHORIZED;
        }
        accepted.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
        StatusCode::OK
    }
    let accepted = Accepted::default();
    let app = Router::new().route("/callback", post(callback)).layer(DefaultBodyLimit::disable());
    let app = app.with_state(accepted.clone());
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let url = format!("http://{}/callback", listener.local_addr()?);
    runtime.spawn(async move { axum::serve(listener, app).await });
    Ok((url, accepted))
}

/// Small photos, each of its own colour.
fn photos(folder: &Path, count: usize) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    for number in 0..count {
        let colour = [(number % 251) as u8, (number / 251 * 13 % 251) as u8, 90];
        image::RgbImage::from_pixel(96, 64, image::Rgb(colour)).save(folder.join(format!("photo-{number:04}.jpg")))?;
    }
    Ok(())
}

fn run(input: &Path, out: &Path, config: &Path, url: &str) -> Command {
    let mut command = Command::new(binary());
    command.arg("run").arg(input).arg("--out").arg(out).arg("--config").arg(config).arg("--quiet");
    command.args(["--callback-url", url, "--webhook-secret", SECRET]);
    command
}

fn reports_what_the_backend_received(count: usize) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let (url, accepted) = backend(&runtime)?;
    let place = tempfile::tempdir()?;
    let (input, out, config) = (place.path().join("in"), place.path().join("out"), place.path().join("config.json"));
    photos(&input, count)?;
    std::fs::write(&config, json!({"batch": {"maxFiles": 5000}}).to_string())?;

    let first = measured(run(&input, &out, &config, &url).arg("--json"))?;
    let result = &first.ran.json;
    assert_eq!((first.ran.code, &result["status"]), (0, &json!("SUCCEEDED")), "{}", first.ran.stderr);
    assert_eq!(result["delivered"], json!(true));
    first.assert_at_most(MOST_MIB);
    let told = accepted.lock().unwrap().clone();
    assert_eq!(told.len(), 1, "one callback");
    assert_eq!(told[0]["outputs"].as_array().map(Vec::len), Some(count));
    for (field, value) in told[0].as_object().unwrap() {
        assert_eq!(&result[field], value, "{field} is what the backend was told");
    }

    // The second run makes nothing, and says so in its table.
    let second = run(&input, &out, &config, &url).output()?;
    let text = String::from_utf8_lossy(&second.stdout);
    assert_eq!(second.status.code(), Some(0), "{text}\n{}", String::from_utf8_lossy(&second.stderr));
    let sums = format!("{count} files, 0 failed; renditions: 0 made, {} up to date", 3 * count);
    assert!(text.contains(&sums), "{sums} is not in\n{}", text.lines().rev().take(12).collect::<Vec<_>>().join("\n"));
    assert!(text.contains("SUCCEEDED (the backend was told)"));
    assert_eq!(text.matches(".jpg").count(), count, "a line for every file");
    assert_eq!(accepted.lock().unwrap().len(), 2);
    Ok(())
}

#[test]
fn a_batch_of_one_file_is_reported_as_the_backend_received_it() -> Result<()> {
    reports_what_the_backend_received(1)
}

#[test]
fn a_batch_of_sixty_files_is_reported_as_the_backend_received_it() -> Result<()> {
    reports_what_the_backend_received(60)
}

#[test]
fn a_batch_that_goes_through_the_bucket_is_reported_as_the_backend_received_it() -> Result<()> {
    reports_what_the_backend_received(if LARGE.is_required() { 2_000 } else { 300 })
}

#[test]
fn a_backend_that_refuses_the_callback_was_not_told() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let (url, accepted) = backend(&runtime)?;
    let place = tempfile::tempdir()?;
    let (input, out, config) = (place.path().join("in"), place.path().join("out"), place.path().join("config.json"));
    photos(&input, 1)?;
    std::fs::write(&config, "{}")?;
    let mut command = Command::new(binary());
    command.arg("run").arg(&input).arg("--out").arg(&out).args(["--quiet", "--json", "--callback-url", &url]);
    // Not the backend's secret.
    let ran = measured(command.args(["--webhook-secret", "whsec_c29tZXRoaW5nIGVsc2U="]))?.ran;
    assert_eq!((ran.code, &ran.json["delivered"]), (1, &json!(false)), "{:#}", ran.json);
    assert!(accepted.lock().unwrap().is_empty());
    Ok(())
}
