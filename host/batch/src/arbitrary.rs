//! Batches for property tests: every field in every state that the types allow.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;

use crate::*;

/// Any id of a document.
pub fn id() -> impl Strategy<Value = Id> {
    prop_oneof![any::<u64>().prop_map(Id::Number), "[A-Za-z0-9_-]{1,40}".prop_map(Id::Text),]
}

pub fn media_type() -> impl Strategy<Value = MediaType> {
    select(MediaType::ALL.to_vec())
}

pub fn problem() -> impl Strategy<Value = Problem> {
    let code = select(Case::ALL.to_vec()).prop_map(|case| case.name().to_owned());
    ("[A-Z][A-Za-z]{0,20}", code, ".{0,40}").prop_map(|(state, code, message)| Problem { state, code, message })
}

fn pixels() -> impl Strategy<Value = PixelSize> {
    any::<(u32, u32)>().prop_map(|(width, height)| PixelSize { width, height })
}

pub fn rendition() -> impl Strategy<Value = Rendition> {
    (select(vec!["320x240", "640x480", "1080p"]), ".{0,30}", of(pixels()), any::<(u64, bool)>(), of(any::<u32>()))
        .prop_map(|(name, key, pixels, (bytes, reused), crc32)| Rendition {
            name: name.into(),
            key,
            content_type: "image/jpeg".into(),
            pixels,
            bytes,
            etag: "d41d8cd98f00b204e9800998ecf8427e-2".into(),
            crc32,
            reused,
        })
}

pub fn bundle() -> impl Strategy<Value = Bundle> {
    (select(vec!["complete", "originals", "thumbnails"]), any::<(u64, u32, u64, bool)>()).prop_map(
        |(name, (bytes, entries, unpacked_bytes, reused))| Bundle {
            name: name.into(),
            key: format!("51/zip/batch-5/{name}.zip"),
            bytes,
            entries,
            unpacked_bytes,
            reused,
        },
    )
}

/// Any attributes of a file or a batch.
fn attributes() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map("[A-Za-z0-9._-]{1,64}", ".{0,40}", 0..3)
}

/// Returns an asset with any key.
pub fn asset() -> impl Strategy<Value = Asset> {
    ("\\PC{0,20}", media_type()).prop_flat_map(|(key, media_type)| asset_of(key, media_type))
}

/// Returns an asset with this key and type, and any other fields.
pub fn asset_of(key: String, media_type: MediaType) -> impl Strategy<Value = Asset> {
    let declared =
        (of(".{1,20}"), of(any::<u64>()), of(".{1,20}"), of("[0-9a-f]{64}"), of(".{0,20}"), of(any::<u32>()));
    let found = (of(any::<u32>()), of(pixels()), of(1..=8u8), of(any::<u64>()), of(any::<bool>()), any::<bool>());
    let made = (vec(rendition(), 0..4), attributes());
    (declared, found, made, of(problem())).prop_map(move |(declared, found, (renditions, attributes), problem)| {
        let (content_type, bytes, etag, sha256, title, sequence) = declared;
        let (crc32, pixels, orientation, duration_ms, has_audio, verified) = found;
        let mut asset = Asset {
            key: key.clone(),
            media_type,
            content_type,
            bytes,
            etag,
            sha256,
            crc32,
            pixels,
            orientation,
            duration_ms,
            has_audio,
            title,
            sequence,
            verified,
            renditions: Vec::new(),
            attributes,
            problem,
        };
        for rendition in renditions {
            asset.add_rendition(rendition);
        }
        asset
    })
}

pub fn execution() -> impl Strategy<Value = Execution> {
    "[a-z0-9-]{1,20}".prop_map(|name| Execution {
        arn: format!("arn:aws:states:eu-west-1:000000000000:execution:machine:{name}"),
        name,
        started_at: "2025-11-27T10:00:00.123Z".into(),
    })
}

fn listing() -> impl Strategy<Value = Listing> {
    let field = select(vec![ListingField::ListingId, ListingField::ListingIdentityId]);
    (id(), field).prop_map(|(id, field)| Listing { id, field })
}

pub fn batch() -> impl Strategy<Value = Batch> {
    let ids = (listing(), of(id()), of(id()), of(".{0,20}"), any::<u32>());
    let run = (of("00-[0-9a-f]{31}1-[0-9a-f]{15}1-0[01]"), of(execution()), of(any::<u64>()));
    let made = (vec(asset(), 0..5), vec(bundle(), 0..4), vec(problem(), 0..3), vec(rendition(), 0..2), attributes());
    (ids, run, made).prop_map(|(ids, run, made)| {
        let mut batch = Batch::new(ids.0);
        (batch.batch_id, batch.job_id, batch.external_id, batch.retry) = (ids.1, ids.2, ids.3, ids.4);
        (batch.traceparent, batch.execution, batch.revision) = run;
        for asset in made.0 {
            if batch.asset(&asset.key).is_none() {
                batch.assets.push(asset);
            }
        }
        for bundle in made.1 {
            batch.add_bundle(bundle);
        }
        for problem in made.2 {
            batch.add_problem(problem);
        }
        for file in made.3 {
            batch.add_file(file);
        }
        batch.attributes = made.4;
        batch.recount();
        batch
    })
}
