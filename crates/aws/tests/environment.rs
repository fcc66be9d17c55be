//! What the environment says, as seen by a program of its own: each case runs this test program again.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use longbow_aws::{SideOptions, connect};
use longbow_core::failure::StoreErrorKind;
use longbow_core::port::ObjectStore as _;

/// Runs one case of this program with this environment and no other.
fn run(case: &str, environment: &[(&str, &str)]) {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program)
        .args(["--ignored", "--exact", case, "--nocapture"])
        .env_clear()
        .env("HOME", "/nonexistent")
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{case}:\n{text}");
}

/// A server that answers every request with an empty listing and tells the head of each.
fn listening() -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while reader.read_line(&mut head).is_ok_and(|n| n > 2) {}
            let body = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";
            let reply = format!(
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
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

#[test]
fn endpoint_region_and_keys_come_from_the_environment() {
    let (url, told) = listening();
    let keys = [("AWS_ACCESS_KEY_ID", "ENVIRONMENTKEY"), ("AWS_SECRET_ACCESS_KEY", "s")];
    for endpoint in [("AWS_ENDPOINT_URL_S3", url.as_str()), ("AWS_ENDPOINT_URL", url.as_str())] {
        run(
            "lists_with_what_the_environment_says",
            &[endpoint, keys[0], keys[1], ("AWS_REGION", "eu-south-7")],
        );
        let head = told.recv_timeout(Duration::from_secs(10)).unwrap();
        assert!(head.contains("Credential=ENVIRONMENTKEY/") && head.contains("/eu-south-7/s3/"), "{head}");
    }
}

#[test]
fn a_profile_that_is_named_wins_over_keys_in_the_environment() {
    let (url, told) = listening();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("config");
    let profile = |name: &str| {
        format!(
            "[profile {name}]\naws_access_key_id = {name}-KEY\naws_secret_access_key = s\nregion = eu-north-9\n"
        )
    };
    std::fs::write(&file, profile("one") + &profile("two") + &format!("endpoint_url = {url}\n")).unwrap();
    let environment = [
        ("AWS_ACCESS_KEY_ID", "ENVIRONMENTKEY"),
        ("AWS_SECRET_ACCESS_KEY", "s"),
        ("AWS_CONFIG_FILE", file.to_str().unwrap()),
        ("AWS_PROFILE", "one"),
    ];
    run("lists_as_the_profile_two", &environment);
    let head = told.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(head.contains("Credential=two-KEY/") && head.contains("/eu-north-9/s3/"), "{head}");
}

#[test]
fn no_credentials_are_told_soon_also_where_the_metadata_service_says_nothing() {
    // Takes connections into its queue and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    run("has_no_credentials", &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)]);
}

#[tokio::test]
#[ignore = "run by another test in an environment of its own"]
async fn lists_with_what_the_environment_says() {
    connect("bucket", &SideOptions::default()).await.unwrap().check().await.unwrap();
}

#[tokio::test]
#[ignore = "run by another test in an environment of its own"]
async fn lists_as_the_profile_two() {
    let options = SideOptions { profile: Some("two".into()), ..SideOptions::default() };
    let store = connect("bucket", &options).await.unwrap();
    store.check().await.unwrap();
    assert!(store.traits().copy_domain.unwrap().ends_with(" as profile two"));
}

#[tokio::test]
#[ignore = "run by another test in an environment of its own"]
async fn has_no_credentials() {
    let begun = Instant::now();
    for endpoint in [None, Some("http://127.0.0.1:9".to_owned())] {
        let options = SideOptions { endpoint_url: endpoint, ..SideOptions::default() };
        let error = connect("bucket", &options).await.unwrap_err();
        assert_eq!(error.kind, StoreErrorKind::Credentials, "{}", error.message);
        for words in ["--profile", "AWS_ACCESS_KEY_ID", "--source-anonymous"] {
            assert!(error.message.contains(words), "{}", error.message);
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?} for two", begun.elapsed());
}
