//! Many streams against one service, compared with other people's digests.

use super::super::running::tests::{cut, reference};
use super::*;
use proptest::prelude::*;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const BOTH: Wanted = Wanted { crc32c: true, crc32: true };

fn service(queue_bytes: usize, threads: usize) -> DigestService {
    let threads = NonZeroUsize::new(threads).unwrap();
    DigestService::new(DigestOptions { threads, queue_bytes, here_below: 4096 })
}

fn data(length: usize, seed: u64) -> Vec<u8> {
    let mut x = seed;
    let mut byte = || {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1);
        (x >> 56) as u8
    };
    (0..length).map(|_| byte()).collect()
}

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(30), future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} takes for ever"),
    }
}

/// Every part gets its own digest, whatever runs beside it.
async fn all_right(service: &DigestService, parts: Vec<(usize, Vec<usize>)>) {
    let mut tasks = JoinSet::new();
    for (seed, (length, sizes)) in parts.into_iter().enumerate() {
        let service = service.clone();
        tasks.spawn(async move {
            let data = data(length, seed as u64);
            // The hint may be wrong either way.
            let hint = [length as u64, 0, 1 << 40][seed % 3];
            let mut stream = service.stream(hint, BOTH);
            for frame in cut(&data, &sizes) {
                stream.update(frame).await;
            }
            assert_eq!(stream.finish().await, reference(&data, BOTH), "{length} bytes, hint {hint}");
        });
    }
    while let Some(task) = soon("a digest", tasks.join_next()).await {
        task.unwrap();
    }
    assert_eq!(service.pending(), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_streams_side_by_side(
        parts in proptest::collection::vec(
            (0usize..300_000, proptest::collection::vec(0usize..9000, 0..30)), 1..70),
        queue in prop_oneof![Just(1usize), 1000usize..100_000, Just(24 << 20)],
        threads in 1usize..3,
    ) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(all_right(&service(queue, threads), parts));
    }
}

#[tokio::test]
async fn memory_is_bounded_and_nobody_is_starved() {
    const FRAME: usize = 64 << 10;
    const LIMIT: usize = 1 << 20;
    let service = service(LIMIT, 1);
    let frame = Bytes::from(data(FRAME, 7));
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let (service, frame) = (service.clone(), frame.clone());
        tasks.spawn(async move {
            let mut stream = service.stream(1 << 30, Wanted::default());
            for _ in 0..64 {
                stream.update(frame.clone()).await;
                let pending = service.pending();
                assert!(pending <= LIMIT + FRAME, "{pending} bytes pending");
            }
            stream.finish().await
        });
    }
    let expected = DigestService::digest_now(&vec![frame; 64], Wanted::default());
    while let Some(digest) = soon("a stream", tasks.join_next()).await {
        assert_eq!(digest.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_frame_larger_than_the_queue_passes() {
    let service = service(1000, 1);
    let bytes = data(3 << 20, 1);
    let mut stream = service.stream(6 << 20, Wanted::default());
    soon("the first frame", stream.update(bytes.clone().into())).await;
    soon("the second frame", stream.update(bytes.clone().into())).await;
    let digest = soon("the digest", stream.finish()).await;
    assert_eq!(digest, reference(&[bytes.clone(), bytes].concat(), Wanted::default()));
}

#[tokio::test]
async fn streams_that_stand_still_hold_nobody_up() {
    let service = service(24 << 20, 1);
    let mut still: Vec<_> = (0..63).map(|_| service.stream(1 << 30, Wanted::default())).collect();
    for (seed, stream) in still.iter_mut().enumerate() {
        stream.update(data(5000 + seed * 77, seed as u64).into()).await;
    }
    let bytes = data(1 << 20, 99);
    let mut stream = service.stream(1 << 30, BOTH);
    for frame in cut(&bytes, &[100_000; 20]) {
        soon("room", stream.update(frame)).await;
    }
    assert_eq!(soon("the digest", stream.finish()).await, reference(&bytes, BOTH));
    for (seed, stream) in still.into_iter().enumerate() {
        let expected = reference(&data(5000 + seed * 77, seed as u64), Wanted::default());
        assert_eq!(soon("a still one", stream.finish()).await, expected);
    }
}

#[tokio::test]
async fn a_dropped_stream_frees_its_frames_and_makes_room() {
    struct Tracked {
        _alive: Arc<()>,
        bytes: Vec<u8>,
    }
    impl AsRef<[u8]> for Tracked {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }
    let alive = Arc::new(());
    let frame = |length| Bytes::from_owner(Tracked { _alive: Arc::clone(&alive), bytes: vec![1; length] });
    // Too little in all for the thread to be woken.
    let service = service(24 << 20, 1);
    let mut stream = service.stream(1 << 30, Wanted::default());
    for _ in 0..4 {
        stream.update(frame(10_000)).await;
    }
    assert_eq!((service.pending(), Arc::strong_count(&alive)), (40_000, 5));
    drop(stream);
    assert_eq!((service.pending(), Arc::strong_count(&alive)), (0, 1));
    // And in the middle of hashing.
    for round in 0..50 {
        let mut stream = service.stream(1 << 30, Wanted::default());
        for _ in 0..20 {
            stream.push(frame(100_000));
        }
        if round % 2 == 0 {
            tokio::task::yield_now().await;
        }
        drop(stream);
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    while service.pending() > 0 || Arc::strong_count(&alive) > 1 {
        assert!(Instant::now() < deadline, "{} frames are still held", Arc::strong_count(&alive) - 1);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn small_parts_never_meet_a_thread() {
    let service = service(24 << 20, 1);
    let bytes = data(4095, 3);
    let mut stream = service.stream(4095, BOTH);
    for frame in cut(&bytes, &[1000; 5]) {
        stream.update(frame).await;
    }
    assert!(matches!(stream.place, Place::Here(_)));
    assert_eq!(stream.finish().await, reference(&bytes, BOTH));
    let mut started = true;
    let none = || {
        started = false;
        Err(std::io::ErrorKind::Other.into())
    };
    assert!(service.inner.hubs[0].start(none).is_err() && !started, "there was no thread");
}

#[tokio::test]
async fn the_threads_end_with_the_service() {
    let service = service(24 << 20, 2);
    let hubs: Vec<_> = service.inner.hubs.iter().map(Arc::downgrade).collect();
    let mut streams: Vec<_> = (0..40).map(|_| service.stream(1 << 30, Wanted::default())).collect();
    drop(service);
    // Streams outlive the service that they came from.
    for stream in &mut streams {
        stream.update(Bytes::from_static(&[7; 20_000])).await;
    }
    for stream in streams {
        let digest = soon("the digest", stream.finish()).await;
        assert_eq!(digest, reference(&[7; 20_000], Wanted::default()));
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    while hubs.iter().any(|hub| hub.upgrade().is_some()) {
        assert!(Instant::now() < deadline, "a thread lives on");
        tokio::task::yield_now().await;
    }
}
