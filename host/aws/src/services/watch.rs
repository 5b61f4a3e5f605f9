//! Looks at alarms, metrics and log lines (see `logs`), for operators; the host itself does not.
//!
//! The operations are `DescribeAlarms`, `GetMetricStatistics` (Amazon CloudWatch API Reference; its service model names the JSON
//! protocol besides the older ones) and `FilterLogEvents` (Amazon CloudWatch Logs API Reference).

use std::time::{SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stagehost_batch::{Case, Failure};

use crate::services::arn::Arn;
use crate::services::endpoints::configured_endpoint;
use crate::services::logs::LogLines;
use crate::services::signed_json::{Operation, SignedJson, with_retries};

/// The most pages of log lines that are read.
const MAX_PAGES: usize = 50;

/// An alarm.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct AlarmState {
    /// Its name.
    pub alarm_name: String,
    /// `OK`, `ALARM` or `INSUFFICIENT_DATA`.
    pub state_value: String,
    /// Whether it does anything when it goes off.
    #[serde(default = "enabled")]
    pub actions_enabled: bool,
    /// ARNs of what it does then.
    #[serde(default)]
    pub alarm_actions: Vec<String>,
}

fn enabled() -> bool {
    true
}

/// Alarms, metrics and logs of one region.
#[derive(Debug)]
pub struct CloudWatch {
    /// In the region: only its place and partition are used.
    place: Arn,
    cloudwatch: Option<String>,
    logs: LogLines,
    fips: bool,
    json: SignedJson,
}

impl CloudWatch {
    /// Looks where the resource with this ARN is; `None` if the text is not an ARN.
    pub fn beside(config: &SdkConfig, arn: &str) -> Option<Self> {
        Some(Self {
            place: Arn::parse(arn)?,
            cloudwatch: configured_endpoint(config, None, "AWS_ENDPOINT_URL_CLOUDWATCH"),
            logs: LogLines::new(config),
            fips: config.use_fips().unwrap_or_default(),
            json: SignedJson::new(config),
        })
    }

    /// Returns the alarms of these names that exist; at most 100.
    ///
    /// # Errors
    /// The failure names the reason.
    pub async fn alarms(&self, names: &[String]) -> Result<Vec<AlarmState>, Failure> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "MetricAlarms", default)]
            alarms: Vec<AlarmState>,
        }
        let answer: Answer = self.ask("DescribeAlarms", &json!({"AlarmNames": names})).await?;
        Ok(answer.alarms)
    }

    /// Returns the sum of a metric since a time; the dimensions are pairs of name and value.
    ///
    /// # Errors
    /// The failure names the reason.
    pub async fn sum_of(
        &self,
        namespace: &str,
        metric: &str,
        dimensions: &[(&str, &str)],
        since: SystemTime,
    ) -> Result<f64, Failure> {
        #[derive(Deserialize)]
        struct Point {
            #[serde(rename = "Sum", default)]
            sum: f64,
        }
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "Datapoints", default)]
            points: Vec<Point>,
        }
        // Whole minutes: a datapoint has the time at which its period begins.
        let begin = milliseconds(since) / 60_000 * 60;
        let end = milliseconds(SystemTime::now()) / 1000 + 60;
        let dimensions: Vec<_> = dimensions.iter().map(|(name, value)| json!({"Name": name, "Value": value})).collect();
        let wanted = json!({
            "Namespace": namespace, "MetricName": metric, "Dimensions": dimensions,
            "StartTime": begin, "EndTime": end, "Period": 60, "Statistics": ["Sum"]
        });
        let answer: Answer = self.ask("GetMetricStatistics", &wanted).await?;
        Ok(answer.points.iter().map(|point| point.sum).sum())
    }

    /// Returns the lines of a log group since a time that have this text in them.
    ///
    /// # Errors
    /// The failure names the reason.
    pub async fn log_lines(&self, group: &str, text: &str, since: SystemTime) -> Result<Vec<String>, Failure> {
        let wanted = json!({"filterPattern": format!("\"{text}\""), "startTime": milliseconds(since)});
        Ok(self.logs.filtered(&self.place, group, wanted, MAX_PAGES).await?.lines)
    }

    async fn ask<T: DeserializeOwned>(&self, name: &str, wanted: &Value) -> Result<T, Failure> {
        let (endpoint, target) = (self.endpoint(), format!("GraniteServiceVersion20100801.{name}"));
        let operation = Operation {
            endpoint: &endpoint,
            service: "monitoring",
            region: &self.place.region,
            target: &target,
            content_type: "application/x-amz-json-1.0",
        };
        let once = || async {
            let answer = self.json.call(&operation, wanted).await;
            answer.map_err(|error| Failure::new(error.case(), format!("{name}: {error}")))
        };
        let answer = with_retries(once).await?;
        serde_json::from_slice(&answer)
            .map_err(|error| Failure::new(Case::Internal, format!("{name}: the response cannot be read: {error}")))
    }

    /// Returns where CloudWatch is.
    fn endpoint(&self) -> String {
        self.cloudwatch.clone().unwrap_or_else(|| self.place.of_service("monitoring").aws_endpoint(self.fips))
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::{Arc as Shared, Mutex};
    use std::time::Duration;

    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    use axum::Router;
    use http::HeaderMap;

    use super::*;

    const MACHINE: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:m";

    type Requests = Shared<Mutex<Vec<(String, Value)>>>;

    fn watch(endpoint: Option<&str>) -> CloudWatch {
        let credentials = Credentials::new("AKIDEXAMPLE", "key", None, None, "test");
        let mut config = SdkConfig::builder().credentials_provider(SharedCredentialsProvider::new(credentials));
        config.set_endpoint_url(endpoint.map(str::to_owned));
        CloudWatch::beside(&config.build(), MACHINE).unwrap()
    }

    /// Returns a service that gives each operation's answers in turn, the last one again and again.
    async fn service(answers: Value) -> (CloudWatch, Requests) {
        let requests = Requests::default();
        let seen = requests.clone();
        let app = Router::new().fallback(move |headers: HeaderMap, body: String| async move {
            let target = headers["x-amz-target"].to_str().unwrap().to_owned();
            let before = seen.lock().unwrap().iter().filter(|(one, _)| *one == target).count();
            seen.lock().unwrap().push((target.clone(), serde_json::from_str(&body).unwrap()));
            let of_it = answers[target.rsplit('.').next().unwrap()].as_array().unwrap();
            of_it[before.min(of_it.len() - 1)].to_string()
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        (watch(Some(&url)), requests)
    }

    #[tokio::test]
    async fn alarms_metrics_and_all_pages_of_a_log_are_read() {
        let (watch, requests) = service(json!({
            "DescribeAlarms": [{"MetricAlarms": [
                {"AlarmName": "a", "StateValue": "ALARM", "ActionsEnabled": false, "AlarmActions": ["arn:t"], "Period": 300}]}],
            "GetMetricStatistics": [{"Label": "Failures", "Datapoints": [{"Sum": 1.0, "Unit": "Count"}, {"Sum": 2.5}]}],
            "FilterLogEvents": [{"events": [{"message": "one", "timestamp": 1}], "nextToken": "next"}, {"events": [{"message": "two"}]}]
        }))
        .await;
        let alarms = watch.alarms(&["a".to_owned()]).await.unwrap();
        assert_eq!((alarms[0].state_value.as_str(), alarms[0].actions_enabled), ("ALARM", false));
        let since = UNIX_EPOCH + Duration::from_millis(1_767_312_059_999);
        let dimensions = [("Environment", "staging")];
        assert_eq!(watch.sum_of("Stagehost", "Failures", &dimensions, since).await.unwrap(), 3.5);
        assert_eq!(watch.log_lines("/aws/lambda/host", "listing-51", since).await.unwrap(), ["one", "two"]);
        let requests = requests.lock().unwrap();
        assert_eq!(requests[0].0, "GraniteServiceVersion20100801.DescribeAlarms");
        assert_eq!(requests[1].1["StartTime"], 1_767_312_000);
        assert_eq!(requests[2].1["filterPattern"], "\"listing-51\"");
        assert_eq!(requests[3].1["nextToken"], "next");
    }

    #[test]
    fn without_other_endpoints_the_region_is_that_of_the_resource() {
        let watch = watch(None);
        assert_eq!(watch.logs.endpoint(&watch.place), "https://logs.eu-west-1.amazonaws.com/");
        assert_eq!(watch.endpoint(), "https://monitoring.eu-west-1.amazonaws.com/");
    }
}
