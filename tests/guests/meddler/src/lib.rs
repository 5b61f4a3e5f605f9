//! Misuses what only the `custom` worlds have, HTTP and tags, as the file's name asks, up to its first dot. It returns what
//! the host refuses.

wit_bindgen::generate!({ world: "custom", path: "../../../wit", generate_all });

mod exchanges;
#[path = "../../../fixtures/refusals.rs"]
mod refusals;

use exchanges::Target;
use exports::toq::media::asset_stage::{Asset, Context, Failure, Guest};
use toq::media::http::{Request, send};
use toq::media::tags;

struct Meddler;
export!(Meddler);

const MIB: usize = 1 << 20;

impl Guest for Meddler {
    fn process(ctx: Context, asset: Asset) -> Result<Asset, Failure> {
        let name = asset.key.rsplit('/').next().unwrap_or_default();
        let word = name.split('.').next().unwrap_or_default();
        // Of `{"service":"http://…"}`.
        let service = ctx.config.split('"').nth(3).unwrap_or("https://api.example.org");
        if let Some(ended) = (Target { service, key: &asset.key }).misuse(word) {
            return ended.map(|()| asset);
        }
        match word {
            "requests" => loop {
                send(&get("https://api.example.org/"), 1000)?;
            },
            "url" => {
                send(&get(&format!("https://api.example.org/{}", "u".repeat(MIB))), 1000)?;
            }
            "host" => {
                send(&get(&format!("https://{}.example.org/", "h".repeat(MIB))), 1000)?;
            }
            "method" => {
                send(&Request { method: "M".repeat(MIB), ..get("https://api.example.org/") }, 1000)?;
            }
            "fields" => {
                let headers = (0..100_000).map(|n| (format!("x-{n}"), "v".repeat(100))).collect();
                send(&Request { headers, ..get("https://api.example.org/") }, 1000)?;
            }
            "short-fields" => {
                let headers = (0..80_000).map(|_| ("x".into(), "v".into())).collect();
                send(&Request { headers, ..get("https://api.example.org/") }, 1000)?;
            }
            "body" => {
                send(&Request { body: vec![0; 60 * MIB], ..get("https://api.example.org/") }, 1000)?;
            }
            "elsewhere" => {
                send(&get("http://169.254.169.254/latest/meta-data/"), 1000)?;
            }
            "freeze" => tags::set(&asset.key, "storage-class", "glacier")?,
            "label" => tags::set(&asset.key.replace("/raw/", "/thumb/"), "storage-class", "glacier")?,
            "labels" => loop {
                tags::set(&asset.key, "meddled", "yes")?;
            },
            "label-key" => tags::set(&format!("51/raw/{}", "k".repeat(MIB)), "meddled", "yes")?,
            "label-name" => tags::set(&asset.key, &"n".repeat(MIB), "yes")?,
            "label-value" => tags::set(&asset.key, "meddled", &"v".repeat(MIB))?,
            _ => {}
        }
        Ok(asset)
    }
}

fn get(url: &str) -> Request {
    Request { method: "GET".into(), url: url.into(), headers: Vec::new(), body: Vec::new() }
}
