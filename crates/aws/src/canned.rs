//! A store over replies written in the test, which records what was asked.

use std::sync::{Arc, Mutex};

use aws_sdk_s3::config::SharedHttpClient;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use longbow_core::failure::StoreError;

use crate::body::Parcel;
use crate::lean::{Address, ReplyBody, Transport};
use crate::s3::S3Store;
use crate::session::{SideOptions, connect_over};

/// One request as it left.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// A reply: status, headers, body.
pub(crate) type Reply = (u16, Vec<(&'static str, String)>, Vec<u8>);

type Answer = dyn Fn(&Asked) -> Option<Reply> + Send + Sync;

/// Answers every request by a function. `None` never answers.
#[derive(Clone)]
pub(crate) struct Canned {
    says: Arc<Answer>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl std::fmt::Debug for Canned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Canned")
    }
}

impl Canned {
    pub(crate) fn new(answer: impl Fn(&Asked) -> Option<Reply> + Send + Sync + 'static) -> Self {
        Self { says: Arc::new(answer), asked: Arc::default() }
    }

    /// Always the same reply.
    pub(crate) fn always(status: u16, headers: &[(&'static str, &str)], body: &str) -> Self {
        let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
        let body = body.as_bytes().to_vec();
        Self::new(move |_| Some((status, headers.clone(), body.clone())))
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) async fn store_with(&self, options: &SideOptions) -> S3Store {
        self.connect(options).await.unwrap()
    }

    pub(crate) async fn connect(&self, options: &SideOptions) -> Result<S3Store, StoreError> {
        self.connect_at(options, SharedTimeSource::default()).await
    }

    /// The same at another time.
    pub(crate) async fn connect_at(
        &self,
        options: &SideOptions,
        time: SharedTimeSource,
    ) -> Result<S3Store, StoreError> {
        let lean = |address: &Address, options: &SideOptions| match options.sdk_only {
            true => Err("as asked".into()),
            false => Ok(Transport::Canned(self.clone(), address.origin().clone())),
        };
        connect_over("bucket", options, SharedHttpClient::new(self.clone()), time, lean).await
    }

    async fn reply(&self, asked: Asked) -> http::Response<Bytes> {
        self.asked.lock().unwrap().push(asked.clone());
        let Some((status, headers, body)) = (self.says)(&asked) else {
            std::future::pending::<()>().await;
            unreachable!("never answered")
        };
        let mut response = http::Response::builder().status(status);
        if !headers.iter().any(|(n, _)| *n == "content-length") {
            response = response.header("content-length", body.len());
        }
        for (name, value) in headers {
            // Latin-1, as old servers send it.
            let bytes: Vec<u8> = value.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
            response = response.header(name, bytes);
        }
        let body = if asked.method == "HEAD" { Bytes::new() } else { Bytes::from(body) };
        response.body(body).unwrap()
    }

    /// A request of the lean path. Its URI is completed, so that both paths ask alike.
    pub(crate) async fn answer(
        &self,
        request: http::Request<Parcel>,
        origin: &http::Uri,
    ) -> http::Response<ReplyBody> {
        let (head, body) = request.into_parts();
        let headers = head.headers.iter();
        let text = |value: &http::HeaderValue| String::from_utf8(value.as_bytes().to_vec()).unwrap();
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let asked = Asked {
            method: head.method.to_string(),
            uri: format!("{}{}", origin.to_string().trim_end_matches('/'), head.uri),
            headers: headers.map(|(n, v)| (n.as_str().to_owned(), text(v))).collect(),
            body,
        };
        self.reply(asked).await.map(|body| ReplyBody::Canned(body.into()))
    }
}

/// Who owns the bucket, and the one that is copied from.
pub(crate) const OWNER: &str = "123456789012";
pub(crate) const OWNER_OF_SOURCE: &str = "210987654321";

pub(crate) fn keys() -> SideOptions {
    SideOptions {
        expected_bucket_owner: Some(OWNER.into()),
        copied_bucket_owner: Some(OWNER_OF_SOURCE.into()),
        region: Some("us-east-1".into()),
        access_key: Some("the-access-key".into()),
        secret_key: Some("the-secret-key".into()),
        ..SideOptions::default()
    }
}

impl HttpClient for Canned {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Canned {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            let body = std::mem::replace(request.body_mut(), SdkBody::taken());
            let body = body.collect().await.map_err(ConnectorError::user)?.to_bytes();
            let asked = Asked {
                method: request.method().to_owned(),
                uri: request.uri().to_owned(),
                headers: request.headers().iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
                body,
            };
            let response = this.reply(asked).await.map(SdkBody::from);
            Ok(HttpResponse::try_from(response).unwrap())
        })
    }
}

/// A time that a test sets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hand(Arc<std::sync::atomic::AtomicU64>);

impl Hand {
    pub(crate) fn advance(&self, seconds: u64) {
        self.0.fetch_add(seconds, std::sync::atomic::Ordering::SeqCst);
    }
}

impl aws_smithy_async::time::TimeSource for Hand {
    /// Begins at 2026-01-01.
    fn now(&self) -> std::time::SystemTime {
        let since = 1_767_225_600 + self.0.load(std::sync::atomic::Ordering::SeqCst);
        std::time::UNIX_EPOCH + std::time::Duration::from_secs(since)
    }
}
