//! Tests of `body`.

use super::*;
use futures_util::StreamExt as _;
use futures_util::stream;
use http_body_util::BodyExt as _;

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
        .answer(Duration::from_secs(60), async {
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
        Err(Unanswered::Silence(_)) => panic!("silence"),
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
    let (mut body, _) = Outgoing::new(streamed(5, frames(&["ab", "cde"]))).await.unwrap().split();
    assert_eq!((body.content_length(), body.is_end_stream()), (Some(5), false));
    body.frame().await.unwrap().unwrap();
    assert_eq!((body.content_length(), body.is_end_stream()), (Some(3), false));
    body.frame().await.unwrap().unwrap();
    assert!(body.is_end_stream());
}

#[tokio::test]
async fn only_kept_bodies_can_be_sent_again() {
    let (body, _) = Outgoing::new(streamed(2, frames(&["ab"]))).await.unwrap().split();
    assert!(body.try_clone().is_none());
    let (body, _) = Outgoing::new(PutBody::Kept(vec![Bytes::from_static(b"ab")])).await.unwrap().split();
    let again = body.try_clone().unwrap();
    assert_eq!(again.collect().await.unwrap().to_bytes(), "ab");
}

#[tokio::test]
async fn silence_after_the_last_byte_is_limited() {
    let (slow, limit) = (Duration::from_millis(200), Duration::from_millis(40));
    let stream = Box::pin(stream::once(async move {
        // Longer than the limit: bytes that are slow to come are not silence.
        tokio::time::sleep(slow).await;
        Ok(Bytes::from_static(b"ab"))
    }));
    let outgoing = Outgoing::new(PutBody::Streamed { length: 2, stream }).await.unwrap();
    let (mut body, awaiting) = outgoing.split();
    let begun = Instant::now();
    let outcome = awaiting
        .answer(limit, async {
            while body.frame().await.is_some() {}
            std::future::pending::<Result<(), ()>>().await
        })
        .await;
    assert!(matches!(outcome, Err(Unanswered::Silence(_))));
    assert!(begun.elapsed() >= slow + limit);
}

#[tokio::test]
async fn a_read_gives_what_was_announced_or_an_error() {
    async fn read(
        sent: Vec<Result<&'static str, std::io::Error>>,
        length: u64,
    ) -> (String, Option<StoreErrorKind>) {
        let frames = sent.into_iter().map(|f| f.map(|t| Frame::data(Bytes::from_static(t.as_bytes()))));
        let body = http_body_util::StreamBody::new(stream::iter(frames.collect::<Vec<_>>()));
        let mut stream = reading(SdkBody::from_body_1_x(body), length, "b".into(), ObjectKey::from("k"));
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
