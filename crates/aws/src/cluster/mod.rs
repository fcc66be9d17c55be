//! What the adapters of the cluster share: one identity and one pool of connections for the queue, the table and the
//! parameters, one table of failures, one way of gathering small writes.
//!
//! Apart from the S3 side, whose client is tuned for bodies and whose failures decide what becomes of a job.

mod failure;
mod gather;
mod session;

pub(crate) use longbow_core::failure::BackendErrorKind as FaultKind;

pub(crate) use failure::{About, Fault, kind_of_code, translate};
pub(crate) use gather::Gather;
pub use session::{ClusterOptions, ClusterSession};

/// A session over replies written in the test.
#[cfg(test)]
pub(crate) async fn canned_session(canned: &crate::canned::Canned) -> ClusterSession {
    let options = ClusterOptions {
        endpoint_url: Some("http://127.0.0.1:1".into()),
        region: Some("us-east-1".into()),
        access_key: Some("the-access-key".into()),
        secret_key: Some("the-secret-key".into()),
        ..ClusterOptions::default()
    };
    let http = aws_sdk_s3::config::SharedHttpClient::new(canned.clone());
    ClusterSession::open_over(&options, http).await.unwrap()
}
