//! The environment variables that the command and the Lambda function read.

/// A variable.
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Who reads it.
    pub reader: Reader,
    /// What counts if it is not set; empty if it then has no effect.
    pub default: &'static str,
    /// Whether its value must not be shown.
    pub secret: bool,
    /// What it is for.
    pub description: &'static str,
}

/// Who reads a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// This command.
    Command,
    /// The Lambda function.
    Function,
    /// Both.
    Both,
}

use Reader::{Both, Command, Function};

const fn shown(name: &'static str, reader: Reader, default: &'static str, description: &'static str) -> Variable {
    Variable { name, reader, default, secret: false, description }
}

const fn secret(name: &'static str, reader: Reader, description: &'static str) -> Variable {
    Variable { name, reader, default: "", secret: true, description }
}

/// All of them.
pub const VARIABLES: &[Variable] = &[
    shown("STAGEHOST_LOG", Command, "error", "Log level or filter, as --log"),
    shown("STAGEHOST_HOME", Command, "the checkout of this build", "The checkout with stages and state machine"),
    shown("STAGEHOST_PINS", Command, "", "Where the pins are, as --pins"),
    shown("STAGEHOST_ENVIRONMENT", Command, "", "The environment that pins are signed for, as --environment"),
    shown("STAGEHOST_PINS_FLOOR", Command, "", "The parameter with the lowest revision that starts, as --floor"),
    shown("STAGEHOST_REGISTRY", Command, "", "Where stages are published, as --registry"),
    shown("STAGEHOST_TARGET", Command, "x86_64,arm64", "Processors of the hosts, as --target"),
    shown("STAGEHOST_KEYS", Command, "stagehost/keys in XDG_CONFIG_HOME", "The folder of keys, as --keys"),
    shown("STAGEHOST_KEY", Command, "the only key in the folder", "The key that signs, as --key"),
    shown("USER", Command, "", "Who a change of the pins is by, unless --by names someone"),
    shown("HOME", Command, "", "The user's folder"),
    shown("XDG_CONFIG_HOME", Command, "~/.config", "The folder of the user's configuration"),
    shown("XDG_CACHE_HOME", Command, "~/.cache", "The folder of compiled stages"),
    shown("CARGO", Command, "cargo", "The program that builds stages and the function"),
    shown("CARGO_TARGET_DIR", Command, "target", "Where cargo builds them"),
    shown("COLUMNS", Command, "as many as the terminal has", "Columns of tables and help"),
    shown("NO_COLOR", Command, "", "No colours, no moving progress"),
    shown("TERM", Command, "", "The kind of terminal; `dumb` moves nothing"),
    shown("AWS_PROFILE", Command, "default", "The profile of the AWS SDK"),
    shown("AWS_REGION", Both, "", "The region"),
    shown("AWS_ACCESS_KEY_ID", Both, "", "Credentials of the AWS SDK"),
    secret("AWS_SECRET_ACCESS_KEY", Both, "Credentials of the AWS SDK"),
    secret("AWS_SESSION_TOKEN", Both, "Credentials of the AWS SDK"),
    shown("AWS_ENDPOINT_URL", Both, "AWS", "The endpoint of every AWS service"),
    shown("AWS_ENDPOINT_URL_S3", Both, "AWS_ENDPOINT_URL", "The endpoint of S3"),
    shown("MEDIA_KMS_KEY_ID", Both, "the bucket's default", "The key that new objects are encrypted by"),
    shown("TRUSTED_KEYS", Both, "", "Public keys whose signatures count, separated by commas"),
    shown("MEDIA_BUCKET", Function, "", "The media bucket; required"),
    shown("PINS", Function, "pins.json of the package", "A file, or a store of signed revisions"),
    shown("PINS_MAX_AGE", Function, "5", "Seconds between two looks at pins in a store"),
    shown("PINS_MIN_REVISION", Function, "0", "The lowest revision of stored pins that the function starts with"),
    shown("PINS_FLOOR", Function, "", "ARN of an SSM parameter with that number; the higher one counts"),
    shown("REGISTRY", Function, "", "Where stages are published that are not in the package"),
    shown("ARTIFACTS", Function, "stages/ of the package", "The folder of compiled stages"),
    shown("STATE_MACHINE_ARN", Function, "", "What queue messages start"),
    shown("RUNNING_EXECUTIONS", Function, "100", "Executions of one listing while no other has any"),
    shown("QUEUE_CONSUMERS", Function, "5", "Processes that take messages of the queue"),
    shown("AWS_LAMBDA_MAX_CONCURRENCY", Function, "1", "Calls in one process; set by Managed Instances"),
    shown("MEDIACONVERT_UNDECIDED_SECONDS", Function, "75", "Age of an unanswered request for a job that is repeated"),
    secret("CALLBACK_URL", Function, "Where the callback goes"),
    shown("CALLBACK_SECRET_ARN", Function, "", "The secret that signs the callback"),
    secret("CALLBACK_SECRET", Function, "The secret itself, outside Lambda only"),
    shown(
        "STAGE_SECRETS_ARN",
        Function,
        "",
        "Secrets for HTTP requests of stages: a JSON object, stored as one secret",
    ),
    secret("STAGE_SECRETS", Both, "The JSON object itself, outside Lambda only"),
    shown("TRACE_HEADER_KEY", Function, "traceparent", "The header of the callback that carries the trace"),
    shown("MEDIACONVERT_QUEUE", Function, "", "The queue of transcoding jobs"),
    shown("MEDIACONVERT_ROLE", Function, "", "The role of transcoding jobs"),
    shown("MEDIACONVERT_JOB_TEMPLATE", Function, "", "The template of transcoding jobs"),
    shown("MEDIACONVERT_STATUS_SECONDS", Function, "60", "Seconds between two reports of a job"),
    shown("ENV", Function, "unknown", "The environment's name: in metrics, and which stored pins are for it"),
    shown("LOG_LEVEL", Function, "info", "Log level of the function"),
    shown("AWS_LAMBDA_LOG_LEVEL", Function, "", "Log level that Lambda sets; LOG_LEVEL wins"),
    shown("AWS_LAMBDA_FUNCTION_NAME", Function, "", "Set by Lambda"),
    shown("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", Function, "2048", "Set by Lambda: memory in MiB"),
    shown("AWS_XRAY_DAEMON_ADDRESS", Function, "", "Set by Lambda: where traces go"),
    shown("LAMBDA_TASK_ROOT", Function, ".", "Set by Lambda: the folder of the package"),
    shown("AWS_ENDPOINT_URL_SQS", Function, "AWS_ENDPOINT_URL", "The endpoint of SQS"),
    shown("AWS_ENDPOINT_URL_SECRETS_MANAGER", Function, "AWS_ENDPOINT_URL", "The endpoint of Secrets Manager"),
    shown("AWS_ENDPOINT_URL_SSM", Function, "AWS_ENDPOINT_URL", "The endpoint of the Parameter Store"),
    shown("AWS_ENDPOINT_URL_CLOUDWATCH", Command, "AWS_ENDPOINT_URL", "The endpoint of CloudWatch, for the smoke test"),
    shown(
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
        Command,
        "AWS_ENDPOINT_URL",
        "The endpoint of CloudWatch Logs, for the console",
    ),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// The texts before the name of a variable where it is read.
    const READS: [&str; 5] = ["env::var(", "env::var_os(", "env = ", "get(", "number("];

    /// Beginnings of names that are variables wherever they occur.
    const PREFIXES: [&str; 9] = [
        "AWS_ENDPOINT_",
        "AWS_LAMBDA_",
        "AWS_XRAY_",
        "CALLBACK_",
        "LAMBDA_",
        "LOG_",
        "MEDIACONVERT_",
        "MEDIA_",
        "STAGEHOST_",
    ];

    #[test]
    fn every_variable_that_the_host_reads_is_listed_once() {
        let mut read = BTreeSet::new();
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(".."), &mut read);
        // Made by cargo for a build, read by tests only, or set by Lambda itself.
        for not_a_setting in ["CARGO_MANIFEST_DIR", "STAGEHOST_MEDIA", "AWS_LAMBDA_RUNTIME_API"] {
            read.remove(not_a_setting);
        }
        assert!(read.len() > 30, "{read:?}");
        let listed: BTreeSet<_> = VARIABLES.iter().map(|variable| variable.name.to_owned()).collect();
        assert_eq!(listed.len(), VARIABLES.len());
        let missing: Vec<_> = read.difference(&listed).collect();
        assert!(missing.is_empty(), "not in VARIABLES: {missing:?}");
    }

    #[test]
    fn every_variable_that_the_function_s_guide_names_is_listed() {
        let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../lambda/README.md");
        let guide = std::fs::read_to_string(guide).unwrap();
        let (_, guide) = guide.split_once("## Environment").unwrap();
        let (guide, _) = guide.split_once("## Events").unwrap();
        for line in guide.lines().filter(|line| line.starts_with("| `")) {
            let names = line.split('|').nth(1).unwrap().split('`').skip(1).step_by(2);
            for name in names.filter(|name| !name.starts_with('_')) {
                let known = VARIABLES.iter().any(|variable| variable.name == name && variable.reader != Command);
                assert!(known, "{name}");
            }
        }
    }

    #[test]
    fn what_is_named_a_secret_is_secret() {
        for variable in VARIABLES {
            let sounds_secret = ["SECRET", "TOKEN"].iter().any(|word| variable.name.contains(word));
            let names_another = variable.name.ends_with("_ARN") || variable.name.contains("_URL_");
            assert!(variable.secret || !sounds_secret || names_another, "{}", variable.name);
        }
    }

    fn collect(folder: &Path, read: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                collect(&path, read);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                // Tests set variables of their own.
                let (code, _) = text.split_once("#[cfg(test)]\nmod tests {").unwrap_or((&text, ""));
                let pieces: Vec<_> = code.split('"').collect();
                for pair in pieces.windows(2) {
                    let is_read = READS.iter().any(|reads| pair[0].ends_with(reads))
                        || PREFIXES.iter().any(|prefix| pair[1].starts_with(prefix));
                    if is_read && is_variable(pair[1]) {
                        read.insert(pair[1].to_owned());
                    }
                }
            }
        }
    }

    fn is_variable(text: &str) -> bool {
        text.len() > 1 && text.bytes().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == b'_')
    }
}
