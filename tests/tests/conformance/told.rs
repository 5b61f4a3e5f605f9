//! What a stage is told and tells: the facts of its call, records there and back, lines, numbers, progress, output.

use stagehost_batch::{Asset, PixelSize, Problem, Rendition};
use stagehost_runtime::{Measure, MeasuredValue, StageLogLevel};

use crate::calling::TRACE;
use crate::trial::Trial;

pub fn trials() -> Vec<Trial> {
    vec![facts(), echo(), talk(), keys()]
}

fn facts() -> Trial {
    Trial::new("facts", |seen| {
        let mut told = seen.asset().attributes.clone();
        let remaining: u64 = told.remove("remaining").unwrap().parse().unwrap();
        assert!((1..=300_000).contains(&remaining), "{remaining}");
        let told: Vec<_> = told.iter().map(|(name, value)| (&**name, &**value)).collect();
        let expected = [
            ("attempt", "2"),
            ("config", r#"{"do":"facts"}"#),
            ("execution", "arn:aws:states:us-east-1:000000000000:execution:m:e"),
            ("same", "true"),
            ("started-at", "2026-01-01T00:00:00Z"),
            ("state", "Tell"),
            ("trace", TRACE),
        ];
        assert_eq!(told, expected);
    })
}

/// Every field of a file comes back as it was given, the largest numbers and any text as well.
fn echo() -> Trial {
    Trial::new("echo", |seen| assert_eq!(seen.asset(), &seen.given)).given("every field", |setting| {
        setting.asset = Asset {
            content_type: Some("image/jpeg".into()),
            bytes: Some(u64::MAX),
            sha256: Some("00".repeat(32)),
            crc32: Some(u32::MAX),
            pixels: Some(PixelSize { width: u32::MAX, height: 0 }),
            orientation: Some(u8::MAX),
            duration_ms: Some((1 << 53) + 1),
            has_audio: Some(false),
            title: Some("Küche – 家 🏠\n\u{0}\"\\".into()),
            sequence: Some(0),
            verified: true,
            renditions: vec![Rendition {
                name: "1080p".into(),
                key: "51/processed/a_1080p.mp4".into(),
                content_type: String::new(),
                pixels: None,
                bytes: (1 << 53) + 1,
                etag: "e".into(),
                crc32: Some(0),
                reused: true,
            }],
            attributes: [("thumbhash".to_owned(), "Ğ🏠".to_owned())].into(),
            problem: Some(Problem { state: "S".into(), code: "Stage.Corrupt".into(), message: "none".into() }),
            ..setting.asset.clone()
        };
    })
}

fn talk() -> Trial {
    Trial::new("talk", |seen| {
        let levels = [
            StageLogLevel::Error,
            StageLogLevel::Warn,
            StageLogLevel::Info,
            StageLogLevel::Debug,
            StageLogLevel::Trace,
        ];
        let fields = vec![("colour".to_owned(), "grün".to_owned())];
        let lines = levels.map(|level| (level, "a line – with a dash".to_owned(), fields.clone()));
        assert_eq!(*seen.heard.lines.lock().unwrap(), lines);
        let measures = [
            Measure { name: "faces".into(), value: MeasuredValue::Count(3) },
            Measure { name: "decode".into(), value: MeasuredValue::Milliseconds(vec![1.5]) },
        ];
        assert_eq!(*seen.heard.measures.lock().unwrap(), measures);
        assert_eq!(*seen.heard.progress.lock().unwrap(), [(1, 2)]);
        let printed = seen.heard.printed.lock().unwrap();
        assert!(printed.contains("printed") && printed.contains("said aside"), "{printed}");
        assert_eq!(seen.asset(), &seen.given);
    })
}

fn keys() -> Trial {
    Trial::new("keys", |seen| {
        seen.noted(&[
            ("derived", "51/thumb/photo/vertical/a_small.png"),
            ("bundle", "51/zip/batch-5/complete.zip"),
            ("listing", "51"),
            ("raw", "true"),
            ("same-type", "true"),
            ("date", "none"),
            ("name", "a.jpg"),
            ("no-key", "invalid-input"),
        ]);
    })
}
