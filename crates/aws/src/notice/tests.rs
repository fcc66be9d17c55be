//! Notices of a metadata service on loopback, which insists on tokens as IMDSv2 does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

#[derive(Default)]
struct State {
    documents: HashMap<&'static str, String>,
    asked: Vec<String>,
    down: bool,
}

#[derive(Clone)]
struct Service {
    state: Arc<Mutex<State>>,
    url: String,
}

impl Service {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&shared)));
            }
        });
        Self { state, url }
    }

    fn say(&self, path: &'static str, text: &str) {
        self.state.lock().unwrap().documents.insert(path, text.to_owned());
    }

    fn asked(&self, path: &str) -> usize {
        self.state.lock().unwrap().asked.iter().filter(|asked| asked.ends_with(path)).count()
    }

    fn notices(&self) -> Notices {
        Notices::new(&options(&self.url)).unwrap()
    }
}

fn options(url: &str) -> NoticeOptions {
    NoticeOptions {
        endpoint: Some(url.to_owned()),
        interval: Duration::from_millis(10),
        ..NoticeOptions::default()
    }
}

async fn answer(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let (mut request, mut token) = (String::new(), false);
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
                return;
            }
            token |= line.to_ascii_lowercase().trim() == "x-aws-ec2-metadata-token: the-token";
            if request.is_empty() {
                request = line.split(' ').take(2).collect::<Vec<_>>().join(" ");
            }
            if line == "\r\n" {
                break;
            }
        }
        let (status, body) = {
            let mut state = state.lock().unwrap();
            state.asked.push(request.clone());
            let document = request.strip_prefix("GET ").and_then(|path| state.documents.get(path).cloned());
            match (request.as_str(), document) {
                _ if state.down => return,
                ("PUT /latest/api/token", _) => ("200 OK", "the-token".to_owned()),
                _ if !token => ("401 Unauthorized", String::new()),
                (_, Some(document)) => ("200 OK", document),
                (_, None) => ("404 Not Found", String::new()),
            }
        };
        let length = body.len();
        let head = "X-aws-ec2-metadata-token-ttl-seconds: 21600\r\nContent-Length";
        let reply = format!("HTTP/1.1 {status}\r\n{head}: {length}\r\n\r\n{body}");
        if stream.get_mut().write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Waits until something is so.
async fn until(mut what: impl FnMut() -> bool) {
    let look = async {
        while !what() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.expect("in time");
}

async fn soon(notices: &mut Notices) -> Notice {
    tokio::time::timeout(Duration::from_secs(20), notices.next()).await.expect("a notice in time")
}

/// LBB-32: a Spot interruption took up to five jobs of a node with it for an hour. LBB-44: the metadata was read without
/// tokens.
#[tokio::test]
async fn lbb_32_each_notice_is_told_once() {
    let service = Service::start().await;
    service.say(LIFECYCLE, "InService");
    service.say(INSTANCE, "i-0123456789abcdef0\n");
    let mut notices = service.notices();
    assert_eq!(notices.instance_id().await.as_deref(), Some("i-0123456789abcdef0"));
    // Nothing yet, however often it looks.
    let quiet = async { until(|| service.asked(REBALANCE) >= 3).await };
    tokio::select! {
        notice = notices.next() => panic!("{notice:?}"),
        () = quiet => {}
    }
    service.say(REBALANCE, r#"{"noticeTime": "2026-11-05T08:22:00Z"}"#);
    assert_eq!(soon(&mut notices).await, Notice::Rebalance);
    service.say(SPOT, r#"{"action": "terminate", "time": "2026-11-05T08:24:00Z"}"#);
    let at = Some(Timestamp(1_793_867_040_000));
    assert_eq!(soon(&mut notices).await, Notice::SpotInterruption { at });
    service.say(SPOT, r#"{"action": "terminate", "time": "2026-11-05T08:24:30Z"}"#);
    service.say(LIFECYCLE, "Terminated");
    assert_eq!(soon(&mut notices).await, Notice::Terminating);
    // One token for all of it.
    assert_eq!(service.asked("/latest/api/token"), 1);
}

#[tokio::test]
async fn notices_that_come_together_are_all_told() {
    let service = Service::start().await;
    service.say(SPOT, "what is this");
    service.say(REBALANCE, "{}");
    service.say(LIFECYCLE, "Terminated");
    let mut notices = service.notices();
    let told = [soon(&mut notices).await, soon(&mut notices).await, soon(&mut notices).await];
    assert_eq!(told, [Notice::SpotInterruption { at: None }, Notice::Terminating, Notice::Rebalance]);
}

#[tokio::test]
async fn a_service_that_was_there_is_asked_again() {
    let service = Service::start().await;
    let mut notices = service.notices();
    tokio::select! {
        notice = notices.next() => panic!("{notice:?}"),
        () = until(|| service.asked(REBALANCE) >= 1) => {}
    }
    service.state.lock().unwrap().down = true;
    let before = service.state.lock().unwrap().asked.len();
    tokio::select! {
        notice = notices.next() => panic!("{notice:?}"),
        () = until(|| service.state.lock().unwrap().asked.len() >= before + 5) => {}
    }
    service.state.lock().unwrap().down = false;
    service.say(LIFECYCLE, "Terminated");
    assert_eq!(soon(&mut notices).await, Notice::Terminating);
}

#[tokio::test]
async fn a_machine_without_the_service_is_left_alone() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut notices = Notices::new(&options(&format!("http://127.0.0.1:{port}"))).unwrap();
    assert_eq!(notices.instance_id().await, None);
    let begun = Instant::now();
    while notices.service.is_some() {
        assert!(tokio::time::timeout(Duration::from_millis(50), notices.next()).await.is_err());
        assert!(begun.elapsed() < Duration::from_secs(20), "it is still asked");
    }
    assert!(tokio::time::timeout(Duration::from_millis(50), notices.next()).await.is_err());
}

#[tokio::test]
async fn who_says_no_is_not_asked() {
    let service = Service::start().await;
    service.say(LIFECYCLE, "Terminated");
    let mut notices = Notices::new(&NoticeOptions { disabled: true, ..options(&service.url) }).unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(50), notices.next()).await.is_err());
    assert_eq!(notices.instance_id().await, None);
    assert!(service.state.lock().unwrap().asked.is_empty());
}

#[tokio::test]
async fn an_address_that_is_none_is_refused() {
    for endpoint in ["", "127.0.0.1", "http://a b"] {
        let error = Notices::new(&options(endpoint)).unwrap_err();
        assert!(error.message.contains("AWS_EC2_METADATA_SERVICE_ENDPOINT"), "{}", error.message);
    }
}
