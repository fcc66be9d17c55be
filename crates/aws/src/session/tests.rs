//! Tests of `session`.

use longbow_core::object::{ObjectKey, Prefix};
use longbow_core::port::{HeadRequest, ObjectStore as _};

use super::*;
use crate::canned::{Canned, Reply, keys};

const LIST: &str = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";

fn reply(status: u16, headers: &[(&'static str, &str)], body: &str) -> Option<Reply> {
    let headers = headers.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
    Some((status, headers, body.as_bytes().to_vec()))
}

#[tokio::test]
async fn amazons_buckets_are_found_in_their_own_region() {
    for refusal in [301, 400, 403] {
        let canned = Canned::new(move |asked| match asked.method.as_str() {
            "HEAD" => reply(refusal, &[("x-amz-bucket-region", "eu-west-3")], ""),
            _ => reply(200, &[], LIST),
        });
        let store = canned.store_with(&keys()).await;
        store.list(&Prefix::default(), None).await.unwrap();
        let asked = canned.asked();
        assert_eq!(asked.len(), 2);
        assert!(asked[0].uri.contains("us-east-1"), "{}", asked[0].uri);
        assert!(asked[1].uri.starts_with("https://bucket.s3.eu-west-3.amazonaws.com/"), "{}", asked[1].uri);
        assert!(asked[1].header("authorization").unwrap().contains("/eu-west-3/s3/aws4_request"));
        assert!(store.traits().amazon);
        assert_eq!(store.traits().order, Some(KeyOrder::Bytes));
        assert_eq!(store.traits().name, "s3://bucket at eu-west-3");
    }
}

#[tokio::test]
async fn other_stores_are_not_asked_for_a_region() {
    for (url, sdk_only) in [
        ("http://127.0.0.1:9/base/", false),
        ("http://127.0.0.1:9/base", false),
        ("http://127.0.0.1:9/base/", true),
        ("http://127.0.0.1:9/base", true),
    ] {
        let canned = Canned::always(200, &[], LIST);
        let options = SideOptions { endpoint_url: Some(url.into()), region: None, sdk_only, ..keys() };
        let store = canned.store_with(&options).await;
        store.check().await.unwrap();
        let asked = canned.asked();
        assert_eq!(asked.len(), 1);
        assert!(asked[0].uri.starts_with("http://127.0.0.1:9/base/bucket"), "{}", asked[0].uri);
        assert_eq!(store.traits().name, "s3://bucket at http://127.0.0.1:9/base");
        assert!(!store.traits().amazon);
        assert_eq!(store.traits().order, None);
    }
}

#[tokio::test]
async fn the_style_of_requests_follows_the_host() {
    for (url, style, begins) in [
        ("http://localhost:9", None, "http://localhost:9/bucket"),
        ("http://store.example.com", None, "http://bucket.store.example.com/"),
        ("http://store.example.com", Some(true), "http://store.example.com/bucket"),
        ("http://localhost:9", Some(false), "http://bucket.localhost:9/"),
    ] {
        let canned = Canned::always(200, &[], LIST);
        let options = SideOptions { endpoint_url: Some(url.into()), path_style: style, ..keys() };
        canned.store_with(&options).await.check().await.unwrap();
        assert!(canned.asked()[0].uri.starts_with(begins), "{}", canned.asked()[0].uri);
    }
}

#[tokio::test]
async fn nobody_signs_nothing() {
    let canned = Canned::always(200, &[("etag", "\"x\"")], "");
    let options = SideOptions {
        endpoint_url: Some("http://127.0.0.1:9".into()),
        anonymous: true,
        ..SideOptions::default()
    };
    let store = canned.store_with(&options).await;
    store.head(&ObjectKey::from("k"), &HeadRequest::default()).await.unwrap();
    assert_eq!(canned.asked()[0].header("authorization"), None);
    assert_eq!(store.traits().copy_domain, None);
}

#[tokio::test]
async fn only_sides_with_one_identity_in_one_realm_copy_to_each_other() {
    async fn domain(change: impl FnOnce(&mut SideOptions)) -> Option<String> {
        let canned = Canned::always(200, &[("x-amz-bucket-region", "us-east-1")], LIST);
        let mut options = SideOptions { endpoint_url: Some("http://127.0.0.1:9".into()), ..keys() };
        change(&mut options);
        canned.store_with(&options).await.traits().copy_domain
    }
    let base = domain(|_| {}).await;
    assert!(base.is_some());
    assert_eq!(base, domain(|o| o.endpoint_url = Some("http://127.0.0.1:9/".into())).await);
    assert_ne!(base, domain(|o| o.endpoint_url = Some("http://127.0.0.1:8".into())).await);
    assert_ne!(base, domain(|o| o.access_key = Some("another".into())).await);
    assert_ne!(base, domain(|o| o.requester_pays = true).await);
    assert_ne!(base, domain(|o| o.endpoint_url = None).await);
    assert!(!base.unwrap().contains("the-access-key"), "keys are not to be shown");
}

#[tokio::test]
async fn missing_credentials_are_told_at_once_and_in_words() {
    async fn refusal(options: SideOptions) -> StoreError {
        Canned::new(|_| None).connect(&options).await.map(drop).unwrap_err()
    }
    let here = || SideOptions { endpoint_url: Some("http://127.0.0.1:9".into()), ..SideOptions::default() };
    for options in [
        SideOptions { profile: Some("no-such-profile".into()), ..here() },
        SideOptions { access_key: Some("a".into()), ..here() },
        SideOptions { secret_key: Some("the-secret".into()), ..here() },
    ] {
        let error = refusal(options).await;
        assert_eq!(error.kind, StoreErrorKind::Credentials, "{}", error.message);
        for words in ["--profile", "AWS_ACCESS_KEY_ID", "--source-anonymous"] {
            assert!(error.message.contains(words), "{}", error.message);
        }
        assert!(!error.message.contains("the-secret"));
    }
    let error = refusal(SideOptions { endpoint_url: Some("localhost:9".into()), ..keys() }).await;
    assert_eq!(error.kind, StoreErrorKind::Permanent);
}

#[test]
fn options_do_not_show_secrets() {
    let options = SideOptions { session_token: Some("the-token".into()), ..keys() };
    let shown = format!("{options:?}");
    assert!(!shown.contains("the-secret-key") && !shown.contains("the-token"), "{shown}");
}
