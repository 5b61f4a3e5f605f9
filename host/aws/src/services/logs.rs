//! Reads the host's log lines about one execution, for people.
//!
//! The operation is `FilterLogEvents`; an operator needs `logs:FilterLogEvents` on the function's log group (Amazon CloudWatch
//! Logs API Reference). The pattern is one for JSON lines (CloudWatch Logs User Guide, "Filter pattern syntax").

use aws_config::SdkConfig;
use serde::Deserialize;
use serde_json::{Value, json};
use stagehost_batch::{Case, Failure};

use crate::services::arn::Arn;
use crate::services::endpoints::configured_endpoint;
use crate::services::signed_json::{Operation, SignedJson, with_retries};

/// How many lines one answer has: as many as fit into the longest answer that is read, if none is unusually long.
const LINES: u32 = 100;

/// How many answers are read for one execution.
const ANSWERS: usize = 20;

/// CloudWatch Logs.
#[derive(Debug)]
pub struct LogLines {
    /// The endpoint; `None` means AWS's own.
    endpoint: Option<String>,
    fips: bool,
    json: SignedJson,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterResponse {
    #[serde(default)]
    events: Vec<FilteredEvent>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
struct FilteredEvent {
    #[serde(default)]
    message: String,
}

/// Lines of a log.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundLines<T> {
    /// The lines, the oldest first.
    pub lines: Vec<T>,
    /// There are more, which were not read.
    pub more: bool,
}

impl LogLines {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self {
            endpoint: configured_endpoint(config, None, "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS"),
            fips: config.use_fips().unwrap_or_default(),
            json: SignedJson::new(config),
        }
    }

    /// Returns the lines of a log group, in the execution's own account and region, that name the execution with the ARN
    /// `execution`: the oldest first, from at most twenty answers of a hundred lines. `from` and `until` are milliseconds since
    /// 1970. Lines that are not JSON are left out.
    ///
    /// # Errors
    /// The failure names the log group and the reason.
    pub async fn of_execution(
        &self,
        group: &str,
        execution: &str,
        from: i64,
        until: i64,
    ) -> Result<FoundLines<Value>, Failure> {
        let place = Arn::parse(execution).ok_or_else(|| {
            Failure::new(Case::InvalidInput, format!("FilterLogEvents of {group}: {execution:?} is not an ARN"))
        })?;
        // An ARN of an execution has no quotes in it.
        let pattern = format!("{{ $.execution = \"{}\" }}", execution.replace('"', ""));
        let wanted = json!({"startTime": from, "endTime": until, "filterPattern": pattern});
        let FoundLines { lines, more } = self.filtered(&place, group, wanted, ANSWERS).await?;
        let lines = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect();
        Ok(FoundLines { lines, more })
    }

    /// Returns the lines of a log group, in the account and region of `place`, that the request `wanted` asks for, from at most
    /// `answers` answers.
    ///
    /// # Errors
    /// The failure names the log group and the reason.
    pub(crate) async fn filtered(
        &self,
        place: &Arn,
        group: &str,
        mut wanted: Value,
        answers: usize,
    ) -> Result<FoundLines<String>, Failure> {
        let failed = |case, why: &str| Failure::new(case, format!("FilterLogEvents of {group}: {why}"));
        let endpoint = self.endpoint(place);
        let operation = Operation {
            endpoint: &endpoint,
            service: "logs",
            region: &place.region,
            target: "Logs_20140328.FilterLogEvents",
            content_type: "application/x-amz-json-1.1",
        };
        wanted["logGroupName"] = group.into();
        wanted["limit"] = LINES.into();
        let mut lines = Vec::new();
        for _ in 0..answers {
            let ask = || async {
                self.json.call(&operation, &wanted).await.map_err(|error| failed(error.case(), &error.to_string()))
            };
            let answer = with_retries(ask).await?;
            let answer: FilterResponse = serde_json::from_slice(&answer)
                .map_err(|error| failed(Case::Internal, &format!("the response cannot be read: {error}")))?;
            lines.extend(answer.events.into_iter().map(|event| event.message));
            let Some(next) = answer.next_token else { return Ok(FoundLines { lines, more: false }) };
            wanted["nextToken"] = next.into();
        }
        Ok(FoundLines { lines, more: true })
    }

    /// Returns where the logs in the region of `place` are.
    pub(crate) fn endpoint(&self, place: &Arn) -> String {
        self.endpoint.clone().unwrap_or_else(|| place.of_service("logs").aws_endpoint(self.fips))
    }
}
