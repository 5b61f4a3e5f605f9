//! A guest that tells what the interfaces `call`, `log` and `metrics` gave it: facts as attributes, lines, numbers; or what the
//! service said whose address is in its configuration. It is made with `stage-sdk`, so that the crate is proved in a component as well.
#![cfg(target_arch = "wasm32")]

use std::time::Duration;

use stage_sdk::bindings::toq::media::call;
use stage_sdk::{Asset, AssetStage, Call, Failure, Request};

struct Teller;

impl AssetStage for Teller {
    fn process(given: Call, mut asset: Asset) -> Result<Asset, Failure> {
        if given.config_text().contains("flood") {
            for number in 0..2000 {
                log::debug!("line {number}");
                stage_sdk::count("lines", 1);
                stage_sdk::time("no name", Duration::ZERO);
            }
            asset.set_attribute("two words", "refused");
            return Ok(asset);
        }
        if let Some(url) = given.config_text().split('"').find(|text| text.starts_with("http")) {
            let answer = Request::new("POST", url).body(asset.key.as_bytes()).send()?;
            asset.set_attribute("status", answer.status.to_string());
            asset.set_attribute("body", String::from_utf8_lossy(&answer.body));
            return Ok(asset);
        }
        log::warn!("{} has no profile", asset.key);
        stage_sdk::count("faces", 2);
        stage_sdk::count("faces", 1);
        stage_sdk::time("decode", Duration::from_micros(1500));
        asset.set_attribute("state", call::state());
        asset.set_attribute("execution", call::execution());
        asset.set_attribute("started-at", call::started_at());
        asset.set_attribute("attempt", call::attempt().to_string());
        asset.set_attribute("config", call::config());
        asset.set_attribute("remaining", given.remaining().as_millis().to_string());
        asset.set_attribute("trace", given.trace_id().unwrap_or_default());
        Ok(asset)
    }
}

stage_sdk::export_asset_stage!(Teller);
