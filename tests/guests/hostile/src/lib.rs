//! A guest that misbehaves as the file's name asks, up to its first dot: `loop.jpg` and `loop.7.jpg` loop. With any other
//! name it behaves. Where the host refuses something, it returns the refusal.

wit_bindgen::generate!({ world: "thumbnails", path: "../../../wit" });

mod answers;
mod handles;
mod keys_and_bytes;
mod machine;
#[path = "../../../fixtures/refusals.rs"]
mod refusals;

use exports::toq::media::asset_stage::{Asset, Context, Failure, Guest};
use toq::media::object_writer::Writer;
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
            "loop" => machine::loop_forever(),
            "memory" => machine::take_all_memory(),
            "grow" => return Err(machine::grow_to_the_limit()),
            "stack" => {
                machine::overflow(std::hint::black_box(1));
            }
            "sleep" => std::thread::sleep(std::time::Duration::from_secs(3600)),
            "panic" => panic!("a guest's panic, on purpose"),
            "exit" => std::process::exit(7),
            "flood" => machine::flood(),
            "chatter" => machine::write_to_the_log(16 << 20),
            "line" => machine::write_one_line(60 << 20),
            "progress" => machine::report_progress(100_000),
            "random" => machine::take_random_bytes(),
            "timers" => handles::keep_timers(),
            "streams" => handles::keep_streams(),
            "networks" => handles::keep_networks(),
            "poll" => handles::poll_one_timer_many_times(200_000),
            "readers" => handles::keep_readers(&asset)?,
            "hoard" => handles::keep_writers(&asset)?,
            "abandon" => handles::abandon_writers(&asset)?,
            "half" => {
                let key = keys::derive(&asset.key, keys::Area::Thumb, "half", "jpg")?;
                let writer = Writer::create(&key, "image/jpeg", None)?;
                writer.append(&vec![0; 4 << 20])?;
                panic!("with a writer open");
            }
            "steal" => {
                objects::stat("52/raw/photo/vertical/other.jpg")?;
            }
            "climb" => {
                objects::stat("51/raw/../../pins.json")?;
            }
            "deface" => {
                Writer::create(&asset.key, "image/jpeg", None)?;
            }
            "wander" => return Err(keys_and_bytes::wander(&asset.key)),
            "keys" => return Err(keys_and_bytes::long_keys(&asset.key)),
            "headers" => return Err(keys_and_bytes::long_headers(&asset.key)),
            "list" => keys_and_bytes::append_at_once(&asset.key, 60 << 20)?,
            "appends" => keys_and_bytes::append_for_ever(&asset.key)?,
            "copies" => keys_and_bytes::copy_for_ever(&asset.key)?,
            "edges" => keys_and_bytes::ask_at_the_edges_of_numbers(&asset.key)?,
            "objects" => keys_and_bytes::write_objects_for_ever(&asset.key)?,
            "looks" => keys_and_bytes::look_until_refused(&asset.key)?,
            "stats" => keys_and_bytes::look_for_ever(),
            "writers" => keys_and_bytes::create_with_long_keys_for_ever(),
            "rename" => asset.key = "52/raw/photo/vertical/other.jpg".into(),
            "recast" => answers::recast(&mut asset),
            "forge" => answers::forge(&mut asset),
            "invent" => answers::invent(&mut asset),
            "boast" => answers::boast(&mut asset, 100_000),
            "brag" => answers::boast(&mut asset, 5000),
            "exaggerate" => answers::boast(&mut asset, 1000),
            "title" => asset.title = Some("t".repeat(60 << 20)),
            "message" => return Err(Failure::Corrupt("m".repeat(60 << 20))),
            "problem" => answers::record_a_long_problem(&mut asset),
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
