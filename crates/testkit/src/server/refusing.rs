//! A server that has too many requests when a test says so: it counts what comes, and refuses it before it looks at it.
//!
//! Apart from the operations, as in real stores: what counts requests stands in front of what carries them out.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hyper::body::Incoming;
use hyper::service::Service;
use hyper::{Request, Response};
use s3s::service::S3Service;
use s3s::{Body, HttpError};

const REFUSAL: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>";

/// What a test says of each request.
type Refuses = dyn Fn() -> bool + Send + Sync;

/// Requests so far, and whether the next is one too many. Clones are the same.
#[derive(Clone)]
pub struct Turnstile {
    refuses: Arc<Refuses>,
    requests: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
}

impl std::fmt::Debug for Turnstile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turnstile").field("requests", &self.requests).finish_non_exhaustive()
    }
}

impl Turnstile {
    /// One that refuses the requests for which the function says so.
    pub fn new(refuses: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { refuses: Arc::new(refuses), requests: Arc::default(), refused: Arc::default() }
    }

    /// Requests that have come.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Requests that were refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::SeqCst)
    }

    /// Whether one more request passes.
    fn passes(&self) -> bool {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let refused = (self.refuses)();
        self.refused.fetch_add(u64::from(refused), Ordering::SeqCst);
        !refused
    }
}

/// The service behind it.
#[derive(Clone)]
pub(super) struct Guarded {
    pub(super) service: S3Service,
    pub(super) turnstile: Option<Turnstile>,
}

impl Service<Request<Incoming>> for Guarded {
    type Response = Response<Body>;
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if self.turnstile.as_ref().is_none_or(Turnstile::passes) {
            return Box::pin(Service::call(&self.service, request));
        }
        let mut reply = Response::new(Body::from(REFUSAL.to_owned()));
        *reply.status_mut() = hyper::StatusCode::SERVICE_UNAVAILABLE;
        Box::pin(async move { Ok(reply) })
    }
}
