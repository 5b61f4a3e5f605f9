//! Measures speed. Run it alone, with `-- --ignored --nocapture measure`; `/usr/bin/time -v` before the command gives the most
//! memory that the process took, the client's included.

use std::time::Instant;

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType, CompletedMultipartUpload, CompletedPart};

use crate::support::{BUCKET, MIB, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a check"]
async fn measure_ranges_and_composition() {
    let server = Server::start().await;
    let c = &server.client;
    // Added by hand: the first use hashes it.
    let mut file = std::fs::File::create(server.root.join("media/big")).unwrap();
    for number in 0..256 {
        std::io::Write::write_all(&mut file, &vec![number as u8; MIB]).unwrap();
    }
    let start = Instant::now();
    let etag = c.head_object().bucket(BUCKET).key("big").send().await.unwrap().e_tag.unwrap();
    println!("first look at 256 MiB put by hand: {:?}", start.elapsed());

    let start = Instant::now();
    let mut body = c.get_object().bucket(BUCKET).key("big").range("bytes=1-268435455").send().await.unwrap().body;
    let mut bytes = 0;
    while let Some(piece) = body.try_next().await.unwrap() {
        bytes += piece.len();
    }
    assert_eq!(bytes, 256 * MIB - 1);
    println!("range GET of 256 MiB - 1: {:?}", start.elapsed());

    let start = Instant::now();
    let create = c.create_multipart_upload().bucket(BUCKET).key("zip").checksum_algorithm(ChecksumAlgorithm::Crc32);
    let id = create.checksum_type(ChecksumType::FullObject).send().await.unwrap().upload_id.unwrap();
    let mut parts = Vec::new();
    for number in 1..=4 {
        let copy = c.upload_part_copy().bucket(BUCKET).key("zip").upload_id(&id).part_number(number);
        // The kernel copies whole objects; ranges are hashed while they are copied.
        let copy = copy.copy_source("media/big").copy_source_if_match(&etag);
        let copy = if number % 2 == 0 { copy.copy_source_range("bytes=1-268435455") } else { copy };
        let done = copy.send().await.unwrap().copy_part_result.unwrap();
        parts.push(CompletedPart::builder().part_number(number).set_e_tag(done.e_tag).build());
        println!("part {number} copied after {:?}", start.elapsed());
    }
    let start = Instant::now();
    let list = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    c.complete_multipart_upload().bucket(BUCKET).key("zip").upload_id(&id).multipart_upload(list).send().await.unwrap();
    println!("1 GiB completed: {:?}", start.elapsed());
}
