//! A bucket with S3's rules: this project's S3 on a folder, or the S3 at the endpoint `STAGEHOST_TEST_S3`, with
//! `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` from the environment.

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use stagehost_aws::{AwsOptions, Clients, Endpoints};
use stagehost_s3::{Options, S3Service};

/// The bucket of a test.
pub struct TestBucket {
    pub clients: Clients,
    pub name: String,
    _folder: tempfile::TempDir,
}

impl TestBucket {
    pub async fn start(test: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = super::sdk_config();
        let endpoint = match std::env::var("STAGEHOST_TEST_S3") {
            Ok(endpoint) => {
                let variable = |name| std::env::var(name).unwrap();
                let keys =
                    Credentials::from_keys(variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"), None);
                config = config.into_builder().credentials_provider(SharedCredentialsProvider::new(keys)).build();
                endpoint
            }
            Err(_) => serve(folder.path()).await,
        };
        let name = format!("test-{test}-{}", std::process::id());
        let endpoints = Endpoints { s3: Some(endpoint), ..Endpoints::default() };
        let options = AwsOptions { bucket: name.clone(), endpoints, ..AwsOptions::default() };
        let clients = Clients::new(&config, options);
        clients.s3.create_bucket().bucket(&name).send().await.unwrap();
        Self { clients, name, _folder: folder }
    }

    pub async fn put(&self, key: &str, bytes: Vec<u8>) -> String {
        let output = self.clients.s3.put_object().bucket(&self.name).key(key).body(bytes.into()).send().await.unwrap();
        output.e_tag().unwrap().trim_matches('"').to_owned()
    }

    pub async fn get(&self, key: &str) -> Option<Vec<u8>> {
        let output = self.clients.s3.get_object().bucket(&self.name).key(key).send().await.ok()?;
        Some(output.body.collect().await.unwrap().to_vec())
    }

    /// Returns the number of multipart uploads that are neither completed nor aborted.
    pub async fn unfinished(&self) -> usize {
        let output = self.clients.s3.list_multipart_uploads().bucket(&self.name).send().await.unwrap();
        output.uploads().len()
    }
}

async fn serve(folder: &std::path::Path) -> String {
    let s3 = S3Service::new(folder, Options::default()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(s3.listen(listener));
    url
}
