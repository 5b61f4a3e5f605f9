//! The items and results of distributed Map states on the local S3.

use async_trait::async_trait;
use aws_sdk_s3::Client;
use serde_json::{Value, json};
use stagehost_asl::{ItemStorage, StorageFailure};
use stagehost_storage::{causes, sdk_reason};

/// Reads and writes objects through the S3 API, as the service does.
pub(crate) struct S3Items(pub(crate) Client);

#[async_trait]
impl ItemStorage for S3Items {
    async fn get(&self, bucket: &str, key: &str, most: usize) -> Result<Vec<u8>, StorageFailure> {
        let failed = |reason: String| StorageFailure(format!("s3://{bucket}/{key}: {reason}"));
        let sent = self.0.get_object().bucket(bucket).key(key).send().await;
        let object = sent.map_err(|error| failed(sdk_reason(&error)))?;
        let too_long = || failed(format!("the object is longer than {most} bytes"));
        let length = object.content_length.and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        if length > most {
            return Err(too_long());
        }
        let (mut body, mut bytes) = (object.body, Vec::with_capacity(length));
        while let Some(chunk) = body.try_next().await.map_err(|error| failed(causes(&error)))? {
            if bytes.len() + chunk.len() > most {
                return Err(too_long());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    async fn list(&self, bucket: &str, prefix: &str, most: usize) -> Result<Vec<Value>, StorageFailure> {
        let mut pages = self.0.list_objects_v2().bucket(bucket).prefix(prefix).into_paginator().send();
        let mut items = Vec::new();
        while let Some(page) = pages.next().await {
            let page =
                page.map_err(|error| StorageFailure(format!("s3://{bucket}/{prefix}: {}", sdk_reason(&error))))?;
            for object in page.contents.unwrap_or_default() {
                if items.len() >= most {
                    return Ok(items);
                }
                items.push(json!({
                    "Etag": object.e_tag, "Key": object.key,
                    "LastModified": object.last_modified.map(|date| date.secs()), "Size": object.size,
                    "StorageClass": object.storage_class.as_ref().map_or("STANDARD", |class| class.as_str())
                }));
            }
        }
        Ok(items)
    }

    async fn put(&self, bucket: &str, key: &str, body: Vec<u8>) -> Result<(), StorageFailure> {
        let put = self.0.put_object().bucket(bucket).key(key).content_type("application/json").body(body.into());
        let sent = put.send().await;
        sent.map(drop).map_err(|error| StorageFailure(format!("s3://{bucket}/{key}: {}", sdk_reason(&error))))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::TcpListener;

    use aws_sdk_s3::config::retry::RetryConfig;

    use super::*;
    use crate::endpoint::s3_client;

    #[tokio::test]
    async fn a_request_without_an_answer_fails_with_its_causes_and_no_debug_text() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = s3_client("eu-central-1", &format!("http://{nobody}")).config().to_builder();
        let items = S3Items(Client::from_conf(config.retry_config(RetryConfig::disabled()).build()));
        let failures = [
            items.get("media", "items.json", 10).await.unwrap_err(),
            items.list("media", "items.json", 10).await.unwrap_err(),
            items.put("media", "items.json", Vec::new()).await.unwrap_err(),
        ];
        for StorageFailure(message) in failures {
            assert!(message.starts_with("s3://media/items.json: dispatch failure: "), "{message}");
            assert!(message.contains("Connection refused"), "{message}");
            assert!(!message.contains("ConnectorError"), "debug text: {message}");
        }
    }
}
