//! What a stage may do outside, and every way in which the host refuses.

use stagehost_batch::Case;
use stagehost_testing::Effect;

use crate::calling::KEY;
use crate::secret_service::TOKEN;
use crate::trial::{Setting, Trial};

pub fn trials() -> Vec<Trial> {
    vec![tag(), refusals(), welcome(), without_the_secret(), echoed(), another_service()]
}

fn tag() -> Trial {
    Trial::new("tag", |seen| {
        let tagged = Effect::Tagged { key: KEY.into(), name: "kept".into(), value: "no".into() };
        assert_eq!(seen.host.effects(), [tagged]);
    })
}

/// A failure of the host reaches the stage as the case that it is, and the stage can go on.
fn refusals() -> Trial {
    let trial = Trial::new("refusals", |seen| {
        seen.noted(&[
            ("absent", "missing"),
            ("replaced", "mismatch"),
            ("foreign", "denied"),
            ("long-key", "invalid-input"),
            ("long-piece", "too-large"),
            ("busy", "transient"),
            ("upload", "denied"),
            ("tag", "denied"),
            ("header", "invalid-input"),
        ]);
        assert_eq!(seen.host.effects(), []);
    });
    trial.given("of the host", |setting| {
        let busy = r#"{"when": "stat", "key": "busy.jpg", "then": "transient"}"#;
        setting.host.inject(serde_json::from_str(busy).unwrap());
    })
}

/// Asks the service at a path.
pub fn at(setting: &mut Setting, path: &str) {
    setting.config["url"] = format!("http://{}{path}", setting.service).into();
}

fn welcome() -> Trial {
    Trial::new("ask", |seen| {
        seen.noted(&[("status", "200"), ("body", "welcome")]);
        assert!(!format!("{:?} {:?}", seen.outcome, seen.heard).contains(TOKEN));
    })
    .given("with the secret", |setting| at(setting, "/"))
}

fn without_the_secret() -> Trial {
    Trial::new("ask", |seen| seen.noted(&[("status", "200"), ("body", "who are you")])).given(
        "without the secret",
        |setting| {
            at(setting, "/");
            setting.grants.secrets.clear();
        },
    )
}

fn echoed() -> Trial {
    Trial::new("ask", |seen| {
        seen.failed(Case::Denied, "chat-token");
        assert!(!format!("{:?} {:?}", seen.outcome, seen.heard).contains(TOKEN));
    })
    .given("for the secret itself", |setting| at(setting, "/echo"))
}

fn another_service() -> Trial {
    Trial::new("ask", |seen| seen.failed(Case::Denied, "other.example"))
        .given("another service", |setting| setting.config["url"] = "https://other.example/".into())
}
