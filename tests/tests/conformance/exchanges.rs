//! Requests and answers in pieces.

use bytes::Bytes;

use crate::bytes::{MADE, MEMORY, large, noted_with_info};
use crate::calling::KEY;
use crate::outside::at;
use crate::secret_service::{TOKEN, filmed};
use crate::trial::{Language, Seen, Trial};

pub fn trials() -> Vec<Trial> {
    vec![relay(), relay_object(), refusals()]
}

/// How much passes through the stage, each way. What the host returns to a stage in Python or JavaScript stays in its memory
/// until the call ends; see `copied` in `bytes.rs`.
fn relayed(language: Language) -> Bytes {
    match language {
        Language::Rust => large(),
        Language::Python => large().slice(..24 << 20),
        Language::Javascript => large().slice(..8 << 20),
    }
}

/// Panics if the service did not get all of the film, or its answer was not stored whole.
fn is_relayed(seen: &Seen, film: &Bytes) {
    let (key, bytes) = seen.stored();
    assert_eq!((&*key, bytes.len()), (MADE, film.len()));
    assert!(bytes == filmed(film), "other bytes");
    noted_with_info(seen, MADE, &[("status", "200")]);
    assert_eq!((seen.report.bytes_read, seen.report.bytes_written), (film.len() as u64, film.len() as u64));
    assert!(!format!("{:?} {:?}", seen.outcome, seen.heard).contains(TOKEN));
}

fn relay() -> Trial {
    Trial::new("relay", |seen| {
        is_relayed(seen, &relayed(seen.language));
        let most = if seen.language == Language::Rust { 8 } else { MEMORY as usize };
        assert!(seen.report.memory_peak <= most << 20, "{}", seen.report.memory_peak);
    })
    .given("a film", |setting| {
        setting.asset.etag = Some(setting.host.put(KEY, "video/mp4", None, relayed(setting.language)));
        setting.limits.memory_mib = MEMORY;
        at(setting, "");
    })
}

fn relay_object() -> Trial {
    Trial::new("relay-object", |seen| {
        is_relayed(seen, &large());
        assert!(seen.report.memory_peak <= 16 << 20, "{}", seen.report.memory_peak);
    })
    .given("128 MiB", |setting| {
        setting.asset.etag = Some(setting.host.put(KEY, "video/mp4", None, large()));
        at(setting, "");
    })
}

fn refusals() -> Trial {
    Trial::new("exchange-refusals", |seen| {
        seen.noted(&[
            ("foreign", "denied"),
            ("header", "invalid-input"),
            ("fifth", "invalid-input"),
            ("long-piece", "too-large"),
            ("longer", "invalid-input"),
            ("shorter", "invalid-input"),
            ("past-the-end", "invalid-input"),
            ("foreign-object", "denied"),
            ("early-read", "invalid-input"),
            ("late-write", "invalid-input"),
            ("cut", "transient"),
            ("cut-object", "transient"),
            ("upload", "denied"),
            ("secret", "denied"),
        ]);
        assert_eq!(seen.host.effects(), []);
        assert!(!format!("{:?} {:?}", seen.outcome, seen.heard).contains(TOKEN));
    })
    .given("of the host", |setting| at(setting, ""))
}
