//! Roles and stored keys over replies written in the test, by both ways to S3.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use longbow_core::object::Prefix;
use longbow_core::port::ObjectStore as _;
use std::sync::Arc;

use super::*;
use crate::canned::{Asked, Canned, Hand, Reply, keys};
use crate::cluster::canned_session;
use crate::ssm::Parameters;

const LIST: &str = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
const ARN: &str = "arn:aws:iam::123456789012:role/team/copy";

fn xml(status: u16, body: &str) -> Option<Reply> {
    Some((status, vec![("content-type", "text/xml".to_owned())], body.as_bytes().to_vec()))
}

fn json(status: u16, body: &str) -> Option<Reply> {
    Some((status, vec![("content-type", "application/x-amz-json-1.1".to_owned())], body.as_bytes().to_vec()))
}

fn refused_by_s3(code: &str) -> Option<Reply> {
    xml(403, &format!("<Error><Code>{code}</Code><Message>said</Message></Error>"))
}

fn is_to(asked: &Asked, service: &str) -> bool {
    asked.header("authorization").is_some_and(|text| text.contains(&format!("/{service}/aws4_request")))
}

/// The access key that a request is signed with.
fn signer(asked: &Asked) -> String {
    let text = asked.header("authorization").unwrap_or_default();
    text.split("Credential=").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default().to_owned()
}

/// The access keys of the requests to a service, in order.
fn signers(canned: &Canned, service: &str) -> Vec<String> {
    canned.asked().iter().filter(|asked| is_to(asked, service)).map(signer).collect()
}

fn role() -> RoleOptions {
    RoleOptions {
        arn: ARN.to_owned(),
        external_id: Some("the-external-id".into()),
        session_name: "longbow-worker".into(),
    }
}

fn with_role() -> SideOptions {
    SideOptions { role: Some(role()), region: Some("eu-west-1".into()), ..keys() }
}

/// A role whose keys are called by how often it was taken on, and last an hour of 2026-01-01.
fn assumed(n: usize) -> Option<Reply> {
    let until = format!("2026-01-01T{:02}:00:00Z", n + 1);
    xml(
        200,
        &format!(
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
             <AccessKeyId>ROLE-{n}</AccessKeyId><SecretAccessKey>hush</SecretAccessKey>\
             <SessionToken>token-{n}</SessionToken><Expiration>{until}</Expiration></Credentials><AssumedRoleUser>\
             <Arn>arn:aws:sts::123456789012:assumed-role/copy/s</Arn><AssumedRoleId>A:s</AssumedRoleId>\
             </AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>"
        ),
    )
}

async fn list(store: &crate::s3::S3Store) -> Result<(), StoreError> {
    store.list(&Prefix::default(), None).await.map(drop)
}

#[tokio::test]
async fn a_role_is_taken_on_with_the_sides_own_keys_and_again_before_it_ends() {
    for sdk_only in [false, true] {
        let count = AtomicUsize::new(0);
        let canned = Canned::new(move |asked| match is_to(asked, "sts") {
            true => assumed(count.fetch_add(1, Ordering::SeqCst)),
            false => xml(200, LIST),
        });
        let time = Hand::default();
        let options = SideOptions { sdk_only, ..with_role() };
        let store = canned.connect_at(&options, SharedTimeSource::new(time.clone())).await.unwrap();
        list(&store).await.unwrap();
        list(&store).await.unwrap();
        time.advance(3550);
        list(&store).await.unwrap();
        assert_eq!(signers(&canned, "sts"), ["the-access-key", "the-access-key"]);
        // The first one looks for the bucket's region.
        assert_eq!(signers(&canned, "s3"), ["ROLE-0", "ROLE-0", "ROLE-0", "ROLE-1"]);
        let asked = canned.asked();
        assert_eq!(asked[1].header("x-amz-security-token"), Some("token-0"));
        assert!(asked[0].uri.starts_with("https://sts.eu-west-1.amazonaws.com"), "{}", asked[0].uri);
        let body = String::from_utf8_lossy(&asked[0].body).into_owned();
        for words in [
            "RoleArn=arn%3Aaws",
            "ExternalId=the-external-id",
            "RoleSessionName=longbow-worker",
            "team%2Fcopy",
        ] {
            assert!(body.contains(words), "{words}: {body}");
        }
        let domain = store.traits().copy_domain.unwrap();
        assert!(domain.ends_with(&format!(" as the role {ARN}")), "{domain}");
    }
}

#[tokio::test]
async fn sts_is_asked_where_the_role_is_known() {
    for (region, arn, endpoint, begins) in [
        ("eu-west-1", ARN, None, "https://sts.eu-west-1.amazonaws.com"),
        ("eu-west-1", "arn:aws-cn:iam::1:role/r", None, "https://sts.cn-north-1.amazonaws.com.cn"),
        ("cn-northwest-1", ARN, None, "https://sts.us-east-1.amazonaws.com"),
        // A store of others answers for its roles itself; an endpoint of S3 knows none.
        ("us-east-1", ARN, Some("http://127.0.0.1:9"), "http://127.0.0.1:9/"),
        (
            "eu-west-1",
            ARN,
            Some("https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com"),
            "https://sts.eu-west-1.amazonaws.com",
        ),
    ] {
        let canned = Canned::new(|asked| if is_to(asked, "sts") { assumed(0) } else { xml(200, LIST) });
        let role = RoleOptions { arn: arn.into(), ..role() };
        let options = SideOptions {
            region: Some(region.into()),
            endpoint_url: endpoint.map(str::to_owned),
            role: Some(role),
            ..keys()
        };
        canned.connect_at(&options, SharedTimeSource::new(Hand::default())).await.unwrap();
        let asked = canned.asked();
        assert!(asked[0].uri.starts_with(begins), "{} for {region} {arn}", asked[0].uri);
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_cannot_be_taken_on_is_told_with_its_remedy() {
    for (status, code, kind, words) in [
        (403, "AccessDenied", StoreErrorKind::Credentials, "sts:AssumeRole"),
        (403, "AccessDenied", StoreErrorKind::Credentials, "external id"),
        (403, "InvalidClientTokenId", StoreErrorKind::Credentials, "renew them"),
        (403, "RegionDisabledException", StoreErrorKind::Credentials, "enable STS"),
        (400, "ValidationError", StoreErrorKind::Credentials, "ValidationError"),
    ] {
        let body = format!(
            "<ErrorResponse><Error><Code>{code}</Code><Message>said</Message></Error></ErrorResponse>"
        );
        let canned = Canned::new(move |_| xml(status, &body));
        let error = canned.connect(&with_role()).await.map(drop).unwrap_err();
        assert_eq!(error.kind, kind, "{}", error.message);
        for words in [words, ARN, "cannot be assumed", "said"] {
            assert!(error.message.contains(words), "{code}: {}", error.message);
        }
        for secret in ["the-external-id", "the-secret-key", "--source-anonymous"] {
            assert!(!error.message.contains(secret), "{}", error.message);
        }
    }
    let silent = Canned::new(|_| None);
    let error = silent.connect(&with_role()).await.map(drop).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Transient, "{}", error.message);
    assert!(error.message.contains("AWS_ENDPOINT_URL_STS"), "{}", error.message);
}

#[tokio::test]
async fn what_is_no_role_is_refused_before_anybody_is_asked() {
    let arn = |arn: &str| RoleOptions { arn: arn.into(), ..role() };
    let session = |name: &str| RoleOptions { session_name: name.into(), ..role() };
    for wrong in [
        arn("copy"),
        arn("arn:aws:iam::1:user/copy"),
        arn("arn:aws:s3:::bucket"),
        session("a b"),
        session("x"),
        session(&"x".repeat(65)),
    ] {
        let canned = Canned::new(|_| xml(200, LIST));
        let options = SideOptions { role: Some(wrong.clone()), ..with_role() };
        let error = canned.connect(&options).await.map(drop).unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Permanent, "{wrong:?}: {}", error.message);
        assert!(canned.asked().is_empty());
    }
    let options = SideOptions { anonymous: true, ..with_role() };
    let error = Canned::new(|_| None).connect(&options).await.map(drop).unwrap_err();
    assert!(error.message.contains("anonymous"), "{}", error.message);
}

/// The other account's parameter and its buckets: only the key that the parameter should hold opens them.
struct Other {
    parameter: Arc<Mutex<String>>,
    kind: &'static str,
    /// Whether Systems Manager answers.
    answers: Arc<AtomicBool>,
    valid: Arc<Mutex<String>>,
    canned: Canned,
}

fn account(key: &str) -> String {
    format!(
        r#"{{\"aws_access_key_id\": \"{key}\", \"aws_secret_access_key\": \"hush-{key}\", \"region\": \"cn-north-1\"}}"#
    )
}

impl Other {
    fn new(kind: &'static str) -> Self {
        let parameter = Arc::new(Mutex::new(account("one")));
        let (answers, valid) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new("one".to_owned())));
        let (text, up, right) = (Arc::clone(&parameter), Arc::clone(&answers), Arc::clone(&valid));
        let canned = Canned::new(move |asked| {
            if is_to(asked, "ssm") {
                if !up.load(Ordering::SeqCst) {
                    return json(400, r#"{"__type": "AccessDeniedException", "Message": "not now"}"#);
                }
                let value = text.lock().unwrap().clone();
                return json(
                    200,
                    &format!(
                        r#"{{"Parameters": [{{"Name": "keys", "Type": "{kind}", "Value": "{value}", "Version": 1}}]}}"#
                    ),
                );
            }
            match signer(asked) == *right.lock().unwrap() {
                true => xml(200, LIST),
                false => refused_by_s3("InvalidAccessKeyId"),
            }
        });
        Self { parameter, kind, answers, valid, canned }
    }

    async fn options(&self, sdk_only: bool) -> SideOptions {
        let parameters = Arc::new(Parameters::open(&canned_session(&self.canned).await).unwrap());
        let stored = StoredKeys { parameters, name: "keys".into() };
        SideOptions { stored_keys: Some(stored), sdk_only, ..SideOptions::default() }
    }

    /// The keys are replaced, and the old ones removed.
    fn rotate(&self, key: &str) {
        *self.parameter.lock().unwrap() = account(key);
        *self.valid.lock().unwrap() = key.to_owned();
    }

    fn readings(&self) -> usize {
        self.canned.asked().iter().filter(|asked| is_to(asked, "ssm")).count()
    }
}

/// LBB-44: rotated keys were read when the process began again.
#[tokio::test]
async fn lbb_44_keys_in_a_parameter_are_read_again_as_they_are_rotated() {
    for sdk_only in [false, true] {
        let other = Other::new("SecureString");
        let time = Hand::default();
        let options = other.options(sdk_only).await;
        let store = other.canned.connect_at(&options, SharedTimeSource::new(time.clone())).await.unwrap();
        assert_eq!(other.readings(), 1);
        list(&store).await.unwrap();
        let asked = other.canned.asked();
        let last = asked.last().unwrap();
        assert!(last.uri.contains("cn-north-1.amazonaws.com.cn"), "{}", last.uri);
        assert!(last.header("authorization").unwrap().contains("/cn-north-1/s3/"));
        assert!(!format!("{options:?}").contains("hush"), "{options:?}");

        // The parameter is read every few minutes.
        time.advance(200);
        list(&store).await.unwrap();
        assert_eq!(other.readings(), 1);
        time.advance(100);
        list(&store).await.unwrap();
        assert_eq!(other.readings(), 2);

        // Systems Manager fails: the keys known so far are used on.
        other.answers.store(false, Ordering::SeqCst);
        for _ in 0..3 {
            time.advance(301);
            list(&store).await.unwrap();
        }
        assert_eq!(other.readings(), 5);
        other.answers.store(true, Ordering::SeqCst);

        // Rotated: the lean path notices within its own tries, the SDK with the next request.
        time.advance(20);
        other.rotate("two");
        let first = list(&store).await;
        assert_eq!(first.is_err(), sdk_only, "{first:?}");
        list(&store).await.unwrap();
        assert_eq!(other.readings(), 6);

        // A key that stays wrong is not asked for at every request.
        *other.valid.lock().unwrap() = "three".into();
        for _ in 0..20 {
            time.advance(1);
            let error = list(&store).await.unwrap_err();
            assert_eq!(error.kind, StoreErrorKind::Credentials);
            assert!(!error.message.contains("hush"), "{}", error.message);
        }
        assert!((7..=9).contains(&other.readings()), "{}", other.readings());
    }
}

#[tokio::test(start_paused = true)]
async fn many_requests_at_a_rotation_all_succeed() {
    let other = Other::new("SecureString");
    let time = Hand::default();
    let options = other.options(false).await;
    let store = other.canned.connect_at(&options, SharedTimeSource::new(time.clone())).await.unwrap();
    time.advance(20);
    other.rotate("two");
    let all = futures_util::future::join_all((0..50).map(|_| list(&store))).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(other.readings(), 2);
}

#[tokio::test]
async fn a_region_that_is_given_wins_and_identities_are_told_apart() {
    let other = Other::new("SecureString");
    let options = SideOptions { region: Some("cn-northwest-1".into()), ..other.options(false).await };
    let store = other.canned.connect(&options).await.unwrap();
    list(&store).await.unwrap();
    assert!(other.canned.asked().last().unwrap().uri.contains("cn-northwest-1"));
    let domain = store.traits().copy_domain.unwrap();
    assert!(domain.contains("the parameter keys, the key ") && !domain.contains("one"), "{domain}");
    other.rotate("two");
    let again = other.canned.connect(&options).await.unwrap();
    assert_ne!(again.traits().copy_domain.unwrap(), domain);

    let both = SideOptions { access_key: Some("a".into()), secret_key: Some("b".into()), ..options };
    let error = other.canned.connect(&both).await.map(drop).unwrap_err();
    assert_eq!(error.kind, StoreErrorKind::Permanent, "{}", error.message);
}

#[tokio::test]
async fn a_role_can_be_taken_on_with_stored_keys() {
    let ssm = Other::new("String");
    assert_eq!(ssm.kind, "String", "which is only warned of");
    let stored = ssm.options(false).await;
    let canned = Canned::new(|asked| if is_to(asked, "sts") { assumed(0) } else { xml(200, LIST) });
    let options = SideOptions {
        role: Some(RoleOptions { arn: "arn:aws-cn:iam::1:role/r".into(), ..role() }),
        ..stored
    };
    let store = canned.connect_at(&options, SharedTimeSource::new(Hand::default())).await.unwrap();
    list(&store).await.unwrap();
    assert_eq!(signers(&canned, "sts"), ["one"]);
    assert!(canned.asked()[0].uri.starts_with("https://sts.cn-north-1.amazonaws.com.cn"));
    assert_eq!(signers(&canned, "s3").last().unwrap(), "ROLE-0");
}

#[tokio::test]
async fn keys_that_cannot_be_read_are_told_with_their_remedy() {
    let other = Other::new("SecureString");
    let options = other.options(false).await;
    other.answers.store(false, Ordering::SeqCst);
    let error = other.canned.connect(&options).await.map(drop).unwrap_err();
    for words in ["the parameter keys", "ssm:GetParameters", "kms:Decrypt", "not now"] {
        assert!(error.message.contains(words), "{}", error.message);
    }
    assert_eq!(error.kind, StoreErrorKind::Credentials);
    other.answers.store(true, Ordering::SeqCst);
    for text in [r#"hush"#, r#"[\"hush\"]"#, r#"{\"aws_secret_access_key\": \"hush\"}"#, r#"{\"hush\": 1}"#] {
        *other.parameter.lock().unwrap() = text.to_owned();
        let error = other.canned.connect(&options).await.map(drop).unwrap_err();
        assert!(!error.message.contains("hush"), "{}", error.message);
        for words in ["the parameter keys", "aws_secret_access_key", "region"] {
            assert!(error.message.contains(words), "{}", error.message);
        }
    }
}

#[test]
fn a_role_does_not_show_its_external_id() {
    let shown = format!("{:?} {:?}", role(), with_role());
    assert!(shown.contains(ARN) && !shown.contains("the-external-id"), "{shown}");
}
