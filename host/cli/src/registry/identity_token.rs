//! Logins by identity token, as `az acr login` and Docker's credential helpers leave them: the token is a refresh token,
//! which the registry's token service exchanges for an access token
//! (<https://distribution.github.io/distribution/spec/auth/oauth/>).

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use reqwest::{Client, StatusCode, Url, redirect};
use serde::Deserialize;

/// The longest answer of a token service, in bytes.
const MAX_ANSWER: usize = 256 << 10;

/// A registry's demand for a token.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    realm: String,
    service: String,
}

#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    token: Option<String>,
}

/// Returns an access token for a repository, in exchange for an identity token.
///
/// # Errors
/// If the registry names no token service that may be asked, or that does not give a token. No message has a token.
pub async fn exchange(
    base: &str,
    service_host: &str,
    repository: &str,
    actions: &str,
    identity_token: &str,
) -> Result<String> {
    let client = Client::builder().timeout(Duration::from_secs(20)).redirect(redirect::Policy::none()).build()?;
    let address = format!("{base}/v2/");
    let asked = client.get(&address).send().await.with_context(|| format!("cannot reach {address}"))?;
    ensure!(
        asked.status() == StatusCode::UNAUTHORIZED,
        "{address} answered with {} instead of naming its token service",
        asked.status()
    );
    let mut challenges = asked.headers().get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    let Some(challenge) = challenges.find_map(read_challenge) else {
        bail!("{service_host} names no token service, so the login by identity token cannot be used; use a password");
    };
    let realm = Url::parse(&challenge.realm).with_context(|| format!("the token service of {service_host}"))?;
    // The token must not leave by a weaker connection than the registry's own.
    ensure!(
        realm.scheme() == "https" || base.starts_with("http://"),
        "the token service {realm} of {service_host} is not reached by https, so the identity token is not sent"
    );
    let scope = format!("repository:{repository}:{actions}");
    let body = form(&[
        ("grant_type", "refresh_token"),
        ("service", &challenge.service),
        ("client_id", "stagehost"),
        ("scope", &scope),
        ("refresh_token", identity_token),
    ]);
    let request = client.post(realm.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
    let mut answer = request.send().await.with_context(|| format!("cannot reach the token service {realm}"))?;
    ensure!(
        answer.status().is_success(),
        "the token service {realm} answered with {}; log in at {service_host} again",
        answer.status()
    );
    let mut text = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        ensure!(text.len() + chunk.len() <= MAX_ANSWER, "the answer of the token service {realm} is too long");
        text.extend_from_slice(&chunk);
    }
    let answer: Answer = serde_json::from_slice(&text)
        .map_err(|_| anyhow::anyhow!("the answer of the token service {realm} cannot be read"))?;
    answer.access_token.or(answer.token).with_context(|| format!("the token service {realm} gave no token"))
}

/// Returns fields as the body of a form.
fn form(fields: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse("form:") else { return String::new() };
    url.query_pairs_mut().extend_pairs(fields);
    url.query().unwrap_or_default().to_owned()
}

/// Reads `Bearer realm="…",service="…",scope="…"`; the values may hold commas.
fn read_challenge(text: &str) -> Option<Challenge> {
    let (scheme, mut rest) = text.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service) = (None, String::new());
    while let Some((name, after)) = rest.split_once("=\"") {
        let (value, after) = after.split_once('"')?;
        match name.trim_start_matches([',', ' ']) {
            "realm" => realm = Some(value.to_owned()),
            "service" => value.clone_into(&mut service),
            _ => {}
        }
        rest = after;
    }
    Some(Challenge { realm: realm?, service })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::Router;
    use axum::http::HeaderMap;
    use axum::routing::{get, post};

    use super::*;

    #[test]
    fn a_challenge_is_read_whatever_its_order() {
        // The first is Azure's, the second Docker Hub's.
        let azure =
            r#"Bearer realm="https://x.azurecr.io/oauth2/token",service="x.azurecr.io",scope="repository:a:pull,push""#;
        let found = read_challenge(azure).unwrap();
        assert_eq!((&*found.realm, &*found.service), ("https://x.azurecr.io/oauth2/token", "x.azurecr.io"));
        let hub = r#"bearer service="registry.docker.io", realm="https://auth.docker.io/token""#;
        assert_eq!(read_challenge(hub).unwrap().realm, "https://auth.docker.io/token");
        for other in ["Basic realm=\"x\"", "Bearer", "Bearer service=\"x\"", "Bearer realm=\"x"] {
            assert_eq!(read_challenge(other), None, "{other}");
        }
    }

    async fn registry() -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let challenge = format!("Bearer realm=\"{base}/token\",service=\"here\"");
        let ask = move || {
            let challenge = challenge.clone();
            async move { (StatusCode::UNAUTHORIZED, [("www-authenticate", challenge)]) }
        };
        let token = |headers: HeaderMap, body: String| async move {
            assert!(!headers.contains_key("authorization"));
            match body.as_str() {
                "grant_type=refresh_token&service=here&client_id=stagehost&scope=repository%3Aa%2Fb%3Apull&refresh_token=R%26" => {
                    (StatusCode::OK, r#"{"access_token": "T"}"#)
                }
                _ => (StatusCode::UNAUTHORIZED, ""),
            }
        };
        let app = Router::new().route("/v2/", get(ask)).route("/token", post(token));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        base
    }

    #[tokio::test]
    async fn an_identity_token_is_exchanged_for_an_access_token() {
        let base = registry().await;
        assert_eq!(exchange(&base, "here", "a/b", "pull", "R&").await.unwrap(), "T");
        let refused = exchange(&base, "here", "a/b", "pull", "hunter2").await.unwrap_err().to_string();
        assert!(refused.contains("401") && refused.contains("log in") && !refused.contains("hunter2"), "{refused}");
    }
}
