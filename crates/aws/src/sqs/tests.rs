//! The queue over replies written in the test: faults that no server makes on demand.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt as _;
use serde_json::{Value, json};

use super::*;
use crate::canned::{Asked, Canned};
use crate::cluster::canned_session;

const URL: &str = "https://sqs.eu-west-1.amazonaws.com/1/jobs";
const DEAD: &str = "https://sqs.eu-west-1.amazonaws.com/1/dead";
const LONG: Duration = Duration::from_secs(300);

type Answer = Option<(u16, Value)>;

fn call(asked: &Asked) -> &str {
    asked.header("x-amz-target").and_then(|target| target.rsplit('.').next()).unwrap_or_default()
}

fn body(asked: &Asked) -> Value {
    serde_json::from_slice(&asked.body).unwrap()
}

/// A service that answers calls by name; how many of each name came before is told to the function.
fn service(answer: impl Fn(&str, Value, usize) -> Answer + Send + Sync + 'static) -> Canned {
    let counts: Arc<std::sync::Mutex<std::collections::HashMap<String, usize>>> = Arc::default();
    Canned::new(move |asked| {
        let name = call(asked).to_owned();
        let before = {
            let mut counts = counts.lock().unwrap();
            let count = counts.entry(name.clone()).or_default();
            *count += 1;
            *count - 1
        };
        let (status, reply) = match (answer(&name, body(asked), before)?, name.as_str()) {
            ((0, _), "GetQueueAttributes") => {
                let policy = r#"{"deadLetterTargetArn":"arn:aws:sqs:eu-west-1:1:dead","maxReceiveCount":5}"#;
                (200, json!({ "Attributes": { "RedrivePolicy": policy, "MaximumMessageSize": "1048576" } }))
            }
            ((0, _), "GetQueueUrl") => (200, json!({ "QueueUrl": DEAD })),
            ((0, _), _) => (200, all_done(&body(asked))),
            (reply, _) => reply,
        };
        let code = reply.get("__type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut headers = vec![("content-type", "application/x-amz-json-1.0".to_owned())];
        if !code.is_empty() {
            headers.push(("x-amzn-query-error", format!("{code};Sender")));
        }
        Some((status, headers, reply.to_string().into_bytes()))
    })
}

/// What a service says that does what it is asked.
const FINE: Answer = Some((0, Value::Null));

fn all_done(request: &Value) -> Value {
    let entries = request["Entries"].as_array().cloned().unwrap_or_default();
    let done: Vec<Value> = entries.iter().map(|entry| done(&entry["Id"])).collect();
    json!({ "Successful": done, "Failed": [], "MessageId": "m", "MD5OfMessageBody": "x" })
}

fn done(id: &Value) -> Value {
    json!({ "Id": id, "MessageId": "m", "MD5OfMessageBody": "x" })
}

fn refused(id: &Value, code: &str, ours: bool) -> Value {
    json!({ "Id": id, "Code": code, "SenderFault": ours, "Message": "no" })
}

async fn queue(canned: &Canned) -> SqsQueue {
    let options = SqsOptions { queue: URL.to_owned(), ..SqsOptions::default() };
    SqsQueue::connect(&canned_session(canned).await, &options).await.unwrap()
}

fn jobs(count: usize) -> Vec<OutgoingJob> {
    (0..count).map(|n| OutgoingJob { subject: "s".into(), body: format!("body-{n}") }).collect()
}

/// The requests of one name, as JSON.
fn requests(canned: &Canned, name: &str) -> Vec<Value> {
    canned.asked().iter().filter(|asked| call(asked) == name).map(body).collect()
}

fn field(entries: &Value, name: &str) -> Vec<String> {
    entries["Entries"].as_array().unwrap().iter().map(|e| e[name].as_str().unwrap().to_owned()).collect()
}

fn message(n: usize) -> Value {
    json!({
        "MessageId": format!("m{n}"), "ReceiptHandle": format!("r{n}"), "Body": format!("body-{n}"),
        "Attributes": { "ApproximateReceiveCount": "3" },
    })
}

/// LBB-23: entries that failed in a batch were never looked at.
#[tokio::test(start_paused = true)]
async fn lbb_23_only_failed_entries_are_sent_again() {
    let canned = service(|name, request, before| {
        if name != "SendMessageBatch" || before > 0 {
            return FINE;
        }
        let ids = request["Entries"].as_array().unwrap();
        Some((
            200,
            json!({
                "Successful": [done(&ids[0]["Id"]), done(&ids[4]["Id"])],
                // Not ours, ours but too fast, and one that the answer forgets.
                "Failed": [refused(&ids[1]["Id"], "InternalError", false), refused(&ids[3]["Id"], "RequestThrottled", true)],
            }),
        ))
    });
    let report = queue(&canned).await.send(jobs(5)).await.unwrap();
    assert!(report.failed.is_empty(), "{report:?}");
    let sent = requests(&canned, "SendMessageBatch");
    assert_eq!(sent.len(), 2);
    assert_eq!(field(&sent[1], "MessageBody"), ["body-1", "body-2", "body-3"]);
}

/// LBB-23: nor did anybody learn of them.
#[tokio::test(start_paused = true)]
async fn lbb_23_what_cannot_be_sent_is_named() {
    let canned = service(|name, request, _| {
        if name != "SendMessageBatch" {
            return FINE;
        }
        let mut reply = json!({ "Successful": [], "Failed": [] });
        for entry in request["Entries"].as_array().unwrap() {
            let (place, entry) = match entry["MessageBody"].as_str().unwrap() {
                "body-3" => ("Failed", refused(&entry["Id"], "InvalidMessageContents", true)),
                "body-5" => ("Failed", refused(&entry["Id"], "InternalError", false)),
                _ => ("Successful", done(&entry["Id"])),
            };
            reply[place].as_array_mut().unwrap().push(entry);
        }
        Some((200, reply))
    });
    let mut all = jobs(12);
    all[7].body.clear();
    all[9].body = "x".repeat(1_048_577);
    let report = queue(&canned).await.send(all).await.unwrap();
    let failed: Vec<usize> = report.failed.iter().map(|(at, _)| *at).collect();
    assert_eq!(failed, [3, 5, 7, 9]);
    for ((_, why), words) in
        report.failed.iter().zip(["InvalidMessageContents", "InternalError", "empty", "1048577 bytes"])
    {
        assert!(why.contains(words), "{why}");
    }
    // What may pass is tried five times in all, the rest once.
    let sent: Vec<String> =
        requests(&canned, "SendMessageBatch").iter().flat_map(|r| field(r, "MessageBody")).collect();
    let times = |body: &str| sent.iter().filter(|sent| *sent == body).count();
    assert_eq!((times("body-5"), times("body-3"), times("body-0"), times("")), (5, 1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn batches_stay_within_entries_and_bytes() {
    let canned = service(|_, _, _| FINE);
    let queue = queue(&canned).await;
    queue.send(jobs(23)).await.unwrap();
    let mut sizes: Vec<usize> =
        requests(&canned, "SendMessageBatch").iter().map(|r| field(r, "Id").len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [3, 10, 10]);
    let mut large = jobs(6);
    large.iter_mut().for_each(|job| job.body = "x".repeat(100_000));
    queue.send(large).await.unwrap();
    let sizes: Vec<usize> =
        requests(&canned, "SendMessageBatch")[3..].iter().map(|r| field(r, "Id").len()).collect();
    assert_eq!(sizes, [2, 2, 2]);
}

#[tokio::test(start_paused = true)]
async fn calls_that_fail_are_an_error_only_where_nothing_was_sent() {
    let broken = || Some((500, json!({ "__type": "InternalFailure", "message": "oops" })));
    let canned = service(move |name, _, _| if name == "SendMessageBatch" { broken() } else { FINE });
    let error = queue(&canned).await.send(jobs(30)).await.unwrap_err();
    assert!(error.transient && error.message.contains("SendMessageBatch of the queue"), "{}", error.message);

    let canned = service(move |name, request, _| {
        let mine =
            name == "SendMessageBatch" && field(&request, "MessageBody").contains(&"body-15".to_owned());
        if mine { broken() } else { FINE }
    });
    let report = queue(&canned).await.send(jobs(30)).await.unwrap();
    let failed: Vec<usize> = report.failed.iter().map(|(at, _)| *at).collect();
    assert_eq!(failed, (10..20).collect::<Vec<_>>());
}

/// LBB-33: one message a call, and none waited for. LBB-34: five small files at a time.
#[tokio::test]
async fn lbb_33_many_are_taken_by_calls_that_wait_for_the_first_only() {
    let given = Arc::new(AtomicUsize::new(0));
    let canned = service(move |name, request, _| {
        if name != "ReceiveMessage" {
            return FINE;
        }
        let most = usize::try_from(request["MaxNumberOfMessages"].as_u64().unwrap()).unwrap();
        let first = given.fetch_add(most, Ordering::SeqCst);
        Some((200, json!({ "Messages": (first..first + most).map(message).collect::<Vec<_>>() })))
    });
    let queue = queue(&canned).await;
    let got = queue.receive(64, Duration::from_millis(19_500), LONG).await.unwrap();
    assert_eq!(got.len(), 64);
    assert_eq!((got[0].body.as_str(), got[0].receive_count), ("body-0", 3));
    let asked: Vec<(u64, u64, u64)> = requests(&canned, "ReceiveMessage")
        .iter()
        .map(|r| {
            ["MaxNumberOfMessages", "WaitTimeSeconds", "VisibilityTimeout"]
                .map(|f| r[f].as_u64().unwrap())
                .into()
        })
        .collect();
    assert_eq!(asked[0], (10, 20, 300));
    let mut rest = asked[1..].to_vec();
    rest.sort_unstable();
    assert_eq!(rest, [(4, 0, 300), (10, 0, 300), (10, 0, 300), (10, 0, 300), (10, 0, 300), (10, 0, 300)]);
}

#[tokio::test]
async fn few_messages_hold_up_nobody() {
    let canned = service(|name, _, before| match (name, before) {
        ("ReceiveMessage", 0) => Some((200, json!({ "Messages": [message(1), message(2)] }))),
        ("ReceiveMessage", _) => panic!("a second call"),
        _ => FINE,
    });
    let got = queue(&canned).await.receive(64, Duration::from_secs(20), LONG).await.unwrap();
    assert_eq!(got.len(), 2);
}

/// What came for somebody who has stopped waiting is seen by others at once.
#[tokio::test]
async fn a_receive_that_is_given_up_gives_back() {
    let canned = service(|name, _, _| match name {
        "ReceiveMessage" => Some((200, json!({ "Messages": [message(1), message(2)] }))),
        _ => FINE,
    });
    let queue = queue(&canned).await;
    // Asked for, and not waited for.
    assert!(queue.receive(10, Duration::from_secs(20), LONG).now_or_never().is_none());
    let back = async {
        while requests(&canned, "ChangeMessageVisibilityBatch").is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), back).await.expect("they are given back");
    let back = &requests(&canned, "ChangeMessageVisibilityBatch")[0];
    assert_eq!(field(back, "ReceiptHandle"), ["r1", "r2"]);
    assert!(back["Entries"].as_array().unwrap().iter().all(|entry| entry["VisibilityTimeout"] == 0));
}

/// LBB-30: nothing kept a job hidden; the heartbeat learns here which deliveries it has lost.
#[tokio::test(start_paused = true)]
async fn lbb_30_receipts_that_are_not_current_are_returned() {
    let canned = service(|name, request, before| {
        if name != "ChangeMessageVisibilityBatch" {
            return FINE;
        }
        let codes = |receipt: &str| match receipt {
            "gone" => Some("ReceiptHandleIsInvalid"),
            "expired" => Some("InvalidParameterValue"),
            "visible" => Some("AWS.SimpleQueueService.MessageNotInflight"),
            "slow" if before == 0 => Some("RequestThrottled"),
            _ => None,
        };
        let mut reply = json!({ "Successful": [], "Failed": [] });
        for entry in request["Entries"].as_array().unwrap() {
            match codes(entry["ReceiptHandle"].as_str().unwrap()) {
                Some(code) => reply["Failed"].as_array_mut().unwrap().push(refused(&entry["Id"], code, true)),
                None => reply["Successful"].as_array_mut().unwrap().push(json!({ "Id": entry["Id"] })),
            }
        }
        Some((200, reply))
    });
    let receipts = ["good", "gone", "expired", "visible", "slow"].map(|r| Receipt(r.into()));
    let stale = queue(&canned).await.change_visibility(&receipts, LONG).await.unwrap();
    assert_eq!(stale, ["gone", "expired", "visible"].map(|r| Receipt(r.into())));
    let again = &requests(&canned, "ChangeMessageVisibilityBatch")[1];
    assert_eq!(field(again, "ReceiptHandle"), ["slow"]);
}

/// SQS refuses extensions beyond twelve hours from the reception; DTH ran into that.
#[tokio::test(start_paused = true)]
async fn a_delivery_has_twelve_hours() {
    let canned = service(|name, _, _| match name {
        "ReceiveMessage" => Some((200, json!({ "Messages": [message(1)] }))),
        _ => FINE,
    });
    let queue = queue(&canned).await;
    let receipt = queue.receive(1, Duration::ZERO, LONG).await.unwrap().remove(0).receipt;
    let receipts = std::slice::from_ref(&receipt);
    let asked = || {
        let all = requests(&canned, "ChangeMessageVisibilityBatch");
        all.last().map(|r| r["Entries"][0]["VisibilityTimeout"].as_u64().unwrap())
    };
    assert!(queue.change_visibility(receipts, MAX_VISIBILITY).await.unwrap().is_empty());
    assert!((43_190..43_200).contains(&asked().unwrap()), "{:?}", asked());
    tokio::time::advance(MAX_VISIBILITY - Duration::from_secs(100)).await;
    assert!(queue.change_visibility(receipts, LONG).await.unwrap().is_empty());
    assert!((90..100).contains(&asked().unwrap()), "{:?}", asked());
    tokio::time::advance(Duration::from_secs(96)).await;
    assert_eq!(queue.change_visibility(receipts, LONG).await.unwrap(), receipts);
    // Handing it back is possible at any time.
    assert!(queue.change_visibility(receipts, Duration::ZERO).await.unwrap().is_empty());
}

#[tokio::test]
async fn deletions_go_together_and_each_learns_of_its_own() {
    let canned = service(|name, request, _| {
        if name != "DeleteMessageBatch" {
            return FINE;
        }
        let mut reply = json!({ "Successful": [], "Failed": [] });
        for entry in request["Entries"].as_array().unwrap() {
            match entry["ReceiptHandle"].as_str().unwrap() {
                "r7" => {
                    reply["Failed"].as_array_mut().unwrap().push(refused(&entry["Id"], "AccessDenied", true))
                }
                "r8" => {
                    reply["Failed"].as_array_mut().unwrap().push(refused(
                        &entry["Id"],
                        "ReceiptHandleIsInvalid",
                        true,
                    ));
                }
                _ => reply["Successful"].as_array_mut().unwrap().push(json!({ "Id": entry["Id"] })),
            }
        }
        Some((200, reply))
    });
    let queue = queue(&canned).await;
    let receipts: Vec<Receipt> = (0..45).map(|n| Receipt(format!("r{n}"))).collect();
    let ends =
        futures_util::future::join_all(receipts.iter().map(|receipt| queue.acknowledge(receipt))).await;
    let failed: Vec<usize> = (0..45).filter(|n| ends[*n].is_err()).collect();
    assert_eq!(failed, [7], "{ends:?}");
    assert!(requests(&canned, "DeleteMessageBatch").len() <= 6);
    assert!(queue.acknowledge_many(&receipts[..7]).await.is_ok());
    assert!(queue.acknowledge_many(&receipts).await.is_err());
}

/// LBB-01, LBB-45: what is put aside is there in full, with its reason, before it leaves the queue.
#[tokio::test(start_paused = true)]
async fn lbb_01_a_dead_letter_is_a_copy_with_the_reason() {
    let canned = service(|name, _, _| match name {
        "ReceiveMessage" => {
            let attribute = json!({ "DataType": "String", "StringValue": "kept" });
            let mut message = message(1);
            message["Body"] = json!(" {\"poison\": \"\u{1f480}\"}\n");
            message["MessageAttributes"] = json!({ "origin": attribute });
            Some((200, json!({ "Messages": [message] })))
        }
        _ => FINE,
    });
    let queue = queue(&canned).await;
    assert_eq!(queue.dead_letter_url(), Some(DEAD));
    let receipt = queue.receive(1, Duration::ZERO, LONG).await.unwrap().remove(0).receipt;
    queue.dead_letter(&receipt, "it cannot\u{0} be read").await.unwrap();
    let order: Vec<String> = canned.asked().iter().skip(2).map(|asked| call(asked).to_owned()).collect();
    assert_eq!(
        order,
        ["ReceiveMessage", "ChangeMessageVisibilityBatch", "SendMessage", "DeleteMessageBatch"]
    );
    let copy = &requests(&canned, "SendMessage")[0];
    assert_eq!(copy["QueueUrl"], DEAD);
    assert_eq!(copy["MessageBody"], " {\"poison\": \"\u{1f480}\"}\n");
    let attributes = &copy["MessageAttributes"];
    assert_eq!(attributes["origin"]["StringValue"], "kept");
    assert_eq!(attributes["longbow.reason"]["StringValue"], "it cannot\u{fffd} be read");
    assert_eq!(attributes["longbow.receptions"]["StringValue"], "3");
    // It is nobody's any more: a second time changes nothing.
    let before = canned.asked().len();
    queue.dead_letter(&receipt, "again").await.unwrap();
    assert_eq!(canned.asked().len(), before);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_cannot_be_sent_leaves_the_message_where_it_is() {
    let canned = service(|name, _, _| match name {
        "ReceiveMessage" => Some((200, json!({ "Messages": [message(1)] }))),
        "SendMessage" => Some((400, json!({ "__type": "AccessDeniedException", "message": "may not" }))),
        _ => FINE,
    });
    let queue = queue(&canned).await;
    let receipt = queue.receive(1, Duration::ZERO, LONG).await.unwrap().remove(0).receipt;
    let error = queue.dead_letter(&receipt, "why").await.unwrap_err();
    for words in [DEAD, "sqs:SendMessage", "may not"] {
        assert!(error.message.contains(words), "{}", error.message);
    }
    assert!(requests(&canned, "DeleteMessageBatch").is_empty());
}

#[tokio::test]
async fn a_queue_without_dead_letters_says_so() {
    let canned = service(|name, _, _| match name {
        "GetQueueAttributes" => Some((200, json!({ "Attributes": {} }))),
        _ => FINE,
    });
    let queue = queue(&canned).await;
    assert_eq!(queue.dead_letter_url(), None);
    let error = queue.dead_letter(&Receipt("r".into()), "why").await.unwrap_err();
    assert!(error.message.contains("redrive policy") && !error.transient, "{}", error.message);
    let options = SqsOptions { queue: URL.into(), dead_letters: Some(URL.into()), ..SqsOptions::default() };
    let error = SqsQueue::connect(&canned_session(&canned).await, &options).await.unwrap_err();
    assert!(error.message.contains("its own dead-letter queue"), "{}", error.message);
}

/// LB-37: a worker started before its queue waits for it. LBB-08: what is not allowed is told as such.
#[tokio::test(start_paused = true)]
async fn lb_37_a_queue_is_waited_for() {
    let missing =
        || Some((400, json!({ "__type": "AWS.SimpleQueueService.NonExistentQueue", "message": "no" })));
    let canned = service(move |name, _, before| match name {
        "GetQueueAttributes" if before < 3 => missing(),
        _ => FINE,
    });
    let options =
        SqsOptions { queue: URL.into(), patience: Duration::from_secs(60), ..SqsOptions::default() };
    SqsQueue::connect(&canned_session(&canned).await, &options).await.unwrap();

    let canned = service(move |_, _, _| missing());
    let error = SqsQueue::connect(&canned_session(&canned).await, &options).await.unwrap_err();
    for words in [URL, "no such queue", "--queue-url"] {
        assert!(error.message.contains(words), "{}", error.message);
    }
    assert!(!error.transient);
}

#[tokio::test(start_paused = true)]
async fn faults_say_whether_they_may_pass_and_what_to_do() {
    for (status, code, transient, words) in [
        (400, "RequestThrottled", true, "RequestThrottled"),
        (403, "AccessDenied", false, "the right sqs:ReceiveMessage"),
        (403, "ExpiredToken", false, "renew them"),
        (400, "OverLimit", true, "120,000"),
        (400, "KMS.AccessDeniedException", false, "kms:Decrypt"),
        (400, "KMS.DisabledException", false, "enable it"),
        (503, "ServiceUnavailable", true, "503"),
        (500, "", true, "500"),
        (400, "WhateverComes", false, "WhateverComes"),
    ] {
        let canned = service(move |name, _, _| match name {
            "ReceiveMessage" => Some((status, json!({ "__type": code, "message": "said\nby the server" }))),
            _ => FINE,
        });
        let error = queue(&canned).await.receive(1, Duration::ZERO, LONG).await.unwrap_err();
        assert_eq!(error.transient, transient, "{}", error.message);
        for words in [words, URL, "ReceiveMessage", "said by the server"] {
            assert!(error.message.contains(words), "{code}: {}", error.message);
        }
    }
}

/// LBB-27: a depth that is not known is not taken for an empty queue.
#[tokio::test]
async fn lbb_27_depth_counts_everything_and_guesses_nothing() {
    let depths = |visible: &'static str| {
        service(move |name, request, _| {
            if name != "GetQueueAttributes" || request["AttributeNames"][0] == "RedrivePolicy" {
                return FINE;
            }
            let mut attributes = json!({ "ApproximateNumberOfMessagesNotVisible": "2", "ApproximateNumberOfMessagesDelayed": "3" });
            attributes["ApproximateNumberOfMessages"] =
                json!(if request["QueueUrl"] == DEAD { "10" } else { visible });
            Some((200, json!({ "Attributes": attributes })))
        })
    };
    let depth = queue(&depths("1")).await.depth().await.unwrap();
    assert_eq!(depth, QueueDepth { visible: 1, in_flight: 2, delayed: 3, dead: 15 });
    let error = queue(&depths("")).await.depth().await.unwrap_err();
    assert!(error.message.contains("ApproximateNumberOfMessages"), "{}", error.message);
}
