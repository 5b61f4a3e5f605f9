#![allow(clippy::unwrap_used)]
//! The datagrams that the daemon receives.

use std::time::Duration;

use super::*;

fn daemon() -> (UdpSocket, String) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let address = socket.local_addr().unwrap().to_string();
    (socket, address)
}

fn received(socket: &UdpSocket) -> String {
    let mut datagram = vec![0; 1 << 16];
    let (length, _) = socket.recv_from(&mut datagram).unwrap();
    String::from_utf8(datagram[..length].to_vec()).unwrap()
}

#[test]
fn each_document_is_a_datagram_behind_the_daemons_header() {
    let (socket, address) = daemon();
    XRay::to(&address).unwrap().send(&["{\"a\":1}".into(), "{\"b\":2}".into()]);
    assert_eq!(received(&socket), "{\"format\": \"json\", \"version\": 1}\n{\"a\":1}");
    assert_eq!(received(&socket), "{\"format\": \"json\", \"version\": 1}\n{\"b\":2}");
}

#[test]
fn the_longest_document_fits_into_a_datagram() {
    let (socket, address) = daemon();
    XRay::to(&address).unwrap().send(&["x".repeat(crate::segment::MAX_DOCUMENT)]);
    assert_eq!(received(&socket).len(), HEADER.len() + crate::segment::MAX_DOCUMENT);
}

#[test]
fn the_daemons_own_notation_for_two_addresses_is_read() {
    let xray = XRay::to("tcp:127.0.0.1:2001 udp:127.0.0.1:2000").unwrap();
    assert_eq!(xray.daemon, ([127, 0, 0, 1], 2000).into());
    assert_eq!(XRay::to("169.254.79.129:2000").unwrap().daemon, ([169, 254, 79, 129], 2000).into());
}

#[test]
fn an_invalid_address_is_an_error_that_names_the_variable() {
    for address in ["", "127.0.0.1", "tcp:127.0.0.1:2000 tcp:127.0.0.1:2001", "no address"] {
        assert!(XRay::to(address).unwrap_err().to_string().contains("AWS_XRAY_DAEMON_ADDRESS"), "{address}");
    }
}

#[test]
fn a_daemon_that_does_not_run_costs_no_time() {
    let (socket, address) = daemon();
    drop(socket);
    let xray = XRay::to(&address).unwrap();
    let began = std::time::Instant::now();
    for _ in 0..100 {
        xray.send(&["{}".into()]);
    }
    xray.send(&["x".repeat(1 << 20)]);
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(xray.reported.load(Ordering::Relaxed), "a document too large for a datagram is an error, reported once");
}
