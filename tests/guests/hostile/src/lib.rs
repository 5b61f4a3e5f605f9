//! A guest that misbehaves as the file's name asks: `loop.jpg` loops. With any other name it behaves.

wit_bindgen::generate!({ world: "thumbnails", path: "../../../wit" });

use exports::toq::media::asset_stage::{Asset, Context, Failure, Guest};
use toq::media::object_writer::Writer;
use toq::media::types::Rendition;
use toq::media::{keys, objects};

struct Hostile;
export!(Hostile);

/// Counts the calls of this instance. The host makes a fresh instance for every call.
static CALLS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);

impl Guest for Hostile {
    fn process(ctx: Context, mut asset: Asset) -> Result<Asset, Failure> {
        let name = asset.key.rsplit('/').next().unwrap_or_default().to_owned();
        let misbehaviour = name.split('.').next().unwrap_or_default();
        let calls = CALLS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        match misbehaviour {
            "loop" => loop_forever(),
            "memory" => memory_bomb(),
            "stack" => {
                overflow(std::hint::black_box(1));
            }
            "sleep" => std::thread::sleep(std::time::Duration::from_secs(3600)),
            "panic" => panic!("a guest's panic, on purpose"),
            "exit" => std::process::exit(7),
            "flood" => {
                for line in 0..100_000 {
                    eprintln!("line {line} of a flood");
                }
            }
            "rename" => asset.key = "52/raw/photo/vertical/other.jpg".into(),
            "steal" => {
                objects::stat("52/raw/photo/vertical/other.jpg")?;
            }
            "climb" => {
                objects::stat("51/raw/../../pins.json")?;
            }
            "deface" => {
                Writer::create(&asset.key, "image/jpeg", None)?;
            }
            "half" => {
                let key = keys::derive(&asset.key, keys::Area::Thumb, "half", "jpg")?;
                let writer = Writer::create(&key, "image/jpeg", None)?;
                writer.append(&vec![0; 9 << 20])?;
                panic!("with a writer open");
            }
            "hoard" => {
                let mut writers = Vec::new();
                for number in 0..1000 {
                    let key = keys::derive(&asset.key, keys::Area::Thumb, &format!("hoard{number}"), "jpg")?;
                    writers.push(Writer::create(&key, "image/jpeg", None)?);
                }
            }
            "boast" => {
                let numbered = |number: u32| rendition(&number.to_string(), &format!("51/thumb/{number}.jpg"));
                asset.renditions = (0..100_000).map(numbered).collect();
            }
            "forge" => asset.renditions.push(rendition("forged", "52/thumb/theirs.jpg")),
            "environment" => {
                let seen: Vec<_> = std::env::vars().map(|(name, _)| name).collect();
                let files = std::fs::read_dir("/").map(|d| d.count()).unwrap_or(0);
                return Err(Failure::Internal(format!("variables {seen:?}, files {files}")));
            }
            "network" => {
                let answer = std::net::TcpStream::connect("127.0.0.1:80");
                return Err(Failure::Internal(format!("connected: {}", answer.is_ok())));
            }
            "memory-of-others" => asset.title = Some(format!("calls before in this instance: {calls}")),
            "secrets" => return Err(Failure::Internal(format!("{} {}", ctx.config, ctx.execution))),
            _ => {}
        }
        Ok(asset)
    }
}

fn rendition(name: &str, key: &str) -> Rendition {
    Rendition {
        name: name.into(),
        key: key.into(),
        content_type: "image/jpeg".into(),
        pixels: None,
        bytes: 1,
        etag: "e".into(),
        crc32: None,
        reused: false,
    }
}

#[inline(never)]
fn loop_forever() {
    let mut number = 1u64;
    while std::hint::black_box(number) != 0 {
        number = number.wrapping_mul(3) | 1;
    }
}

fn memory_bomb() {
    let mut all = Vec::new();
    loop {
        all.push(std::hint::black_box(vec![1u8; 16 << 20]));
    }
}

#[inline(never)]
#[allow(unconditional_recursion)]
fn overflow(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    overflow(depth + 1) + frame[depth as usize % 64]
}
