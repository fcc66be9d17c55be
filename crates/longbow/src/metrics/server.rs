//! The HTTP server on loopback: `/healthz`, `/readyz`, `/metrics`.
//!
//! For a machine's own agents. It answers GET and HEAD, keeps few connections, gives none much time, and reads no body. It
//! only shows; nothing can be changed by it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::{Health, Metrics, prometheus};
use crate::exit::CommandError;

/// Connections at once; others wait.
const CONNECTIONS: usize = 16;

/// For the head of a request to come.
const HEAD: Duration = Duration::from_secs(5);

/// A connection is closed after so long, whatever it does.
const LONGEST: Duration = Duration::from_secs(30);

/// Bytes of a request's head: hyper's least.
const MOST: usize = 8192;

/// Serves as long as it lives.
pub(crate) struct MetricsServer {
    task: JoinHandle<()>,
}

/// What is shown.
struct Shown {
    fleet: String,
    metrics: Arc<Metrics>,
    health: Health,
}

impl MetricsServer {
    /// Begins to listen.
    pub(crate) async fn start(
        address: SocketAddr,
        fleet: &str,
        metrics: &Arc<Metrics>,
        health: &Health,
    ) -> Result<Self, CommandError> {
        let listener = TcpListener::bind(address).await.map_err(|error| {
            CommandError::Usage(format!(
                "failed to listen on {address}: {error}; give another metrics.listen, or \"\" for none"
            ))
        })?;
        if let Ok(address) = listener.local_addr() {
            tracing::info!(%address, "listening for /healthz, /readyz and /metrics");
        }
        let (fleet, metrics, health) = (fleet.to_owned(), Arc::clone(metrics), health.clone());
        let shown = Arc::new(Shown { fleet, metrics, health });
        Ok(Self { task: tokio::spawn(serve(listener, shown)) })
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shown: Arc<Shown>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    // In a set, so that connections end with the server.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        // Never closed, so there is always a permit in the end.
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let shown = Arc::clone(&shown);
                connections.spawn(async move {
                    let _ = tokio::time::timeout(LONGEST, connection(stream, &shown)).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::debug!(%error, "a connection for metrics could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, shown: &Arc<Shown>) {
    let answer = service_fn(|request: Request<Incoming>| {
        let answer = shown.answer(request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(answer) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MOST)
        .serve_connection(TokioIo::new(stream), answer);
    if let Err(error) = served.await {
        tracing::debug!(%error, "a request for metrics was none");
    }
}

impl Shown {
    fn answer(&self, method: &Method, path: &str) -> Response<Full<Bytes>> {
        if !matches!(path, "/healthz" | "/readyz" | "/metrics") {
            return plain(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics\n");
        }
        if *method != Method::GET && *method != Method::HEAD {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED, "only to be read\n");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match path {
            "/healthz" => plain(StatusCode::OK, "ok\n"),
            "/readyz" => match self.health.ready(&self.metrics) {
                Ok(()) => plain(StatusCode::OK, "ready\n"),
                Err(why) => plain(StatusCode::SERVICE_UNAVAILABLE, &format!("{why}\n")),
            },
            _ => {
                let mut answer =
                    plain(StatusCode::OK, &prometheus::text(&self.metrics.snapshot(), &self.fleet));
                let kind = HeaderValue::from_static(prometheus::CONTENT_TYPE);
                answer.headers_mut().insert(CONTENT_TYPE, kind);
                answer
            }
        }
    }
}

fn plain(status: StatusCode, text: &str) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(Bytes::copy_from_slice(text.as_bytes())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}
