//! Calls of stages, and the honest one, of which everything is compared.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use stagehost_batch::{Asset, Batch, Id, Listing, ListingField, MediaType};
use stagehost_runtime::capability::CallScope;
use stagehost_runtime::{CallRequest, Fanout, FanoutRequest, Grants, Limits, Stage, World};

use crate::components::Guest;
use crate::outside::{ETAG, HONEST_LISTING, Outside, PHOTO_BYTES, photo_byte};

pub const HOSTILE_LISTING: u64 = 51;
pub const HONEST: Guest = Guest::new("honest", World::Thumbnails);
/// The time of one honest call, its wait for the machine included. It only ends a test of a host that starves it.
const HONEST_TIME: Duration = Duration::from_secs(60);

/// Makes one honest call and compares everything that came of it.
pub async fn honest_call(fanout: &Fanout, honest: &Arc<Stage>, outside: &Arc<Outside>) {
    let key = format!("{HONEST_LISTING}/raw/photo/vertical/2025-11-27/photo.jpg");
    let batch = batch_of(HONEST_LISTING, vec![photo(&key)]);
    let mut request = request(honest, outside, &batch, honest_limits(), "{}");
    request.call.deadline = Some(Instant::now() + HONEST_TIME);
    let outcome = fanout.run(honest.clone(), request, batch, Arc::new(())).await.unwrap();
    let asset = &outcome.batch.assets[0];
    assert_eq!((&asset.problem, &asset.title), (&None, &Some(honest_title())), "an honest call");
    let thumb = key.replace("/raw/", "/thumb/").replace("photo.jpg", "photo_reversed.jpg");
    assert_eq!(asset.renditions.iter().map(|one| &one.key).collect::<Vec<_>>(), [&thumb]);
    let reversed: Vec<u8> = (0..PHOTO_BYTES).rev().map(photo_byte).collect();
    assert!(outside.honest_bytes(&thumb).unwrap() == reversed, "{thumb} has other bytes");
}

pub fn honest_limits() -> Limits {
    Limits { memory_mib: 16, deadline_ms: HONEST_TIME.as_millis() as u64, ..Limits::default() }
}

/// Returns the title that the honest stage gives to every photo.
pub fn honest_title() -> String {
    format!("sum {}", (0..PHOTO_BYTES).map(photo_byte).map(u64::from).sum::<u64>())
}

/// Returns a call of a state, of an execution of its own.
pub fn request(stage: &Stage, outside: &Arc<Outside>, batch: &Batch, limits: Limits, config: &str) -> FanoutRequest {
    static EXECUTION: AtomicU64 = AtomicU64::new(0);
    let number = EXECUTION.fetch_add(1, Ordering::SeqCst);
    FanoutRequest {
        call: CallRequest {
            scope: CallScope {
                state: "Besiege".into(),
                execution: format!("arn:aws:states:us-east-1:000000000000:execution:machine:job-{number}"),
                attempt: 0,
                task_token: None,
                batch: Arc::new(batch.clone()),
                provenance: Arc::new(stage.provenance()),
            },
            started_at: "2026-01-01T00:00:00Z".into(),
            config: config.into(),
            limits,
            grants: grants(),
            capabilities: outside.capabilities(),
            deadline: None,
        },
        transient_fails: false,
    }
}

pub fn grants() -> Grants {
    Grants {
        read: vec!["{listingId}/raw/".into()],
        write: vec!["{listingId}/thumb/".into(), "{listingId}/processed/".into()],
        http: vec!["api.example.org".into()],
        tags: vec!["meddled".into()],
        ..Grants::default()
    }
}

pub fn photo(key: &str) -> Asset {
    let mut asset = Asset::new(key, MediaType::PhotoVertical);
    (asset.verified, asset.etag) = (true, Some(ETAG.into()));
    asset
}

pub fn batch_of(listing: u64, assets: Vec<Asset>) -> Batch {
    let mut batch = Batch::new(Listing { id: Id::Number(listing), field: ListingField::ListingId });
    (batch.batch_id, batch.assets) = (Some(Id::Number(5)), assets);
    batch.recount();
    batch
}
