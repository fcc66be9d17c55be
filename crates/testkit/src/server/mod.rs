//! An S3 server on loopback over a [`FakeS3`]: the protocol by the `s3s` crate, the rules by the fake.
//!
//! For the demo and for tests of clients. It checks signatures (SigV4) and refuses anonymous requests. What it does
//! not have it refuses with `NotImplemented`; nothing that a client asks for is silently ignored, save headers about
//! access rights and billing, which have no meaning here.

mod convert;
mod headers;
mod listing;
mod reading;
mod refusing;
mod s3;
mod tagging;
mod uploads;
mod versions;
mod writing;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::auth::{S3Auth, SecretKey};
use s3s::service::S3ServiceBuilder;
use s3s::{S3Error, S3ErrorCode, S3Result};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use crate::fake::FakeS3;
use refusing::Guarded;

pub use refusing::Turnstile;

/// Who may use the server.
#[derive(Clone)]
pub struct ServerOptions {
    /// The one access key.
    pub access_key: String,
    /// Its secret.
    pub secret_key: String,
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions").field("access_key", &self.access_key).finish_non_exhaustive()
    }
}

/// A running server. Dropping it closes the port and every connection; the objects stay with the fake.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub addr: SocketAddr,
    handle: JoinHandle<()>,
}

impl Server {
    /// The endpoint as clients want it. Buckets are in the path.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.handle.abort();
    }
}

/// Serves `fake` on a free port of 127.0.0.1.
pub async fn serve(fake: FakeS3, options: ServerOptions) -> std::io::Result<Server> {
    listen(fake, Some(options), None).await
}

/// The same behind a turnstile, which counts requests and refuses those that a test wants refused.
pub async fn serve_behind(
    fake: FakeS3,
    options: ServerOptions,
    turnstile: Turnstile,
) -> std::io::Result<Server> {
    listen(fake, Some(options), Some(turnstile)).await
}

/// Serves on a free port; without options anybody may do anything.
async fn listen(
    fake: FakeS3,
    options: Option<ServerOptions>,
    turnstile: Option<Turnstile>,
) -> std::io::Result<Server> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let addr = listener.local_addr()?;
    let mut builder = S3ServiceBuilder::new(s3::FakeServer::new(fake));
    if let Some(ServerOptions { access_key, secret_key }) = options {
        builder.set_auth(OneKey { access_key, secret_key: secret_key.into() });
    }
    let handle = tokio::spawn(accept(listener, Guarded { service: builder.build(), turnstile }));
    Ok(Server { addr, handle })
}

/// The one key that is known. Others are refused in Amazon's words.
struct OneKey {
    access_key: String,
    secret_key: SecretKey,
}

#[async_trait::async_trait]
impl S3Auth for OneKey {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.access_key {
            return Ok(self.secret_key.clone());
        }
        let message = "The AWS Access Key Id you provided does not exist in our records.";
        Err(S3Error::with_message(S3ErrorCode::InvalidAccessKeyId, message))
    }
}

/// Takes connections until it is aborted; they end with it.
async fn accept(listener: TcpListener, service: Guarded) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of descriptors, most likely: let some connections end.
                    tracing::warn!(%error, "failed to accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
        };
        // Without it small answers wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let service = service.clone();
        connections.spawn(async move {
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            if let Err(error) = served.await {
                tracing::debug!(%error, "a connection ended early");
            }
        });
    }
}

#[cfg(test)]
mod tests;
