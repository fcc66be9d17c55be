//! What happens on the connection itself: replies cut short, servers that hang up, connections that died idle.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use longbow_aws::{S3Store, SideOptions, connect};
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{ObjectKey, Prefix};
use longbow_core::port::{GetRequest, HeadRequest, ObjectStore as _, PutBody, PutRequest};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A server that treats every connection as the test says.
struct Wire {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Wire {
    async fn new<F, D>(treat: F) -> Self
    where
        F: Fn(TcpStream) -> D + Send + 'static,
        D: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(treat(stream));
            }
        });
        Self { port, connections }
    }

    async fn store(&self) -> S3Store {
        let options = SideOptions {
            endpoint_url: Some(format!("http://127.0.0.1:{}", self.port)),
            access_key: Some("a".into()),
            secret_key: Some("b".into()),
            read_timeout: Duration::from_millis(400),
            stall_timeout: Duration::from_millis(300),
            ..SideOptions::default()
        };
        connect("bucket", &options).await.unwrap()
    }
}

/// Reads a request's head, and its body as far as `Content-Length` says.
async fn request(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        text.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&text).to_ascii_lowercase();
    let length =
        head.lines().find_map(|l| l.strip_prefix("content-length: ")?.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(head)
}

fn streamed(text: &'static str) -> PutBody {
    let frame = Ok(Bytes::from_static(text.as_bytes()));
    PutBody::Streamed { length: text.len() as u64, stream: Box::pin(stream::iter([frame])) }
}

fn key() -> ObjectKey {
    ObjectKey::from("k")
}

#[tokio::test]
async fn a_body_that_is_cut_short_is_an_error_after_the_bytes_that_came() {
    let wire = Wire::new(|mut stream| async move {
        request(&mut stream).await?;
        let head = "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 100\r\n\r\n";
        stream.write_all(format!("{head}{}", "z".repeat(40)).as_bytes()).await
    })
    .await;
    let mut body = wire.store().await.get(&key(), &GetRequest::default()).await.unwrap();
    assert_eq!(body.length, 100);
    let (mut came, mut end) = (0, None);
    while let Some(frame) = body.stream.next().await {
        match frame {
            Ok(frame) => came += frame.len(),
            Err(error) => end = Some(error),
        }
    }
    let error: StoreError = end.expect("a short read is no end");
    assert_eq!((came, error.kind), (40, StoreErrorKind::Transient), "{}", error.message);
    assert!(error.message.contains("after 40 of 100 bytes"), "{}", error.message);
}

#[tokio::test]
async fn a_page_without_a_length_that_is_cut_short_is_an_error() {
    let wire = Wire::new(|mut stream| async move {
        request(&mut stream).await?;
        let page = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>1</Size></Contents>";
        stream.write_all(format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{page}").as_bytes()).await
    })
    .await;
    let error = wire.store().await.list(&Prefix::default(), None).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Transient, "{}", error.message);
    assert!(error.message.contains("cut short"), "{}", error.message);
}

#[tokio::test]
async fn a_server_that_hangs_up_in_mid_write_is_a_fault_of_the_server() {
    let wire = Wire::new(|mut stream| async move {
        let mut some = [0; 1000];
        stream.read_exact(&mut some).await?;
        Ok(())
    })
    .await;
    let frame = Bytes::from(vec![7; 1 << 20]);
    let frames: Vec<Result<Bytes, StoreError>> = (0..64).map(|_| Ok(frame.clone())).collect();
    let body = PutBody::Streamed { length: 64 << 20, stream: Box::pin(stream::iter(frames)) };
    let error = wire.store().await.put(&key(), body, &PutRequest::default()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Transient, "{}", error.message);
    assert!(error.message.starts_with("PutObject of s3://bucket/k"), "{}", error.message);
}

#[tokio::test]
async fn a_server_that_takes_all_bytes_and_says_nothing_is_not_waited_for() {
    let wire = Wire::new(|mut stream| async move {
        request(&mut stream).await?;
        std::future::pending().await
    })
    .await;
    let store = wire.store().await;
    let begun = Instant::now();
    let error = store.put(&key(), streamed("bytes"), &PutRequest::default()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Transient, "{}", error.message);
    assert!(error.message.contains("of the last byte"), "{}", error.message);
    let error = store.head(&key(), &HeadRequest::default()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Transient, "{}", error.message);
    assert!(error.message.contains("no answer"), "{}", error.message);
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn connections_are_used_again_and_dead_ones_are_not() {
    // Each connection answers twice and is then closed without a word, as idle ones are.
    let wire = Wire::new(|mut stream| async move {
        for _ in 0..2 {
            request(&mut stream).await?;
            stream.write_all(b"HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 0\r\n\r\n").await?;
        }
        Ok(())
    })
    .await;
    let store = wire.store().await;
    for _ in 0..20 {
        store.put(&key(), streamed("bytes"), &PutRequest::default()).await.unwrap();
        // Lets the end of the connection arrive, as it has long done when a connection idles.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(wire.connections.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn a_refusal_before_the_body_was_read_is_told() {
    let wire = Wire::new(|mut stream| async move {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let body = "<Error><Code>SlowDown</Code><Message>less</Message></Error>";
        let reply = format!("HTTP/1.1 503 Slow Down\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(reply.as_bytes()).await?;
        // Goes on reading, so that the reply is not lost to a reset.
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop)
    })
    .await;
    let frame = Bytes::from(vec![7; 1 << 20]);
    let endless = stream::iter((0..8).map(move |_| Ok(frame.clone()))).chain(stream::pending());
    let body = PutBody::Streamed { length: 1 << 30, stream: Box::pin(endless) };
    let error = wire.store().await.put(&key(), body, &PutRequest::default()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Throttled, "{}", error.message);
}

#[tokio::test]
async fn a_body_that_stands_still_is_given_up_both_ways() {
    let wire = Wire::new(|mut stream| async move {
        let mut head = [0; 3];
        stream.read_exact(&mut head).await?;
        if &head == b"GET" {
            let reply = "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 100\r\n\r\nsome bytes";
            stream.write_all(reply.as_bytes()).await?;
        }
        // Reads no more and writes no more, and keeps the connection.
        std::future::pending().await
    })
    .await;
    let store = wire.store().await;
    let begun = Instant::now();
    let body = store.get(&key(), &GetRequest::default()).await.unwrap();
    let frames: Vec<_> = body.stream.collect().await;
    let end = frames.into_iter().find_map(Result::err).expect("a stall is no end");
    assert_eq!(end.kind, StoreErrorKind::Transient, "{}", end.message);
    assert!(end.message.contains("after 10 of 100 bytes"), "{}", end.message);
    let frame = Bytes::from(vec![7; 1 << 20]);
    let frames = stream::iter((0..256).map(move |_| Ok(frame.clone())));
    let body = PutBody::Streamed { length: 256 << 20, stream: Box::pin(frames) };
    let error = store.put(&key(), body, &PutRequest::default()).await.unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Transient, "{}", error.message);
    assert!(begun.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_source_that_pauses_does_not_end_the_write() {
    let wire = Wire::new(|mut stream| async move {
        request(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 200 OK\r\nETag: \"x\"\r\nContent-Length: 0\r\n\r\n").await
    })
    .await;
    let paused = stream::iter(["one", "two"]).then(|text| async move {
        tokio::time::sleep(Duration::from_millis(1200)).await;
        Ok(Bytes::from_static(text.as_bytes()))
    });
    let body = PutBody::Streamed { length: 6, stream: Box::pin(paused) };
    wire.store().await.put(&key(), body, &PutRequest::default()).await.unwrap();
}
