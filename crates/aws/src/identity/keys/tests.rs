//! Tests of `keys`.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_async::time::TimeSource as _;

use super::*;
use crate::canned::Hand;

/// What is asked for the `n`th time, from 0: seconds until the end, or a failure; `None` never comes.
type Script = fn(usize) -> Option<Result<Option<u64>, ()>>;

#[derive(Debug)]
struct Scripted {
    script: Script,
    time: Hand,
    asked: Arc<AtomicUsize>,
}

impl ProvideCredentials for Scripted {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let n = self.asked.fetch_add(1, Ordering::SeqCst);
        let said = (self.script)(n);
        future::ProvideCredentials::new(async move {
            match said {
                None => std::future::pending().await,
                Some(Err(())) => Err(CredentialsError::provider_error("no login")),
                Some(Ok(lasting)) => {
                    let until = lasting.map(|lasting| self.time.now() + Duration::from_secs(lasting));
                    Ok(Credentials::new(format!("key-{n}"), "secret", None, until, "test"))
                }
            }
        })
    }
}

fn scripted(script: Script) -> (Keys, Hand, Arc<AtomicUsize>) {
    let (time, asked) = (Hand::default(), Arc::default());
    let provider = Scripted { script, time: time.clone(), asked: Arc::clone(&asked) };
    let keys = Keys::new(SharedCredentialsProvider::new(provider), SharedTimeSource::new(time.clone()));
    (keys, time, asked)
}

async fn key(keys: &Keys) -> String {
    keys.current().await.unwrap().credentials.access_key_id().to_owned()
}

#[tokio::test]
async fn they_are_asked_for_again_before_they_end() {
    let (keys, time, asked) = scripted(|_| Some(Ok(Some(3600))));
    for (advance, expected) in
        [(0, "key-0"), (3530, "key-0"), (20, "key-1"), (3530, "key-1"), (7200, "key-2")]
    {
        time.advance(advance);
        assert_eq!(key(&keys).await, expected, "after {advance} more seconds");
        assert_eq!(keys.provide_credentials().await.unwrap().access_key_id(), expected);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn short_lived_ones_are_not_asked_for_at_every_request() {
    let (keys, time, asked) = scripted(|_| Some(Ok(Some(30))));
    for _ in 0..30 {
        key(&keys).await;
        time.advance(1);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    let (keys, time, asked) = scripted(|_| Some(Ok(None)));
    for _ in 0..30 {
        key(&keys).await;
        time.advance(60);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2, "without an end, every quarter of an hour");
}

#[tokio::test]
async fn what_cannot_be_renewed_is_used_to_its_end() {
    let (keys, time, asked) = scripted(|n| Some(if n == 0 { Ok(Some(3600)) } else { Err(()) }));
    key(&keys).await;
    time.advance(3545);
    for _ in 0..54 {
        assert_eq!(key(&keys).await, "key-0");
        time.advance(1);
    }
    assert!((5..8).contains(&asked.load(Ordering::SeqCst)), "asked {asked:?} times");
    time.advance(10);
    let error = keys.current().await.unwrap_err();
    assert!(chain(&error).contains("no login"), "{error:?}");
}

#[tokio::test]
async fn refused_ones_are_asked_for_again_and_not_too_often() {
    let (keys, time, asked) = scripted(|_| Some(Ok(Some(3600))));
    let first = keys.current().await.unwrap();
    assert!(!keys.refused(Some(&first)), "they are new: asking again gives the same");
    time.advance(11);
    assert!(keys.refused(Some(&first)));
    assert!(keys.refused(Some(&first)), "of many requests at once, all try again");
    let second = keys.current().await.unwrap();
    assert_eq!(second.credentials.access_key_id(), "key-1");
    assert!(keys.refused(Some(&first)), "it was signed with the old ones");
    assert!(!keys.refused(Some(&second)) && !keys.refused(None));
    assert_eq!(key(&keys).await, "key-1");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn one_request_renews_and_the_others_go_on() {
    let (keys, time, asked) = scripted(|n| if n == 0 { Some(Ok(Some(3600))) } else { None });
    key(&keys).await;
    time.advance(3550);
    let renewing = tokio::spawn({
        let keys = keys.clone();
        async move { key(&keys).await }
    });
    while asked.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(key(&keys).await, "key-0");
    renewing.abort();
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_never_answers_is_given_up() {
    let (keys, _, _) = scripted(|_| None);
    assert!(matches!(keys.current().await, Err(CredentialsError::ProviderTimedOut(_))));
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let (keys, _, _) = scripted(|_| Some(Ok(None)));
    let held = keys.current().await.unwrap();
    let shown = format!("{keys:?} {held:?}");
    assert!(!shown.contains("secret\"") && !shown.contains("key-0"), "{shown}");
}
