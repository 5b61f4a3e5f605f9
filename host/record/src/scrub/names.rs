//! Names whose values may be credentials.

/// Replaces a removed value.
pub(crate) const WITHHELD: &str = "(not recorded)";

/// Parts of the names of headers and query parameters.
const CREDENTIAL_PARTS: [&str; 13] = [
    "auth",
    "cookie",
    "token",
    "secret",
    "password",
    "passwd",
    "signature",
    "credential",
    "apikey",
    "api-key",
    "api_key",
    "session",
    "x-amz-",
];
/// Names of headers and query parameters that are too short to be searched for inside other names.
const CREDENTIAL_NAMES: [&str; 6] = ["sig", "key", "pwd", "code", "jwt", "awsaccesskeyid"];

/// Parts of the names of settings.
const SETTING_PARTS: [&str; 8] =
    ["secret", "password", "passwd", "passphrase", "token", "credential", "apikey", "signature"];
/// Words in the names of settings: `signingKey`, `signing_key` and `signing-key` have the word `key`.
const SETTING_WORDS: [&str; 13] = [
    "key",
    "keys",
    "auth",
    "authorization",
    "pwd",
    "pin",
    "sig",
    "jwt",
    "cookie",
    "cookies",
    "session",
    "bearer",
    "dsn",
];

/// Returns whether the value of a header or a query parameter may be a credential.
pub(super) fn is_credential(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    CREDENTIAL_NAMES.contains(&name.as_str())
        || name.ends_with("-key")
        || CREDENTIAL_PARTS.iter().any(|part| name.contains(part))
}

/// Returns whether the value of a setting may be a credential.
pub(super) fn is_credential_setting(name: &str) -> bool {
    let small = name.to_ascii_lowercase();
    SETTING_PARTS.iter().any(|part| small.contains(part))
        || words(name).iter().any(|word| SETTING_WORDS.contains(&word.as_str()))
}

/// Returns the words of a name in lower case: `accessKeyId` → `access`, `key`, `id`.
fn words(name: &str) -> Vec<String> {
    let (mut words, mut before_is_small) = (vec![String::new()], false);
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && before_is_small) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
        before_is_small = c.is_lowercase() || c.is_numeric();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_may_be_credentials_are_recognised_by_words() {
        for name in [
            "secret",
            "clientSecret",
            "api_key",
            "apiKey",
            "accessKeyId",
            "signing-key",
            "KEY",
            "authToken",
            "dbpassword",
            "basic_auth",
            "bearer",
        ] {
            assert!(is_credential_setting(name), "{name}");
        }
        for name in ["keyFrames2x", "monkey", "author", "quality", "width", "keyframeInterval", "opinion", "widths"] {
            let expected = name == "keyFrames2x";
            assert_eq!(is_credential_setting(name), expected, "{name}");
        }
    }
}
