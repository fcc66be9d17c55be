//! The queue of the cluster against a server that nobody here wrote.

mod servers;

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_sqs::types::MessageAttributeValue;
use longbow_aws::{ClusterOptions, ClusterSession, SqsOptions, SqsQueue};
use longbow_core::port::{Delivery, JobQueue, OutgoingJob};
use longbow_testkit::contract::job_queue::{self, QueueQuirks};

const LONG: Duration = Duration::from_secs(300);
const SHORT: Duration = Duration::from_secs(1);

fn job(body: impl Into<String>) -> OutgoingJob {
    OutgoingJob { subject: "s".into(), body: body.into() }
}

async fn send(queue: &SqsQueue, bodies: impl IntoIterator<Item = String>) {
    let report = queue.send(bodies.into_iter().map(job).collect()).await.unwrap();
    assert!(report.failed.is_empty(), "{report:?}");
}

#[tokio::test]
async fn ministack_keeps_the_contract() {
    let Some(server) = servers::ministack() else { return };
    let queue = server.queue("contract").await;
    job_queue::suite(&queue, &QueueQuirks::default()).await;
}

/// LBB-34: a node had one message a call and deleted them one by one.
#[tokio::test]
async fn lbb_34_hundreds_are_taken_and_deleted_in_few_calls() {
    let Some(server) = servers::ministack() else { return };
    let queue = server.queue("many").await;
    let all: BTreeSet<String> = (0..640).map(|n| format!("{{\"key\": \"a+b %20/{n}\"}}")).collect();
    send(&queue, all.clone()).await;
    assert_eq!(queue.depth().await.unwrap().visible, 640);
    let mut found: Vec<Delivery> = Vec::new();
    while found.len() < all.len() {
        let more = queue.receive(64, SHORT, LONG).await.unwrap();
        assert!(more.len() > 10 || found.len() + more.len() == all.len(), "{} came", more.len());
        found.extend(more);
    }
    assert_eq!(found.iter().map(|delivery| delivery.body.clone()).collect::<BTreeSet<_>>(), all);
    let ids: BTreeSet<_> = found.iter().map(|delivery| delivery.message_id.clone()).collect();
    assert!(ids.len() == 640 && !ids.contains(&None), "the log of an object names its message");
    let receipts: Vec<_> = found.iter().map(|delivery| delivery.receipt.clone()).collect();
    assert!(queue.change_visibility(&receipts, LONG).await.unwrap().is_empty());
    queue.acknowledge_many(&receipts).await.unwrap();
    assert!(queue.depth().await.unwrap().is_idle());
}

/// Keys may have characters that SQS does not carry.
#[tokio::test]
async fn every_character_of_a_key_arrives() {
    let Some(server) = servers::ministack() else { return };
    let queue = server.queue("characters").await;
    let key = "\u{ffff}\u{fffe}\u{7f}\u{e000}\u{1f3f9}\u{1}\n\t\"\\";
    let body = serde_json::to_string(&serde_json::json!({ "key": key })).unwrap();
    send(&queue, [body]).await;
    let delivery = queue.receive(1, SHORT, LONG).await.unwrap().remove(0);
    let read: serde_json::Value = serde_json::from_str(&delivery.body).unwrap();
    assert_eq!(read["key"], key);
}

/// LBB-45: dead letters could not be looked at, sent again or thrown away.
#[tokio::test]
async fn lbb_45_dead_letters_are_shown_sent_again_and_thrown_away() {
    let Some(server) = servers::ministack() else { return };
    let (url, _) = server.make_queue("dead", true).await;
    let queue = server.open_queue(&url).await;
    let attribute =
        MessageAttributeValue::builder().data_type("String").string_value("kept").build().unwrap();
    let request = server.sqs().send_message().queue_url(&url).message_body(" as it\nis ");
    request.message_attributes("origin", attribute).send().await.unwrap();
    send(&queue, ["two".to_owned(), "three".to_owned()]).await;

    let mut put_aside = 0;
    while put_aside < 3 {
        for delivery in queue.receive(10, SHORT, LONG).await.unwrap() {
            let reason = format!("no \u{1f3f9} in {}", delivery.body);
            queue.dead_letter(&delivery.receipt, &reason).await.unwrap();
            put_aside += 1;
        }
    }
    let depth = queue.depth().await.unwrap();
    assert!(depth.is_idle() && depth.dead == 3, "{depth:?}");

    let letters = queue.dead_letters(100, LONG).await.unwrap();
    assert_eq!(letters.len(), 3);
    for letter in &letters {
        assert_eq!(letter.reason.as_ref().unwrap(), &format!("no \u{1f3f9} in {}", letter.body));
        assert_eq!(letter.receptions, Some(1));
        assert!(letter.sent.is_some() && !letter.id.is_empty());
    }
    let (first, others): (Vec<_>, Vec<_>) = letters.into_iter().partition(|l| l.body == " as it\nis ");
    assert_eq!(queue.redrive(&first).await.unwrap(), 1);
    queue.put_back(&others[..1]).await.unwrap();
    queue.discard(&others[1..]).await.unwrap();
    let left = queue.dead_letters(100, LONG).await.unwrap();
    assert_eq!(left.iter().map(|l| &l.body).collect::<Vec<_>>(), [&others[0].body]);

    // As it was, without what put it aside.
    let again =
        server.sqs().receive_message().queue_url(&url).message_attribute_names("All").send().await.unwrap();
    let again = &again.messages()[0];
    assert_eq!(again.body(), Some(" as it\nis "));
    let attributes: Vec<&String> = again.message_attributes().unwrap().keys().collect();
    assert_eq!(attributes, ["origin"]);
}

/// A worker that stood still past its visibility puts nothing aside that somebody else works on.
#[tokio::test]
async fn whoever_has_lost_a_delivery_puts_nothing_aside() {
    let Some(server) = servers::ministack() else { return };
    let queue = server.queue("lost").await;
    send(&queue, ["body".to_owned()]).await;
    let lost = queue.receive(1, SHORT, SHORT).await.unwrap().remove(0);
    let mut taken = Vec::new();
    while taken.is_empty() {
        taken = queue.receive(1, SHORT, LONG).await.unwrap();
    }
    queue.dead_letter(&lost.receipt, "late").await.unwrap();
    assert_eq!(queue.depth().await.unwrap().dead, 0);
    assert!(queue.change_visibility(&[taken[0].receipt.clone()], LONG).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_queue_is_found_by_its_name_and_by_its_arn() {
    let Some(server) = servers::ministack() else { return };
    let (url, dead) = server.make_queue("named", true).await;
    let name = url.rsplit('/').next().unwrap();
    for named in [name.to_owned(), format!("arn:aws:sqs:us-east-1:000000000000:{name}")] {
        let queue = server.open_queue(&named).await;
        assert_eq!((queue.url(), queue.dead_letter_url()), (url.as_str(), dead.as_deref()));
    }
    // A URL that is not Amazon's says itself where to ask.
    let options =
        ClusterOptions { endpoint_url: None, region: Some("us-east-1".into()), ..server.cluster_options() };
    let session = ClusterSession::open(&options).await.unwrap();
    let options = SqsOptions { queue: url.clone(), ..SqsOptions::default() };
    if url.contains(&server.host()) {
        SqsQueue::connect(&session, &options).await.unwrap();
    }
}

#[tokio::test]
async fn a_queue_that_is_not_there_is_named() {
    let Some(server) = servers::ministack() else { return };
    let session = server.session().await;
    let (url, _) = server.make_queue("there", false).await;
    for queue in [url.replace("lb-there", "lb-not-there"), "lb-not-there".to_owned()] {
        let options = SqsOptions { queue, ..SqsOptions::default() };
        let error = SqsQueue::connect(&session, &options).await.unwrap_err();
        assert!(error.message.contains("lb-not-there") && error.message.contains("no such queue"), "{error}");
        assert!(!error.transient);
    }
}
