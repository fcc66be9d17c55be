//! Tests of `body`.

use std::sync::Mutex;
use std::time::Duration;

use aws_sdk_s3::primitives::SdkBody;
use bytes::Bytes;
use http_body::{Body as _, Frame};
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::ObjectKey;
use longbow_core::port::PutBody;
use tokio::time::Instant;

use super::outgoing::MOST_AT_ONCE;
use super::*;
use futures_util::StreamExt as _;
use futures_util::stream;
use http_body_util::BodyExt as _;

const LIMITS: Limits = Limits { stall: Duration::from_secs(30), answer: Duration::from_secs(60) };

fn frames(texts: &[&'static str]) -> Vec<Result<Bytes, StoreError>> {
    texts.iter().map(|t| Ok(Bytes::from_static(t.as_bytes()))).collect()
}

fn broken() -> Result<Bytes, StoreError> {
    Err(StoreError::new(StoreErrorKind::Corrupt, "the digest does not fit"))
}

fn streamed(length: u64, frames: Vec<Result<Bytes, StoreError>>) -> PutBody {
    PutBody::Streamed { length, stream: Box::pin(stream::iter(frames)) }
}

/// Sends a body to nowhere: what arrived, and how the request ended.
async fn send(body: PutBody) -> (Vec<u8>, Result<(), Option<StoreErrorKind>>) {
    let (mut body, awaiting) = match Outgoing::new(body).await {
        Ok(outgoing) => outgoing.split(),
        Err(error) => return (Vec::new(), Err(Some(error.kind))),
    };
    let arrived = Mutex::new(Vec::new());
    let outcome = awaiting
        .answer(LIMITS, async {
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(drop)?;
                arrived.lock().unwrap().extend_from_slice(&frame.into_data().unwrap());
            }
            Ok::<_, ()>(())
        })
        .await;
    let outcome = match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(())) => Err(None),
        Err(Unanswered::Source(error)) => Err(Some(error.kind)),
        Err(_) => panic!("silence"),
    };
    (arrived.into_inner().unwrap(), outcome)
}

#[tokio::test]
async fn bodies_pass_whole() {
    assert_eq!(send(streamed(5, frames(&["ab", "", "cde"]))).await, (b"abcde".to_vec(), Ok(())));
    assert_eq!(send(streamed(0, frames(&[]))).await, (vec![], Ok(())));
    assert_eq!(send(PutBody::Kept(vec![Bytes::new()])).await, (vec![], Ok(())));
    let long = Bytes::from(vec![7; MOST_AT_ONCE * 2 + 5]);
    let kept = PutBody::Kept(vec![Bytes::from_static(b"a"), Bytes::new(), long.clone()]);
    let (arrived, outcome) = send(kept).await;
    assert_eq!((arrived.len(), arrived[0], outcome), (long.len() + 1, b'a', Ok(())));
}

#[tokio::test]
async fn a_failing_source_is_told_from_a_failing_store() {
    let mut late = frames(&["abc", "de"]);
    late.push(broken());
    let (arrived, outcome) = send(streamed(5, late)).await;
    assert_eq!(outcome, Err(Some(StoreErrorKind::Corrupt)));
    assert_eq!(arrived, b"abc", "the last frame waits for the end of the stream");
    assert_eq!(send(streamed(0, vec![broken()])).await.1, Err(Some(StoreErrorKind::Corrupt)));
}

#[tokio::test]
async fn a_wrong_length_is_an_error() {
    for (length, texts) in [(5, &["abcd"][..]), (3, &["abcd"]), (2, &["ab", "c"]), (0, &["a"]), (4, &[])] {
        let (_, outcome) = send(streamed(length, frames(texts))).await;
        assert_eq!(outcome, Err(Some(StoreErrorKind::Corrupt)), "{length} {texts:?}");
    }
}

#[tokio::test]
async fn the_length_is_known_to_the_connection() {
    let five = || async { Outgoing::new(streamed(5, frames(&["ab", "cde"]))).await.unwrap() };
    let (mut body, _) = five().await.split();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(5), false));
    body.frame().await.unwrap().unwrap();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(3), false));
    body.frame().await.unwrap().unwrap();
    assert!(body.is_end_stream());
    let (mut body, _) = five().await.split_for_sdk();
    assert_eq!((body.content_length(), body.is_end_stream()), (Some(5), false));
    body.frame().await.unwrap().unwrap();
    assert_eq!(body.content_length(), Some(3));
}

#[tokio::test]
async fn only_kept_bodies_can_be_sent_again() {
    let passing = Outgoing::new(streamed(2, frames(&["ab"]))).await.unwrap();
    assert!(passing.again().is_none());
    assert!(passing.split_for_sdk().0.try_clone().is_none());
    let kept = Outgoing::new(PutBody::Kept(vec![Bytes::from_static(b"ab")])).await.unwrap();
    let (again, _) = kept.again().unwrap().split();
    assert_eq!(again.collect().await.unwrap().to_bytes(), "ab");
    let again = kept.split_for_sdk().0.try_clone().unwrap();
    assert_eq!(again.collect().await.unwrap().to_bytes(), "ab");
}

#[tokio::test(start_paused = true)]
async fn silence_after_the_last_byte_is_limited() {
    let slow = Duration::from_secs(500);
    let stream = Box::pin(stream::once(async move {
        // Longer than any limit: bytes that are slow to come are not silence.
        tokio::time::sleep(slow).await;
        Ok(Bytes::from_static(b"ab"))
    }));
    let outgoing = Outgoing::new(PutBody::Streamed { length: 2, stream }).await.unwrap();
    let (mut body, awaiting) = outgoing.split();
    let begun = Instant::now();
    let outcome = awaiting
        .answer(LIMITS, async {
            while body.frame().await.is_some() {}
            std::future::pending::<Result<(), ()>>().await
        })
        .await;
    assert!(matches!(outcome, Err(Unanswered::Silence(limit)) if limit == LIMITS.answer));
    let passed = begun.elapsed();
    assert!(passed >= slow + LIMITS.answer && passed < slow + LIMITS.answer * 2, "{passed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_no_bytes_is_given_up() {
    let outgoing = Outgoing::new(streamed(5, frames(&["ab", "cde"]))).await.unwrap();
    let (mut body, awaiting) = outgoing.split();
    let begun = Instant::now();
    let outcome = awaiting
        .answer(LIMITS, async {
            // Slow, but not still: the first frame is taken just in time.
            tokio::time::sleep(LIMITS.stall / 2).await;
            body.frame().await;
            std::future::pending::<Result<(), ()>>().await
        })
        .await;
    assert!(matches!(outcome, Err(Unanswered::Stalled(limit)) if limit == LIMITS.stall));
    let passed = begun.elapsed();
    assert!(passed >= LIMITS.stall * 3 / 2 && passed <= LIMITS.stall * 3, "{passed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_read_that_stands_still_is_given_up() {
    let limit = Duration::from_secs(30);
    // Three frames that come just in time, and then nothing.
    let sent = stream::iter(0..3)
        .then(move |_| async move {
            tokio::time::sleep(limit - Duration::from_secs(1)).await;
            Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(b"ab")))
        })
        .chain(stream::pending());
    let body = http_body_util::StreamBody::new(Box::pin(sent));
    let mut read = reading(body, 9, Some(limit), "b".into(), ObjectKey::from("k"));
    for _ in 0..3 {
        assert_eq!(read.next().await.unwrap().unwrap(), "ab");
        // The reader's own pauses are not the server's.
        tokio::time::sleep(limit * 2).await;
    }
    let begun = Instant::now();
    let error = read.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Transient);
    assert!(error.message.contains("nothing came for 30 seconds after 6 of 9 bytes"), "{}", error.message);
    assert!(begun.elapsed() >= limit && begun.elapsed() <= limit * 2);
}

#[tokio::test]
async fn a_read_gives_what_was_announced_or_an_error() {
    async fn read(
        sent: Vec<Result<&'static str, std::io::Error>>,
        length: u64,
    ) -> (String, Option<StoreErrorKind>) {
        let frames = sent.into_iter().map(|f| f.map(|t| Frame::data(Bytes::from_static(t.as_bytes()))));
        let body = http_body_util::StreamBody::new(stream::iter(frames.collect::<Vec<_>>()));
        let mut stream =
            reading(SdkBody::from_body_1_x(body), length, None, "b".into(), ObjectKey::from("k"));
        let mut text = String::new();
        while let Some(frame) = stream.next().await {
            match frame {
                Ok(frame) => text.push_str(std::str::from_utf8(&frame).unwrap()),
                Err(error) => {
                    assert!(error.message.starts_with("GetObject of s3://b/k: "), "{}", error.message);
                    assert!(stream.next().await.is_none(), "nothing follows an error");
                    return (text, Some(error.kind));
                }
            }
        }
        (text, None)
    }
    assert_eq!(read(vec![Ok("ab"), Ok(""), Ok("c")], 3).await, ("abc".into(), None));
    assert_eq!(read(vec![], 0).await, (String::new(), None));
    assert_eq!(read(vec![Ok("ab")], 3).await, ("ab".into(), Some(StoreErrorKind::Transient)));
    assert_eq!(read(vec![Ok("ab"), Ok("cd")], 3).await, ("ab".into(), Some(StoreErrorKind::Corrupt)));
    let reset = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
    assert_eq!(read(vec![Ok("ab"), Err(reset)], 3).await, ("ab".into(), Some(StoreErrorKind::Transient)));
}
