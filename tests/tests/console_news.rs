//! What happens in a batch reaches a page that is open: the page is told by its stream, without being loaded again.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use stagehost_tests::{Serve, file};

const LISTING: &str = "91";
const NAME: &str = "listing-91_batch-5_job-4_retry-0";
const KEY: &str = "91/raw/photo/horizontal/2026-01-02/kitchen.jpg";

/// The longest silence of the stream. It ends a test that would wait for ever; it is no measure of the delay.
const SILENCE: Duration = Duration::from_secs(300);

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// The stream of a page.
struct News {
    answer: Response,
    text: String,
}

impl News {
    async fn of(client: &Client, url: &str) -> Result<Self> {
        let answer = client.get(url).send().await?.error_for_status()?;
        let kind = answer.headers().get("content-type").context("no content type")?;
        ensure!(kind == "text/event-stream", "{kind:?}");
        Ok(Self { answer, text: String::new() })
    }

    /// Waits for the next event. Returns its name and when it arrived, in seconds since 1970.
    async fn next(&mut self) -> Result<(String, f64)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let name = event.lines().find_map(|line| line.strip_prefix("event: ")).map(str::to_owned);
                self.text = rest.to_owned();
                // What has no name is a comment that keeps the connection open.
                if let Some(name) = name {
                    return Ok((name, now()));
                }
                continue;
            }
            let chunk = tokio::time::timeout(SILENCE, self.answer.chunk()).await.context("the stream is silent")??;
            self.text.push_str(std::str::from_utf8(&chunk.context("the stream has ended")?)?);
        }
    }
}

/// Returns the events of an execution, each with its time in seconds since 1970.
async fn history(client: &Client, endpoint: &str, arn: &str) -> Result<Vec<(String, f64)>> {
    let request = client.post(endpoint).header("x-amz-target", "AWSStepFunctions.GetExecutionHistory");
    let request = request.header("content-type", "application/x-amz-json-1.0");
    let body = json!({"executionArn": arn, "maxResults": 1000, "includeExecutionData": false}).to_string();
    let answer: Value = serde_json::from_slice(&request.body(body).send().await?.error_for_status()?.bytes().await?)?;
    let events = answer["events"].as_array().context("no events")?;
    let read = |event: &Value| Some((event["type"].as_str()?.to_owned(), event["timestamp"].as_f64()?));
    events
        .iter()
        .map(|event| read(event).with_context(|| format!("an event without a type or a time: {event}")))
        .collect()
}

#[tokio::test]
async fn every_event_of_a_batch_arrives_by_the_stream_of_its_page() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let serve = Serve::start(&folder.path().join("out"))?;
    let (client, endpoint) = (Client::new(), serve.endpoint());
    let bucket = serve.facts["bucket"].as_str().context("no bucket")?;
    let photo = std::fs::read(file("samples/listing/kitchen.jpg"))?;
    let put = client.put(format!("{endpoint}/{bucket}/{KEY}")).header("content-type", "image/jpeg").body(photo);
    put.send().await?.error_for_status()?;

    // The name of the execution follows from the job, so its page can be opened before there is one.
    let mut news = News::of(&client, &format!("{endpoint}/console/live/{NAME}")).await?;
    let mut list = News::of(&client, &format!("{endpoint}/console/live")).await?;
    let (first, _) = list.next().await?;
    ensure!(first == "ready", "{first}");
    let batch = json!({"jobId": 4, "batchId": 5, "assets": [KEY]}).to_string();
    let posted = client.post(format!("{endpoint}/api/v1/listings/{LISTING}/media/batch")).body(batch).send().await?;
    let posted: Value = serde_json::from_slice(&posted.error_for_status()?.bytes().await?)?;
    let arn = posted["executionArn"].as_str().context("no execution")?;
    ensure!(arn.ends_with(&format!(":{NAME}")), "{arn}");
    let (told, _) = list.next().await?;
    ensure!(told == "change", "the list is told of the new batch: {told}");

    // What the page's script does: at each event of the stream it asks for the page.
    let mut arrivals = Vec::new();
    let (events, last_page) = loop {
        let (kind, arrived) = news.next().await?;
        let expected = if arrivals.is_empty() { "ready" } else { "change" };
        ensure!(kind == expected, "{kind}");
        arrivals.push(arrived);
        let page =
            client.get(format!("{endpoint}/console/batch/{NAME}")).send().await?.error_for_status()?.text().await?;
        let events = history(&client, endpoint, arn).await?;
        let (kind, ended) = events.last().context("no events")?;
        if kind.starts_with("Execution") && kind != "ExecutionStarted" && arrived >= *ended {
            break (events, page);
        }
    };
    ensure!(last_page.contains("<span class=\"badge ok\">succeeded</span>"), "{last_page}");
    ensure!(!last_page.contains("data-live"), "a batch that is over has no news");

    let mut delays = Vec::new();
    for (kind, at) in &events {
        let arrived = arrivals.iter().find(|arrived| *arrived >= at);
        let arrived = arrived.with_context(|| format!("{kind} never arrived; the stream has told {arrivals:?}"))?;
        delays.push((arrived - at) * 1e3);
    }
    delays.sort_by(f64::total_cmp);
    let at = |percent: usize| delays.get(delays.len() * percent / 100).copied().unwrap_or_default();
    println!("{} events, from each to its arrival: p50 {:.0} ms, p95 {:.0} ms", events.len(), at(50), at(95));
    Ok(())
}
