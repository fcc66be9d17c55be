//! The table over replies written in the test: faults that no server makes on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt as _;
use longbow_core::failure::{BackendErrorKind, FailureClass};
use longbow_core::job::{ObjectRecord, RecordState, SourceVersion};
use longbow_core::object::{Checksums, ETag, Location, ObjectKey, Timestamp};
use longbow_core::port::{RunLock as _, StateStore as _, SwapError, UploadId};
use longbow_core::route::Route;
use longbow_core::transfer::PartProof;
use longbow_testkit::fake::FakeClock;
use serde_json::{Value, json};

use super::*;
use crate::canned::{Asked, Canned};
use crate::cluster::canned_session;

type Answer = Option<(u16, Value)>;

fn call(asked: &Asked) -> &str {
    asked.header("x-amz-target").and_then(|target| target.rsplit('.').next()).unwrap_or_default()
}

fn body(asked: &Asked) -> Value {
    serde_json::from_slice(&asked.body).unwrap()
}

/// A service that answers calls by name; how many calls came before is told to the function.
fn service(answer: impl Fn(&str, Value, usize) -> Answer + Send + Sync + 'static) -> Canned {
    let count = AtomicUsize::new(0);
    Canned::new(move |asked| {
        let (status, reply) = answer(call(asked), body(asked), count.fetch_add(1, Ordering::SeqCst))?;
        let headers = vec![("content-type", "application/x-amz-json-1.0".to_owned())];
        Some((status, headers, reply.to_string().into_bytes()))
    })
}

async fn table(canned: &Canned) -> StateTable {
    let options = TableOptions::new("jobs-state");
    StateTable::open(&canned_session(canned).await, options, Arc::new(FakeClock::new())).unwrap()
}

async fn state(canned: &Canned) -> DynamoState {
    let parse = |text| Location::parse(text, false).unwrap();
    let route = Route { source: parse("s3://source"), destination: parse("s3://destination") };
    table(canned).await.state(&route, [None, None])
}

fn record() -> ObjectRecord {
    let source = SourceVersion { size: 1, etag: None, version: None, modified: None };
    let state = RecordState::Failed { class: FailureClass::Permanent, reason: "gone".into() };
    ObjectRecord {
        source,
        attempts: 1,
        updated: Timestamp(1),
        state,
        sequencer: None,
        transfer: None,
        found: false,
    }
}

fn key() -> ObjectKey {
    ObjectKey::from("k")
}

fn proof(number: u32) -> PartProof {
    let md5 = "d41d8cd98f00b204e9800998ecf8427e".to_owned();
    PartProof { number, size: 5, etag: ETag::new(&md5), md5, checksums: Checksums::default() }
}

const BROKEN: Answer = Some((500, Value::Null));

fn conflict(item: &Value) -> Answer {
    Some((
        400,
        json!({ "__type": "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException", "Item": item }),
    ))
}

/// The SDK asks again when an answer is lost, and then its own first request is in the way.
#[tokio::test(start_paused = true)]
async fn a_swap_whose_answer_was_lost_is_no_conflict() {
    let canned = service(|_, request, before| match before {
        0 => BROKEN,
        _ => conflict(&request["Item"]),
    });
    let version = state(&canned).await.swap(&key(), Some(5), record()).await.unwrap();
    assert_eq!(version, 6);
    let request = body(&canned.asked()[0]);
    assert_eq!(request["ConditionExpression"], "#version = :expected");
    assert_eq!(request["ExpressionAttributeValues"][":expected"]["N"], "5");

    // Somebody else's is.
    let canned = service(|_, request, _| {
        let mut theirs = request["Item"].clone();
        theirs["write"] = json!({ "S": "theirs" });
        conflict(&theirs)
    });
    let lost = state(&canned).await.swap(&key(), None, record()).await.unwrap_err();
    assert!(matches!(lost, SwapError::Conflict), "{lost:?}");
    assert_eq!(body(&canned.asked()[0])["ConditionExpression"], "attribute_not_exists(#pk)");
}

#[tokio::test(start_paused = true)]
async fn a_lock_whose_answer_was_lost_is_held() {
    let canned = service(|_, request, before| {
        let values = &request["ExpressionAttributeValues"];
        let item = json!({ "write": values[":write"], "holder": values[":holder"], "until": values[":until"], "token": { "N": "4" } });
        if before == 0 { BROKEN } else { conflict(&item) }
    });
    let lock = table(&canned).await.acquire("jobs", "me", Duration::from_secs(60)).await.unwrap();
    assert_eq!((lock.token, lock.holder.as_str()), (4, "me"));
}

/// LBB-26, LB-59: pages after the first were not read.
#[tokio::test]
async fn lbb_26_queries_are_read_to_their_last_page() {
    let canned = service(|name, request, _| {
        assert_eq!(name, "Query");
        let start = &request["ExclusiveStartKey"];
        let at = start["sk"]["S"].as_str().map_or(0, |sk| sk.parse::<usize>().unwrap());
        let pk = request["ExpressionAttributeValues"][":pk"]["S"].as_str().unwrap();
        if !pk.ends_with("#07") {
            return Some((200, json!({ "Items": [], "Count": 0 })));
        }
        let mut reply = json!({ "Items": [] });
        if at > 0 {
            let place = place::Place { pk: pk.into(), sk: format!("{at:03}") };
            let mut item =
                json!({ "pk": { "S": place.pk }, "sk": { "S": place.sk }, "version": { "N": "1" } });
            item["state"] = json!({ "S": "failed" });
            item["class"] = json!({ "S": "permanent" });
            item["reason"] = json!({ "S": "gone" });
            item["attempts"] = json!({ "N": "1" });
            item["updated"] = json!({ "N": "1" });
            item["source"] = json!({ "M": { "size": { "N": "1" } } });
            reply["Items"] = json!([item]);
        }
        if at < 5 {
            // The first page is empty, which is not the end.
            reply["LastEvaluatedKey"] = json!({ "pk": { "S": pk }, "sk": { "S": format!("{:03}", at + 1) } });
        }
        Some((200, reply))
    });
    let state = state(&canned).await;
    let pages: Vec<Vec<Recorded>> = state.records().try_collect().await.unwrap();
    let found: Vec<String> = pages.into_iter().flatten().map(|r| r.subject.as_str().to_owned()).collect();
    assert_eq!(found, ["001", "002", "003", "004", "005"]);
    assert!(body(&canned.asked()[0])["ConsistentRead"] == true);
    let in_order: Vec<Recorded> = state.in_order(None).try_collect().await.unwrap();
    assert_eq!(in_order.len(), 5);
    let count = state.count().await.unwrap();
    assert_eq!(count, StateCount { failed: 5, ..StateCount::default() });
}

/// LBB-22 for the table: what cannot be read must not look like the end.
#[tokio::test(start_paused = true)]
async fn lbb_22_a_page_that_fails_is_an_error() {
    let canned = service(|_, request, _| {
        let pk = request["ExpressionAttributeValues"][":pk"]["S"].as_str().unwrap();
        if pk.ends_with("#20") { BROKEN } else { Some((200, json!({ "Items": [] }))) }
    });
    let state = state(&canned).await;
    assert!(state.records().try_collect::<Vec<_>>().await.is_err());
    assert!(state.in_order(None).try_collect::<Vec<_>>().await.is_err());
    assert!(state.count().await.is_err());
    assert!(state.failed().try_collect::<Vec<_>>().await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_a_batch_leaves_over_is_asked_for_again() {
    let canned = service(|name, request, before| {
        assert_eq!(name, "BatchGetItem");
        let keys = request["RequestItems"]["jobs-state"]["Keys"].as_array().unwrap();
        let give = if before == 0 { 1 } else { keys.len() };
        let items: Vec<Value> = keys[..give]
            .iter()
            .map(|key| {
                let mut item = key.clone();
                item["version"] = json!({ "N": "1" });
                item["state"] = json!({ "S": "waiting" });
                item["upload"] = json!({ "NULL": true });
                item["class"] = json!({ "S": "transient" });
                item["reason"] = json!({ "S": "" });
                item["attempts"] = json!({ "N": "1" });
                item["updated"] = json!({ "N": "1" });
                item["source"] = json!({ "M": { "size": { "N": "1" } } });
                item
            })
            .collect();
        let mut reply = json!({ "Responses": { "jobs-state": items }, "UnprocessedKeys": {} });
        if give < keys.len() {
            reply["UnprocessedKeys"] = json!({ "jobs-state": { "Keys": keys[give..] } });
        }
        Some((200, reply))
    });
    let state = state(&canned).await;
    let subjects: Vec<ObjectKey> = ["a", "b", "a", "c"].map(ObjectKey::from).into();
    let found = state.load_many(subjects).await.unwrap();
    assert!(found.iter().all(Option::is_some), "{found:?}");
    let asked = canned.asked();
    assert_eq!(asked.len(), 2);
    let first = &body(&asked[0])["RequestItems"]["jobs-state"];
    assert_eq!((first["Keys"].as_array().unwrap().len(), &first["ConsistentRead"]), (3, &json!(true)));

    // For ever is not waited.
    let canned = service(|_, request, _| {
        let all = request["RequestItems"].clone();
        Some((200, json!({ "Responses": {}, "UnprocessedKeys": all })))
    });
    let error = super::tests::state(&canned).await.load_many(vec![key()]).await.unwrap_err();
    assert!(error.transient && error.message.contains("left over"), "{}", error.message);
}

#[tokio::test(start_paused = true)]
async fn parts_that_end_together_are_one_write() {
    let canned = service(|_, _, _| Some((200, json!({}))));
    let state = state(&canned).await;
    let upload = UploadId("u".into());
    let subject = key();
    let adds = (1..=500).map(|number| state.add_part(&subject, &upload, proof(number)));
    for added in futures_util::future::join_all(adds).await {
        added.unwrap();
    }
    let lines: Vec<usize> = canned
        .asked()
        .iter()
        .map(|asked| body(asked)["Item"]["proofs"]["S"].as_str().unwrap().lines().count())
        .collect();
    assert_eq!(lines, [200, 200, 100]);
    let item = &body(&canned.asked()[0])["Item"];
    // 2026-01-01 and thirty days.
    assert_eq!(item["expires"]["N"], "1769817600");
}

#[tokio::test(start_paused = true)]
async fn a_part_that_is_not_written_does_not_count_as_remembered() {
    let canned = service(|_, _, _| {
        Some((400, json!({ "__type": "ProvisionedThroughputExceededException", "message": "slow" })))
    });
    let state = state(&canned).await;
    let (subject, upload) = (key(), UploadId("u".into()));
    let adds = (1..=20).map(|number| state.add_part(&subject, &upload, proof(number)));
    for added in futures_util::future::join_all(adds).await {
        let error = added.unwrap_err();
        assert!(error.transient && error.message.contains("the table jobs-state"), "{}", error.message);
    }
    assert_eq!(canned.asked().len(), 4, "one write, and the SDK's tries");
}

#[tokio::test(start_paused = true)]
async fn faults_say_whether_they_may_pass_and_what_to_do() {
    for (code, transient, words) in [
        ("ResourceNotFoundException", false, "longbow state create-table --table jobs-state"),
        ("AccessDeniedException", false, "the right dynamodb:GetItem"),
        ("ProvisionedThroughputExceededException", true, "jobs-state"),
        ("UnrecognizedClientException", false, "renew them"),
        ("ValidationException", false, "ValidationException"),
    ] {
        let canned = service(move |_, _, _| Some((400, json!({ "__type": code, "message": "said" }))));
        let error = state(&canned).await.load(&key()).await.unwrap_err();
        assert_eq!(error.transient, transient, "{}", error.message);
        let refusal = matches!(code, "AccessDeniedException" | "UnrecognizedClientException");
        assert_eq!(error.is_refusal(), refusal, "{:?}", error.kind);
        assert_eq!(error.kind == BackendErrorKind::Missing, code.starts_with("ResourceNotFound"));
        for words in [words, "GetItem of the table jobs-state", "said"] {
            assert!(error.message.contains(words), "{code}: {}", error.message);
        }
    }
}
