//! The guide's functions that verify a callback, called with callbacks that the host's own code has signed and sent.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use anyhow::{Context, Result, ensure};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::{Map, Value, json};
use stagehost_aws::{Secret, SignedWebhook, WebhookOptions};
use stagehost_needs::{NODE, program};
use stagehost_runtime::capability::{CallScope, Provenance, Webhook as _};

use crate::pages::blocks_of;
use crate::reader::python;

const SECRETS: [&str; 2] = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "an old secret, as text"];

/// A callback as it arrived.
struct Arrived {
    headers: Map<String, Value>,
    body: Bytes,
}

/// Lets the host deliver a callback to a server on this machine.
fn delivered(secret: &str) -> Result<Arrived> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let (sender, arrived) = channel();
        let app = Router::new().route("/callback", post(keep)).with_state(sender);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}/callback", listener.local_addr()?);
        let server = tokio::spawn(async move { axum::serve(listener, app).await });

        let webhook = SignedWebhook::new(WebhookOptions {
            url: Some(url),
            secret: Some(Arc::new(Secret::new(secret)?)),
            ..WebhookOptions::default()
        })?;
        let batch = json!({"listingId": 51, "batchId": 5, "jobId": 4, "assets": []});
        let scope = CallScope {
            state: "FinalizeAndCallback".into(),
            execution: "arn:aws:states:us-east-1:000000000000:execution:machine:listing-51".into(),
            attempt: 0,
            task_token: None,
            batch: Arc::new(stagehost_batch::parse(&batch)?),
            provenance: Arc::new(Provenance {
                stage: "callback".into(),
                version: "1.0.0".into(),
                digest: "sha256:00".into(),
            }),
        };
        let reply = webhook.deliver(&scope, Bytes::from_static(br#"{"status": "SUCCEEDED"}"#)).await;
        server.abort();
        let reply = reply.map_err(|failure| anyhow::anyhow!("{failure:?}"))?;
        ensure!(reply.status == 200, "the server answered {}", reply.status);
        arrived.try_recv().context("nothing arrived")
    })
}

async fn keep(State(sender): State<Sender<Arrived>>, headers: HeaderMap, body: Bytes) {
    let headers = headers.iter().map(|(name, value)| {
        (name.as_str().to_owned(), Value::String(String::from_utf8_lossy(value.as_bytes()).into_owned()))
    });
    let _ = sender.send(Arrived { headers: headers.collect(), body });
}

/// What a language's `verify` returns for these callbacks.
fn verdicts(command: &mut Command, folder: &Path, secret: &str, callbacks: &[Arrived]) -> Result<Vec<bool>> {
    let callbacks: Vec<_> = callbacks
        .iter()
        .map(|arrived| json!({"headers": arrived.headers, "body": String::from_utf8_lossy(&arrived.body)}))
        .collect();
    let input = folder.join("callbacks.json");
    fs::write(&input, json!({"secret": secret, "callbacks": callbacks}).to_string())?;
    let output = command.current_dir(folder).stdin(fs::File::open(input)?).stderr(Stdio::piped()).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

const IN_PYTHON: &str = "import json, sys; from verify_callback import verify; given = json.load(sys.stdin)\n\
    print(json.dumps([verify(given['secret'], c['headers'], c['body'].encode()) for c in given['callbacks']]))";

const IN_NODE: &str = "import { verify } from './verify-callback.mjs'; import { readFileSync } from 'node:fs';\n\
    const given = JSON.parse(readFileSync(0));\n\
    console.log(JSON.stringify(given.callbacks.map(c => verify(given.secret, c.headers, Buffer.from(c.body)))));";

/// A genuine callback, one with another body, one with an older time.
fn callbacks(secret: &str) -> Result<[Arrived; 3]> {
    let (genuine, mut forged, mut replayed) = (delivered(secret)?, delivered(secret)?, delivered(secret)?);
    forged.body = Bytes::from_static(br#"{"status": "FAILED"}"#);
    replayed.headers.insert("webhook-timestamp".into(), json!("1614265330"));
    Ok([genuine, forged, replayed])
}

fn guide_in(folder: &Path) -> Result<()> {
    for block in blocks_of("docs/run-pipelines.md")? {
        if let Some(name) = block.file().filter(|name| name.starts_with("verify")) {
            fs::write(folder.join(name), &block.text)?;
        }
    }
    Ok(())
}

#[test]
fn the_python_of_the_guide_accepts_genuine_callbacks_only() -> Result<()> {
    let folder = tempfile::tempdir()?;
    guide_in(folder.path())?;
    for secret in SECRETS {
        let mut python = Command::new(python()?);
        let verdicts = verdicts(python.args(["-B", "-c", IN_PYTHON]), folder.path(), secret, &callbacks(secret)?)?;
        assert_eq!(verdicts, [true, false, false], "{secret}");
    }
    Ok(())
}

#[test]
fn the_javascript_of_the_guide_accepts_genuine_callbacks_only() -> Result<()> {
    if !program(&NODE) {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    guide_in(folder.path())?;
    for secret in SECRETS {
        let mut node = Command::new("node");
        node.args(["--input-type=module", "-e", IN_NODE]);
        let verdicts = verdicts(&mut node, folder.path(), secret, &callbacks(secret)?)?;
        assert_eq!(verdicts, [true, false, false], "{secret}");
    }
    Ok(())
}

#[test]
fn every_header_of_the_guide_is_one_that_is_sent() -> Result<()> {
    let arrived = delivered(SECRETS[0])?;
    let guide = fs::read_to_string(stagehost_tests::file("docs/run-pipelines.md"))?;
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature", "X-Toq-Signature"] {
        assert!(guide.contains(&format!("| `{name}` |")), "the guide does not have {name}");
        assert!(arrived.headers.contains_key(&name.to_lowercase()), "{name} is not sent: {:?}", arrived.headers);
    }
    Ok(())
}
