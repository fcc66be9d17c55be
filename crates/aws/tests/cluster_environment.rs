//! What the environment says about the cluster's services, as seen by a program of its own: each case runs this test
//! program again, with the case's name in a variable.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use longbow_aws::{
    ClusterOptions, ClusterSession, NoticeOptions, Parameters, RoleOptions, SideOptions, SqsOptions,
    SqsQueue, connect,
};
use longbow_core::port::{JobQueue as _, ParameterStore as _};

const CASE: &str = "LONGBOW_TEST_CASE";

/// Runs one case of this program with this environment and no other.
fn run(case: &str, environment: &[(&str, &str)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", case, "--nocapture"])
        .env_clear()
        .env("HOME", "/nonexistent")
        .env(CASE, case)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{case}:\n{text}");
}

/// Whether this process is the program that a case runs.
fn is_case(case: &str) -> bool {
    std::env::var(CASE).is_ok_and(|named| named == case)
}

/// A server that answers every request with one text and tells the head of each.
fn listening(body: &'static str) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while reader.read_line(&mut head).is_ok_and(|n| n > 2) {}
            let lower = head.to_ascii_lowercase();
            let length = lower.lines().find_map(|l| l.strip_prefix("content-length: ")?.trim().parse().ok());
            let mut sent = vec![0; length.unwrap_or(0)];
            let _ = reader.read_exact(&mut sent);
            let reply = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/x-amz-json-1.0\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(reply.as_bytes());
            if tell.send(head).is_err() {
                break;
            }
        }
    });
    (url, told)
}

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "ENVIRONMENTKEY"), ("AWS_SECRET_ACCESS_KEY", "s")];

#[test]
fn each_service_is_asked_where_the_environment_says() {
    let (all, told_all) = listening(
        r#"{"Attributes": {"ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0", "ApproximateNumberOfMessagesDelayed": "0"}}"#,
    );
    let (own, told_own) = listening(r#"{"Parameters": [{"Name": "n", "Value": "v", "Type": "String"}]}"#);
    let environment = [
        KEYS[0],
        KEYS[1],
        ("AWS_ENDPOINT_URL", &all),
        ("AWS_ENDPOINT_URL_SSM", &own),
        ("AWS_REGION", "eu-south-7"),
    ];
    run("asks_the_queue_and_a_parameter", &environment);
    let soon = Duration::from_secs(10);
    let head = told_all.recv_timeout(soon).unwrap();
    // The region is the one that the queue's URL names; its host is not asked.
    assert!(head.contains("Credential=ENVIRONMENTKEY/") && head.contains("/eu-north-9/sqs/"), "{head}");
    let head = told_own.recv_timeout(soon).unwrap();
    assert!(head.contains("/eu-south-7/ssm/"), "{head}");
}

#[tokio::test]
async fn asks_the_queue_and_a_parameter() {
    if !is_case("asks_the_queue_and_a_parameter") {
        return;
    }
    let session = ClusterSession::open(&ClusterOptions::default()).await.unwrap();
    let queue = "https://sqs.eu-north-9.amazonaws.com/1/jobs".to_owned();
    let queue = SqsQueue::connect(&session, &SqsOptions { queue, ..SqsOptions::default() }).await.unwrap();
    assert!(queue.depth().await.unwrap().is_idle());
    assert_eq!(Parameters::open(&session).unwrap().get("n").await.unwrap().value.expose(), "v");
}

const ASSUMED: &str = "<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ROLEKEY</AccessKeyId>\
    <SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>\
    </Credentials></AssumeRoleResult></AssumeRoleResponse>";

#[test]
fn sts_is_asked_where_the_environment_says() {
    let (s3, told_s3) = listening("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>");
    for own in ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"] {
        let (sts, told_sts) = listening(ASSUMED);
        let region = ("AWS_REGION", "eu-south-7");
        run("takes_on_a_role", &[KEYS[0], KEYS[1], region, ("AWS_ENDPOINT_URL_S3", &s3), (own, &sts)]);
        let soon = Duration::from_secs(10);
        let head = told_sts.recv_timeout(soon).unwrap();
        assert!(head.contains("Credential=ENVIRONMENTKEY/") && head.contains("/eu-south-7/sts/"), "{head}");
        let head = told_s3.recv_timeout(soon).unwrap();
        assert!(head.contains("Credential=ROLEKEY/") && head.contains("/eu-south-7/s3/"), "{head}");
    }
}

#[tokio::test]
async fn takes_on_a_role() {
    if is_case("takes_on_a_role") {
        let role = RoleOptions {
            arn: "arn:aws:iam::123456789012:role/copy".into(),
            external_id: None,
            session_name: "longbow".into(),
        };
        let options = SideOptions { role: Some(role), ..SideOptions::default() };
        connect("bucket", &options).await.unwrap().check().await.unwrap();
    }
}

#[test]
fn what_is_missing_is_told_soon_and_in_words() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    run("has_no_credentials", &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)]);
    run("has_no_region", &[KEYS[0], KEYS[1], ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)]);
}

#[tokio::test]
async fn has_no_credentials() {
    if !is_case("has_no_credentials") {
        return;
    }
    let begun = Instant::now();
    let error = ClusterSession::open(&ClusterOptions::default()).await.unwrap_err();
    for words in ["no credentials", "--profile", "AWS_ACCESS_KEY_ID", "role of an EC2 instance"] {
        assert!(error.message.contains(words), "{}", error.message);
    }
    assert!(!error.message.contains("--source"), "{}", error.message);
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[tokio::test]
async fn has_no_region() {
    if !is_case("has_no_region") {
        return;
    }
    let session = ClusterSession::open(&ClusterOptions::default()).await.unwrap();
    let error = Parameters::open(&session).unwrap_err();
    for words in ["no region", "--region", "AWS_REGION"] {
        assert!(error.message.contains(words), "{}", error.message);
    }
}

#[test]
fn the_metadata_service_is_where_the_environment_says_or_nowhere() {
    run("reads_options_of_notices", &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:9")]);
    run("reads_that_notices_are_off", &[("AWS_EC2_METADATA_DISABLED", "TRUE")]);
}

#[test]
fn reads_options_of_notices() {
    if is_case("reads_options_of_notices") {
        let options = NoticeOptions::from_environment(Duration::from_secs(3));
        assert_eq!(options.endpoint.as_deref(), Some("http://127.0.0.1:9"));
        assert_eq!((options.disabled, options.interval), (false, Duration::from_secs(3)));
    }
}

#[test]
fn reads_that_notices_are_off() {
    if is_case("reads_that_notices_are_off") {
        assert!(NoticeOptions::from_environment(Duration::from_secs(3)).disabled);
    }
}
