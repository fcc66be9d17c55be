//! Connections to one store: made, kept for a while, used again.
//!
//! Apart, because a connection is driven by the task that uses it, not by one of its own: a body that passes from a GET
//! into a PUT then goes from socket to socket without waking anybody. It knows nothing of S3.

use std::collections::VecDeque;
use std::error::Error;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower_service::Service as _;

use crate::body::Parcel;

type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;
pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// Idle connections are dropped before servers drop them (S3 after some 20 s), since a streamed body that meets a dying
/// connection cannot be sent again.
const IDLE: Duration = Duration::from_secs(15);

/// Most bytes that one read takes. Frames are as large as reads, so that large objects need few of them; beyond this size the
/// allocator gives each buffer back to the system and clears a new one, which costs more than the reads saved, and memory.
const READ_BUFFER: usize = 256 << 10;

/// Why a request was not answered.
pub(crate) struct Unanswered {
    pub(crate) error: BoxError,
    /// The request, when no byte of it was sent.
    pub(crate) unsent: Option<Box<Request<Parcel>>>,
}

/// The connections to one origin.
#[derive(Debug)]
pub(crate) struct Pool {
    origin: Uri,
    connector: HttpsConnector<HttpConnector>,
    connect_timeout: Duration,
    idle: Mutex<VecDeque<(Wire, Instant)>>,
}

impl Pool {
    pub(crate) fn new(origin: Uri, connect_timeout: Duration) -> Result<Self, BoxError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        tcp.set_connect_timeout(Some(connect_timeout));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(&origin)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        Ok(Self { origin, connector, connect_timeout, idle: Mutex::default() })
    }

    /// Sends a request and waits for the headers of the answer.
    pub(super) async fn send(
        self: &Arc<Self>,
        mut request: Request<Parcel>,
    ) -> Result<Response<WireBody>, Unanswered> {
        loop {
            let idle = self.take();
            let reused = idle.is_some();
            let mut wire = match idle {
                Some(wire) => wire,
                None => match self.connect().await {
                    Ok(wire) => wire,
                    Err(error) => return Err(Unanswered { error, unsent: Some(Box::new(request)) }),
                },
            };
            match wire.exchange(request).await {
                Ok(answer) => {
                    let pool = Arc::clone(self);
                    return Ok(answer.map(|incoming| WireBody::new(incoming, wire, pool)));
                }
                // The server had closed it meanwhile, and nothing was sent.
                Err(Unanswered { unsent: Some(same), .. }) if reused => request = *same,
                Err(unanswered) => return Err(unanswered),
            }
        }
    }

    fn take(&self) -> Option<Wire> {
        loop {
            let (mut wire, since) = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop_back()?;
            if since.elapsed() < IDLE && wire.is_usable() {
                return Some(wire);
            }
        }
    }

    fn put_back(&self, wire: Wire) {
        let now = Instant::now();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while idle.front().is_some_and(|(_, since)| now.duration_since(*since) >= IDLE) {
            idle.pop_front();
        }
        idle.push_back((wire, now));
    }

    async fn connect(&self) -> Result<Wire, BoxError> {
        let mut connector = self.connector.clone();
        let connecting = async {
            poll_fn(|cx| connector.poll_ready(cx)).await?;
            connector.call(self.origin.clone()).await
        };
        // The handshake of TLS counts, too.
        let stream = tokio::time::timeout(self.connect_timeout, connecting)
            .await
            .map_err(|_| format!("no connection within {} seconds", self.connect_timeout.as_secs_f64()))??;
        let (sender, driver) =
            http1::Builder::new().max_buf_size(READ_BUFFER).handshake::<_, Parcel>(stream).await?;
        let mut wire = Wire { sender, driver: Some(Box::pin(driver)) };
        poll_fn(|cx| wire.poll_usable(cx)).await?;
        Ok(wire)
    }
}

/// Trust in the system's authorities, read once: it takes tens of milliseconds. Nothing is read for plain HTTP.
fn tls(origin: &Uri) -> Result<rustls::ClientConfig, BoxError> {
    static CONFIG: OnceLock<rustls::ClientConfig> = OnceLock::new();
    let builder = || {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()
    };
    if origin.scheme_str() != Some("https") {
        let none = rustls::RootCertStore::empty();
        return Ok(builder()?.with_root_certificates(none).with_no_client_auth());
    }
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let found = rustls_native_certs::load_native_certs();
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(ToString::to_string).unwrap_or_default();
        return Err(format!("no certificates of authorities were found {why}").into());
    }
    let config = builder()?.with_root_certificates(roots).with_no_client_auth();
    Ok(CONFIG.get_or_init(|| config).clone())
}

/// One connection.
struct Wire {
    sender: http1::SendRequest<Parcel>,
    /// `None` once the connection is closed.
    driver: Option<Pin<Box<http1::Connection<Stream, Parcel>>>>,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("open", &self.driver.is_some()).finish_non_exhaustive()
    }
}

impl Wire {
    /// Reads and writes what can be. Whoever waits for the connection has to call this. A connection that failed says so
    /// by the request or the body that it carried.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if let Some(driver) = &mut self.driver
            && let Poll::Ready(ended) = driver.as_mut().poll(cx)
        {
            if let Err(error) = ended {
                tracing::trace!("a connection ended: {error}");
            }
            self.driver = None;
        }
    }

    fn poll_usable(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<()>> {
        self.drive(cx);
        self.sender.poll_ready(cx)
    }

    /// Whether a request can be sent at once.
    fn is_usable(&mut self) -> bool {
        let mut nobody = Context::from_waker(std::task::Waker::noop());
        matches!(self.poll_usable(&mut nobody), Poll::Ready(Ok(()))) && self.driver.is_some()
    }

    async fn exchange(&mut self, request: Request<Parcel>) -> Result<Response<Incoming>, Unanswered> {
        let mut sending = std::pin::pin!(self.sender.try_send_request(request));
        let driver = &mut self.driver;
        let answered = poll_fn(|cx| {
            if let Some(running) = driver
                && running.as_mut().poll(cx).is_ready()
            {
                *driver = None;
            }
            sending.as_mut().poll(cx)
        });
        answered.await.map_err(|mut refused| Unanswered {
            unsent: refused.take_message().map(Box::new),
            error: refused.into_error().into(),
        })
    }
}

/// The body of an answer, which gives its connection back when it has been read to the end.
pub(crate) struct WireBody {
    incoming: Incoming,
    wire: Option<Wire>,
    pool: Arc<Pool>,
}

impl WireBody {
    fn new(incoming: Incoming, wire: Wire, pool: Arc<Pool>) -> Self {
        let mut body = Self { incoming, wire: Some(wire), pool };
        body.release_at_end();
        body
    }

    fn release_at_end(&mut self) {
        // One that was answered before its request was sent to the end is of no use any more.
        if self.incoming.is_end_stream()
            && let Some(mut wire) = self.wire.take()
            && wire.is_usable()
        {
            self.pool.put_back(wire);
        }
    }
}

impl Body for WireBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let mut polled = Pin::new(&mut this.incoming).poll_frame(cx);
        if polled.is_pending() {
            if let Some(wire) = &mut this.wire {
                wire.drive(cx);
            }
            polled = Pin::new(&mut this.incoming).poll_frame(cx);
        }
        let frame = ready!(polled);
        this.release_at_end();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }
}
