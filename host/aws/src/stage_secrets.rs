//! Secrets in the HTTP requests of stages. A pin names a secret, the host that it is for and a header; here the value is put
//! in, behind everything that records a request, so that no stage, pin, record or log has it.
//!
//! All secrets are one JSON object of texts by name, `{"chat-token": "…"}`: in Secrets Manager or as an SSM SecureString
//! (`STAGE_SECRETS_ARN`), or on one machine in the environment (`STAGE_SECRETS`).

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use aws_config::SdkConfig;
use stagehost_batch::{Case, Failure};
use stagehost_runtime::capability::{Http, HttpExchange, HttpHead, HttpRequest, HttpResponse};
use stagehost_runtime::{HttpSecret, is_secret_name};
use zeroize::Zeroizing;

use crate::callback::refreshed::Refreshed;
use crate::callback::secret_store::{Purpose, SecretArn, SecretStore};
use crate::error::ConfigError;
use crate::services::endpoints::Endpoints;
use watched::{SentSecrets, WatchedExchange};

mod watched;

/// The shortest secret, in bytes. A shorter one might be found in an answer by chance.
const SHORTEST: usize = 8;

const PURPOSE: Purpose = Purpose { name: "the stages' secrets", variable: "STAGE_SECRETS_ARN" };

/// Secrets by name. `Debug` shows the names only.
#[derive(Clone)]
struct Values(Arc<BTreeMap<String, Zeroizing<String>>>);

impl Values {
    /// Reads a JSON object of texts. Errors: why it cannot be read, without a part of it.
    fn parse(text: &str) -> Result<Self, String> {
        let values: BTreeMap<String, String> = serde_json::from_str(text)
            .map_err(|_| "not a JSON object of texts by name, such as {\"chat-token\": \"…\"}".to_owned())?;
        let values: BTreeMap<_, _> = values.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect();
        for (name, value) in &values {
            if !is_secret_name(name) {
                return Err("a secret's name must have 1 to 64 characters of a-z, 0-9 and '-'".into());
            }
            if value.len() < SHORTEST || !value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
                return Err(format!(
                    "the secret {name:?} must have at least {SHORTEST} characters, all visible ASCII or spaces"
                ));
            }
        }
        Ok(Self(Arc::new(values)))
    }
}

impl fmt::Debug for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// Where the stages' secrets are.
#[derive(Clone, Debug, Default)]
pub struct StageSecretsSetting {
    arn: Option<SecretArn>,
    values: Option<Values>,
}

impl StageSecretsSetting {
    /// Reads `STAGE_SECRETS_ARN` or, outside Lambda, `STAGE_SECRETS`. Without both there are no secrets.
    ///
    /// # Errors
    /// [`ConfigError`] if one of them is invalid, or both are set.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let get = |name: &str| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let arn = get("STAGE_SECRETS_ARN");
        let arn = arn.map(|arn| SecretArn::of_variable("STAGE_SECRETS_ARN", &arn)).transpose()?;
        let Some(text) = get("STAGE_SECRETS").map(Zeroizing::new) else { return Ok(Self { arn, values: None }) };
        if get("AWS_LAMBDA_FUNCTION_NAME").is_some() {
            return Err(ConfigError::StageSecretsOnLambda);
        }
        if arn.is_some() {
            return Err(ConfigError::StageSecrets("STAGE_SECRETS_ARN is set as well; keep one".into()));
        }
        Ok(Self { arn, values: Some(Values::parse(&text).map_err(ConfigError::StageSecrets)?) })
    }
}

/// The stages' secrets. Stored ones are fetched when they are first needed.
pub(crate) struct StageSecrets {
    given: Option<Values>,
    store: Option<SecretStore>,
    kept: Refreshed<Values>,
}

impl StageSecrets {
    pub(crate) fn new(config: &SdkConfig, setting: &StageSecretsSetting, endpoints: &Endpoints) -> Self {
        let store = setting.arn.clone().map(|arn| SecretStore::new(config, PURPOSE, arn, endpoints));
        Self { given: setting.values.clone(), store, kept: Refreshed::new(SystemTime::now) }
    }

    /// Returns a secret's value. Errors: `Denied` if there is none of this name, or as for reading the secret of callbacks.
    async fn value(&self, name: &str) -> Result<Zeroizing<String>, Failure> {
        let values = self.values().await?;
        values.as_ref().and_then(|values| values.0.get(name)).cloned().ok_or_else(|| {
            let message = format!(
                "the pin names the secret {name:?}, which this host does not have; add it to the JSON object of \
                 STAGE_SECRETS_ARN, or of STAGE_SECRETS on one machine"
            );
            Failure::new(Case::Denied, message)
        })
    }

    async fn values(&self) -> Result<Option<Values>, Failure> {
        let Some(store) = &self.store else { return Ok(self.given.clone()) };
        let fetch = async {
            let text = store.fetch_value().await?;
            Values::parse(&text).map_err(|why| store.unusable(&why))
        };
        let stays = |failure: &Failure| {
            let (arn, error) = (store.arn(), &failure.message);
            tracing::error!(%arn, %error, "the stages' secrets could not be refreshed; the old ones stay in use");
        };
        self.kept.current(fetch, stays).await.map(Some)
    }
}

/// Sends requests with the secrets that their pins name.
pub(crate) struct HttpWithSecrets<T> {
    inner: T,
    secrets: Arc<StageSecrets>,
}

impl<T: Http> HttpWithSecrets<T> {
    pub(crate) fn new(inner: T, secrets: Arc<StageSecrets>) -> Self {
        Self { inner, secrets }
    }

    /// Puts the secrets' values into headers. Errors: as for [`StageSecrets::value`].
    async fn put_in(
        &self,
        secrets: Vec<HttpSecret>,
        headers: &mut Vec<(String, String)>,
    ) -> Result<SentSecrets, Failure> {
        let mut sent = Vec::new();
        for secret in secrets {
            let value = self.secrets.value(&secret.name).await?;
            headers.push((secret.header, format!("{}{}", secret.prefix, value.as_str())));
            sent.push((secret.name, value));
        }
        Ok(SentSecrets(sent))
    }
}

#[async_trait]
impl<T: Http> Http for HttpWithSecrets<T> {
    async fn send(&self, mut request: HttpRequest) -> Result<HttpResponse, Failure> {
        let sent = self.put_in(std::mem::take(&mut request.secrets), &mut request.headers).await?;
        let response = self.inner.send(request).await?;
        sent.check_headers(&response.headers)?;
        sent.check(&response.body)?;
        Ok(response)
    }

    async fn begin(&self, mut head: HttpHead) -> Result<Box<dyn HttpExchange>, Failure> {
        let sent = self.put_in(std::mem::take(&mut head.secrets), &mut head.headers).await?;
        let exchange = self.inner.begin(head).await?;
        Ok(if sent.0.is_empty() { exchange } else { Box::new(WatchedExchange::new(exchange, sent)) })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use bytes::Bytes;

    use super::*;

    const TOKEN: &str = "xoxb-hunter2-hunter2";

    fn setting(variables: &[(&str, &str)]) -> Result<StageSecretsSetting, ConfigError> {
        StageSecretsSetting::from_lookup(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    /// Answers with the headers that it was sent, or with a text.
    struct Service(Option<&'static str>);

    #[async_trait]
    impl Http for Service {
        async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Failure> {
            assert!(request.secrets.is_empty());
            let headers: Vec<_> = request.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            if self.0.is_some() {
                assert_eq!(headers, [format!("Authorization: Bearer {TOKEN}")]);
            }
            let body = self.0.map_or_else(|| headers.join("\n").into(), Bytes::from);
            Ok(HttpResponse { status: 200, headers: Vec::new(), body })
        }
    }

    /// Answers with a compressed text.
    struct Compressing;

    #[async_trait]
    impl Http for Compressing {
        async fn send(&self, _: HttpRequest) -> Result<HttpResponse, Failure> {
            let headers = vec![("Content-Encoding".to_owned(), "gzip".to_owned())];
            Ok(HttpResponse { status: 200, headers, body: Bytes::from_static(b"\x1f\x8b") })
        }
    }

    async fn send(service: impl Http, name: &str) -> Result<HttpResponse, Failure> {
        let setting = setting(&[("STAGE_SECRETS", &format!(r#"{{"chat-token": "{TOKEN}"}}"#))]).unwrap();
        let secrets = StageSecrets::new(&SdkConfig::builder().build(), &setting, &Endpoints::default());
        let secret = HttpSecret {
            name: name.into(),
            host: "chat.example".into(),
            header: "Authorization".into(),
            prefix: "Bearer ".into(),
        };
        let request = HttpRequest {
            method: "POST".into(),
            url: "https://chat.example/".into(),
            headers: Vec::new(),
            secrets: vec![secret],
            body: Bytes::new(),
            timeout: Duration::from_secs(1),
            max_response: 1000,
        };
        HttpWithSecrets::new(service, Arc::new(secrets)).send(request).await
    }

    #[tokio::test]
    async fn a_request_has_the_secret_with_its_prefix_in_the_named_header() {
        assert_eq!(send(Service(Some("thanks")), "chat-token").await.unwrap().body, "thanks");
    }

    #[tokio::test]
    async fn an_answer_that_contains_the_secret_does_not_reach_the_stage() {
        let refused = send(Service(None), "chat-token").await.unwrap_err();
        assert_eq!(refused.case, Case::Denied);
        assert!(refused.message.contains("chat-token") && !refused.message.contains("hunter2"), "{refused}");
    }

    #[tokio::test]
    async fn an_answer_in_which_the_host_cannot_look_for_the_secret_does_not_reach_the_stage() {
        let refused = send(Compressing, "chat-token").await.unwrap_err();
        assert_eq!(refused.case, Case::Denied);
        assert!(refused.message.contains("is encoded (\"gzip\")"), "{refused}");
    }

    #[tokio::test]
    async fn a_secret_that_the_host_does_not_have_is_named_and_nothing_is_sent() {
        let refused = send(Service(Some("never sent")), "other").await.unwrap_err();
        assert_eq!(refused.case, Case::Denied);
        assert!(refused.message.contains("\"other\"") && refused.message.contains("STAGE_SECRETS_ARN"), "{refused}");
    }

    #[test]
    fn settings_that_cannot_be_used_are_refused_without_showing_a_value() {
        let error = |variables: &[(&str, &str)]| setting(variables).unwrap_err().to_string();
        let arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/stages";
        let given = ("STAGE_SECRETS", r#"{"chat-token": "hunter2hunter2"}"#);
        for (variables, expected) in [
            (vec![("STAGE_SECRETS", "hunter2")], "not a JSON object"),
            (vec![("STAGE_SECRETS", r#"{"a": 1}"#)], "not a JSON object"),
            (vec![("STAGE_SECRETS", r#"{"A": "hunter2hunter2"}"#)], "a secret's name"),
            (vec![("STAGE_SECRETS", r#"{"a": "hunter2"}"#)], "at least 8 characters"),
            (vec![("STAGE_SECRETS", r#"{"a": "hunter2hunter2\r\n"}"#)], "visible ASCII"),
            (vec![given, ("AWS_LAMBDA_FUNCTION_NAME", "host")], "STAGE_SECRETS_ARN"),
            (vec![given, ("STAGE_SECRETS_ARN", arn)], "keep one"),
            (vec![("STAGE_SECRETS_ARN", "hunter2")], "STAGE_SECRETS_ARN is not an ARN"),
        ] {
            let error = error(&variables);
            assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
        }
        let debug = format!("{:?}", setting(&[given]).unwrap());
        assert!(debug.contains("chat-token") && !debug.contains("hunter2"), "{debug}");
        assert!(setting(&[("STAGE_SECRETS_ARN", arn)]).unwrap().arn.is_some());
    }
}
