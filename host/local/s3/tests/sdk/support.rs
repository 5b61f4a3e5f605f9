//! A server on a free port of loopback, and an SDK client for it.
use std::path::PathBuf;
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Region};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine;
use stagehost_s3::{Options, S3Service};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub const BUCKET: &str = "media";

pub struct Server {
    pub folder: tempfile::TempDir,
    pub root: PathBuf,
    pub service: S3Service,
    pub client: Client,
    address: std::net::SocketAddr,
}

impl Server {
    pub async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub async fn with(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        let service = S3Service::new(&root, options).unwrap();
        service.ensure_bucket(BUCKET).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(service.clone().listen(listener));
        let client = client(address, "any", "thing");
        Self { folder, root, service, client, address }
    }

    pub fn client_as(&self, access_key: &str, secret_key: &str) -> Client {
        client(self.address, access_key, secret_key)
    }

    /// Sends the bytes of a request and returns the response up to the end of the connection.
    pub async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Sends the beginning of a request and disconnects.
    pub async fn break_off(&self, request: &str) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        while self.unfinished().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Returns the unfinished files in the hidden folder.
    pub fn unfinished(&self) -> Vec<PathBuf> {
        let hidden = self.root.join(".stagehost/s3");
        let entries = ["tmp", "uploads"].map(|name| std::fs::read_dir(hidden.join(name)).unwrap());
        entries.into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
    }

    /// Waits until the server has noticed that a client is gone.
    pub async fn settled(&self) {
        for _ in 0..500 {
            if self.unfinished().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn client(address: std::net::SocketAddr, access_key: &str, secret_key: &str) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(format!("http://{address}"))
        .credentials_provider(Credentials::new(access_key, secret_key, None, None, "test"))
        .retry_config(aws_sdk_s3::config::retry::RetryConfig::disabled())
        .force_path_style(true)
        .build();
    Client::from_conf(config)
}

pub fn md5_hex(bytes: &[u8]) -> String {
    use s3s::crypto::Checksum;
    hex::encode(s3s::crypto::Md5::checksum(bytes))
}

pub fn crc32_base64(bytes: &[u8]) -> String {
    base64::engine::general_purpose::STANDARD.encode(crc32fast::hash(bytes).to_be_bytes())
}

pub const MIB: usize = 1024 * 1024;

pub fn code<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> String {
    error.code().unwrap_or("none").to_owned()
}

pub fn status<E>(error: &SdkError<E>) -> u16 {
    error.raw_response().unwrap().status().as_u16()
}

pub fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

pub async fn put(server: &Server, key: &str, bytes: impl Into<Vec<u8>>) -> String {
    let put = server.client.put_object().bucket(BUCKET).key(key).body(ByteStream::from(bytes.into()));
    put.send().await.unwrap().e_tag.unwrap()
}

pub async fn get(server: &Server, key: &str) -> Vec<u8> {
    let got = server.client.get_object().bucket(BUCKET).key(key).send().await.unwrap();
    got.body.collect().await.unwrap().to_vec()
}
