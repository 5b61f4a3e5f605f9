//! How clients reach the services.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};

/// The access key and secret for SDKs. They protect nothing: the services only listen on loopback.
pub const CREDENTIALS: (&str, &str) = ("local", "local");

/// Returns the URL of a bound address.
pub(crate) fn endpoint(address: SocketAddr) -> String {
    // An unspecified address listens on all interfaces; clients use loopback.
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    format!("http://{}", SocketAddr::new(ip, address.port()))
}

/// Returns an S3 client of the local services.
pub(crate) fn s3_client(region: &str, endpoint: &str) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(Credentials::new(CREDENTIALS.0, CREDENTIALS.1, None, None, "local"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .build();
    aws_sdk_s3::Client::from_conf(config)
}
