#![allow(clippy::unwrap_used)]
//! Which values are accepted as a secret, and the messages for all others.

use proptest::prelude::*;

use super::*;

const SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:toq/callback-AbCdEf";
const PARAMETER: &str = "arn:aws:ssm:eu-west-1:123456789012:parameter/toq/callback";

fn store(arn: &str) -> SecretStore {
    let config = SdkConfig::builder().build();
    SecretStore::new(&config, CALLBACK, SecretArn::parse(arn).unwrap(), &Endpoints::default())
}

#[test]
fn the_arn_decides_which_service_is_asked() {
    let endpoint = |arn: &str, fips| SecretArn::parse(arn).unwrap().arn.aws_endpoint(fips);
    assert_eq!(endpoint(SECRET, false), "https://secretsmanager.eu-west-1.amazonaws.com/");
    assert_eq!(endpoint(PARAMETER, false), "https://ssm.eu-west-1.amazonaws.com/");
    let china = "arn:aws-cn:ssm:cn-north-1:123456789012:parameter/callback";
    assert_eq!(endpoint(china, false), "https://ssm.cn-north-1.amazonaws.com.cn/");
    let government = "arn:aws-us-gov:secretsmanager:us-gov-west-1:123456789012:secret:callback-AbCdEf";
    assert_eq!(endpoint(government, true), "https://secretsmanager-fips.us-gov-west-1.amazonaws.com/");
}

#[test]
fn another_arn_is_refused_and_named() {
    for arn in [
        "arn:aws:s3:::bucket/secret",
        "arn:aws:kms:eu-west-1:123456789012:key/1",
        "arn:aws:ssm:eu-west-1:123456789012:document/callback",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:",
        "arn:aws:secretsmanager::123456789012:secret:callback-AbCdEf",
        "arn:aws:ssm:evil.example/:123456789012:parameter/callback",
    ] {
        let error = SecretArn::parse(arn).unwrap_err().to_string();
        assert!(error.contains(arn), "{error}");
    }
}

#[test]
fn a_secret_given_instead_of_its_arn_is_refused_and_not_shown() {
    let error = SecretArn::parse("whsec_c2VjcmV0").unwrap_err().to_string();
    assert!(error.contains("CALLBACK_SECRET_ARN") && !error.contains("c2VjcmV0"), "{error}");
}

#[test]
fn a_value_is_the_secret_itself_or_json_with_the_secret() {
    for value in [
        "hush",
        " hush\n",
        r#"{"secret": "hush"}"#,
        r#"{"callbackSecret": "hush"}"#,
        r#"{"secret": "hush", "rotatedBy": "us"}"#,
    ] {
        assert_eq!(*secret_text(value).unwrap(), "hush", "{value}");
    }
    assert_eq!(*secret_text("{hush").unwrap(), "{hush");
}

#[test]
fn json_without_a_secret_is_refused() {
    for value in [
        "{}",
        r#"{"password": "hush"}"#,
        r#"{"secret": 7}"#,
        r#"{"secret": ["hush"]}"#,
        r#"{"secret": "hush", "callbackSecret": "hush"}"#,
        r#"{"secret": "hush",}"#,
    ] {
        assert!(!secret_text(value).unwrap_err().contains("hush"), "{value}");
    }
}

#[test]
fn a_parameter_must_be_encrypted_and_a_secret_must_be_text() {
    let plain = store(PARAMETER).read(br#"{"Parameter": {"Type": "String", "Value": "hush"}}"#).unwrap_err();
    assert!(plain.message.contains("SecureString") && !plain.message.contains("hush"), "{}", plain.message);
    let binary = store(SECRET).read(br#"{"SecretBinary": "aHVzaA=="}"#).unwrap_err();
    assert!(binary.message.contains("as text"), "{}", binary.message);
    for failure in [plain, binary] {
        assert_eq!(failure.case, Case::Denied);
        assert!(failure.message.contains("arn:aws:"));
    }
}

#[test]
fn a_refusal_names_the_secret_the_reason_and_the_next_step() {
    let refusal = |arn, status, code: &str| {
        let body = json!({"__type": format!("com.amazonaws#{code}"), "Message": "no"}).to_string();
        store(arn).refused(&ServiceError::read(status, body.as_bytes()))
    };
    for (arn, code, step) in [
        (SECRET, "AccessDeniedException", "secretsmanager:GetSecretValue"),
        (PARAMETER, "AccessDeniedException", "ssm:GetParameter"),
        (SECRET, "DecryptionFailure", "kms:Decrypt"),
        (SECRET, "ResourceNotFoundException", "create it in eu-west-1"),
        (PARAMETER, "ParameterNotFound", "create it in eu-west-1"),
        (SECRET, "InvalidRequestException", "check CALLBACK_SECRET_ARN"),
    ] {
        let failure = refusal(arn, 400, code);
        assert_eq!(failure.case, Case::Denied);
        for part in [arn, code, step] {
            assert!(failure.message.contains(part), "{part}: {}", failure.message);
        }
    }
}

#[test]
fn throttling_expired_credentials_and_server_errors_are_transient() {
    for (status, body) in [
        (400, &br#"{"__type": "ThrottlingException"}"#[..]),
        (400, br#"{"__type": "ExpiredTokenException"}"#),
        (500, br#"{"__type": "InternalServiceError"}"#),
        (503, b"<html>"),
        (429, b""),
    ] {
        assert_eq!(store(SECRET).refused(&ServiceError::read(status, body)).case, Case::Transient, "{status}");
    }
}

proptest! {
    #[test]
    fn no_arn_and_no_response_makes_the_host_panic(text in ".{0,60}", body in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = SecretArn::parse(&text);
        let _ = SecretArn::parse(&format!("arn:aws:ssm:{text}"));
        let _ = store(SECRET).read(&body);
        let _ = store(SECRET).refused(&ServiceError::read(400, &body));
    }
}
