//! A slow network in front of the demo's server: on loopback a copy of some hundred MiB would be over before it could
//! be killed in the middle.
//!
//! What clients send passes at a fixed pace, all connections together; answers pass at once.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

/// Bytes a second that clients can send.
pub(super) const PACE: u64 = 64 << 20;
/// Bytes that are taken at once.
const CHUNK: usize = 64 << 10;

/// A running relay. Closed when dropped.
pub(super) struct Relay {
    pub(super) addr: SocketAddr,
    task: JoinHandle<()>,
}

impl Relay {
    /// Relays a free port of loopback to a server.
    pub(super) async fn start(server: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let addr = listener.local_addr()?;
        let pace = Arc::new(Pace::default());
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                connections.spawn(relay(client, server, Arc::clone(&pace)));
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Self { addr, task })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// When the next bytes may pass.
#[derive(Default)]
struct Pace(Mutex<Option<Instant>>);

impl Pace {
    async fn wait(&self, bytes: usize) {
        let time = Duration::from_nanos(bytes as u64 * 1_000_000_000 / PACE);
        let start = {
            let mut free = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let start = free.unwrap_or_else(Instant::now).max(Instant::now());
            *free = Some(start + time);
            start
        };
        tokio::time::sleep_until(start).await;
    }
}

async fn relay(client: TcpStream, server: SocketAddr, pace: Arc<Pace>) {
    let Ok(server) = TcpStream::connect(server).await else { return };
    // Small requests and answers must not wait for more.
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = pass(from_client, to_server, Some(&pace)) => {}
        () = pass(from_server, to_client, None) => {}
    }
}

/// Passes bytes on until either end closes; a killed client takes its connection to the server with it.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, pace: Option<&Pace>) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(n @ 1..) = from.read(&mut chunk).await {
        if let Some(pace) = pace {
            pace.wait(n).await;
        }
        if to.write_all(&chunk[..n]).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_pass_both_ways_and_not_faster_than_the_pace() {
        let echo = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let relay = Relay::start(echo.local_addr().unwrap()).await.unwrap();
        let mut client = TcpStream::connect(relay.addr).await.unwrap();
        let (mut server, _) = echo.accept().await.unwrap();
        let began = std::time::Instant::now();
        let sent = vec![7; 4 << 20];
        let size = sent.len() as u64;
        let (written, received) = tokio::join!(client.write_all(&sent), async {
            let mut received = vec![0; 4 << 20];
            server.read_exact(&mut received).await.map(|_| received)
        });
        written.unwrap();
        assert!(received.unwrap() == sent);
        // The last chunk passes when its turn begins, so the time of one is missing.
        let least = Duration::from_secs_f64((size - 2 * CHUNK as u64) as f64 / PACE as f64);
        assert!(began.elapsed() >= least, "{:?}", began.elapsed());
        server.write_all(b"answer").await.unwrap();
        let mut answer = [0; 6];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"answer");
    }
}
