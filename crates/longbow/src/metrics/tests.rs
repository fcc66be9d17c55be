//! Metrics as they are told: every name of the document, sums that agree, and lines that CloudWatch takes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use longbow_core::failure::{Failure, FailureClass};
use longbow_core::job::ReportOutcome;
use longbow_core::port::{Counted, Observer};
use serde_json::Value;

use super::catalog::{
    FAILED_BY_CAUSE, FleetCounter, Gauge, LAG, NAMESPACE, RouteCounter, RunCounter, RunFigure,
};
use super::*;
use crate::exit::Exit;
use crate::ledger::tests::report;
use crate::progress::Voice;
use crate::screen::Screen;
use crate::watch::Watch;

/// The document that the dashboard and the alarms keep to.
const DOCUMENT: &str = include_str!("../../../../docs/METRICS.md");

/// What a line of EMF must keep to (CloudWatch User Guide, "Specification: Embedded metric format").
fn checked(line: &str) -> Value {
    assert!(!line.contains('\n') && line.len() < 1 << 20);
    let value: Value = serde_json::from_str(line).expect("an object");
    let members = value.as_object().expect("an object");
    let about = members["_aws"].as_object().expect("metadata");
    assert!(about["Timestamp"].as_i64().is_some_and(|ms| ms > 1_000_000_000_000));
    let directives = about["CloudWatchMetrics"].as_array().expect("directives");
    assert_eq!(directives.len(), 1);
    assert_eq!(directives[0]["Namespace"], NAMESPACE);
    for set in directives[0]["Dimensions"].as_array().expect("sets of dimensions") {
        let set = set.as_array().expect("a set");
        assert!((1..=30).contains(&set.len()));
        for name in set {
            let text = members[name.as_str().unwrap()].as_str().expect("a dimension is a text member");
            assert!((1..=1024).contains(&text.len()) && text.is_ascii() && !text.starts_with(':'), "{text}");
        }
    }
    let metrics = directives[0]["Metrics"].as_array().expect("metrics");
    assert!((1..=100).contains(&metrics.len()));
    let units = ["Count", "Bytes", "Seconds"];
    let names: BTreeSet<&str> = metrics.iter().map(|m| m["Name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), metrics.len(), "a metric twice");
    for metric in metrics {
        assert!(units.contains(&metric["Unit"].as_str().unwrap()), "{metric}");
        let target = &members[metric["Name"].as_str().unwrap()];
        match target.as_array() {
            Some(values) => assert!((1..=100).contains(&values.len()) && values.iter().all(Value::is_number)),
            None => assert!(target.is_number(), "{metric}: {target}"),
        }
    }
    value
}

fn worlds() -> (Arc<Metrics>, MetricsWatch, MetricsWatch, MetricsWatch) {
    let metrics = Metrics::new();
    let inner: Arc<dyn Observer> = Arc::new(Watch::of_jobs(Voice::silent(Screen::default()), None));
    let fleet = MetricsWatch::of_fleet(&metrics, Arc::clone(&inner));
    let one = MetricsWatch::of_route(&metrics, "one", Arc::clone(&inner));
    let two = MetricsWatch::of_route(&metrics, "zwei: ä", inner);
    (metrics, fleet, one, two)
}

#[test]
fn the_lines_of_a_run_add_up_and_are_such_as_cloudwatch_takes() {
    let (metrics, fleet, one, two) = worlds();
    let mut emf = Emf::new(":the fleet\n");
    let mut lines = emf.lines(metrics.snapshot(), 1_795_341_600_123);
    assert_eq!(lines.len(), 1, "zeros are told of the fleet, not of each route");
    for n in 0..250 {
        fleet.received(Some(Duration::from_millis(n * 10)));
    }
    fleet.received(None);
    one.moved(30, 20);
    one.finished(&report("a", ReportOutcome::Copied));
    two.finished(&report("b", ReportOutcome::Failed));
    lines.extend(emf.lines(metrics.snapshot(), 1_795_341_660_123));
    one.finished(&report("c", ReportOutcome::Skipped));
    two.finished(&report("d", ReportOutcome::Failed));
    two.finished(&report("e", ReportOutcome::Deleted));
    one.attempt_failed(&"f".into(), &Failure::new(FailureClass::Transient, "x"), Duration::ZERO);
    fleet.counted(Counted::HandedBack, 3);
    fleet.counted(Counted::Refused, 1);
    fleet.counted(Counted::QueueFailed("receive"), 2);
    one.counted(Counted::StateFailed("load"), 4);
    lines.extend(emf.lines(metrics.snapshot(), 1_795_341_720_123));

    let mut sums: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    let mut lags = Vec::new();
    for line in lines.iter().map(|line| checked(line)) {
        assert_eq!(line["Fleet"], "the fleet?");
        let of = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap() {
            let name = metric["Name"].as_str().unwrap();
            if name == LAG.0 {
                lags.push(line[name].as_array().unwrap().clone());
                continue;
            }
            *sums.entry((of("Route"), of("Cause"), name.to_owned())).or_default() +=
                line[name].as_u64().unwrap();
        }
    }
    let sum = |route: &str, cause: &str, name: &str| {
        sums.get(&(route.to_owned(), cause.to_owned(), name.to_owned())).copied()
    };
    for (name, all, of_one, of_two) in [
        ("BytesDownloaded", 30, 30, 0),
        ("BytesUploaded", 20, 20, 0),
        ("BytesCompleted", 10, 10, 0),
        ("BytesSettled", 40, 20, 20),
        ("ObjectsCopied", 1, 1, 0),
        ("ObjectsSkipped", 1, 1, 0),
        ("ObjectsRemoved", 1, 0, 1),
        ("ObjectsFailed", 2, 0, 2),
    ] {
        assert_eq!(sum("", "", name), Some(all), "{name}");
        assert_eq!(sum("one", "", name), Some(of_one), "{name}");
        assert_eq!(sum("zwei: ?", "", name), Some(of_two), "{name}");
    }
    for (name, n) in [("JobsReceived", 251), ("JobsReturned", 4), ("JobsRefused", 1), ("WorkersAlive", 3)] {
        assert_eq!(sum("", "", name), Some(n), "{name}");
    }
    assert_eq!((sum("", "", "QueueFailures"), sum("", "", "StateFailures")), (Some(2), Some(4)));
    assert_eq!(sum("", "denied", "ObjectsFailed"), Some(2));
    assert_eq!(sum("", "permanent", "ObjectsFailed"), None);
    assert_eq!(lags.len(), 1);
    assert_eq!((lags[0].len(), lags[0][0].as_f64(), lags[0][99].as_f64()), (100, Some(1.5), Some(2.49)));
}

#[test]
fn prometheus_gets_running_totals() {
    let (metrics, fleet, one, two) = worlds();
    fleet.received(Some(Duration::from_millis(1500)));
    one.finished(&report("a", ReportOutcome::Copied));
    two.finished(&report("b", ReportOutcome::Failed));
    let text = prometheus::text(&metrics.snapshot(), "a \"fleet\"");
    for line in [
        "# TYPE longbow_objects_copied_total counter",
        r#"longbow_objects_copied_total{fleet="a \"fleet\"",route="one"} 1"#,
        r#"longbow_objects_failed_total{fleet="a \"fleet\"",route="zwei: ä"} 1"#,
        r#"longbow_objects_failed_by_cause_total{fleet="a \"fleet\"",cause="denied"} 1"#,
        r#"longbow_jobs_received_total{fleet="a \"fleet\""} 1"#,
        r#"longbow_lag_seconds_sum{fleet="a \"fleet\""} 1.5"#,
        "# TYPE longbow_permits_in_use gauge",
    ] {
        assert!(text.lines().any(|told| told == line), "{line}\n{text}");
    }
    assert!(text.ends_with('\n'));
}

/// The rows of the document's tables, by the name of their metric: (per route, unit, name for Prometheus).
fn documented(heading: &str) -> BTreeMap<String, (bool, String, String)> {
    let section = DOCUMENT.split("\n## ").find(|section| section.starts_with(heading)).expect("a section");
    let mut rows = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        for name in cells[0].split(", ") {
            let name = name.trim_matches('`').to_owned();
            let prometheus = cells[4].split('`').nth(1).unwrap_or_default().to_owned();
            rows.insert(name, (cells[1] == "R", cells[2].to_owned(), prometheus));
        }
    }
    rows
}

#[test]
fn the_document_has_every_metric_and_no_other() {
    let mut worker = BTreeMap::new();
    for c in RouteCounter::ALL {
        worker.insert(c.name().to_owned(), (true, c.unit().to_owned(), c.prometheus().to_owned()));
    }
    for c in FleetCounter::ALL {
        worker.insert(c.name().to_owned(), (false, c.unit().to_owned(), c.prometheus().to_owned()));
    }
    for c in Gauge::ALL {
        worker.insert(c.name().to_owned(), (false, c.unit().to_owned(), c.prometheus().to_owned()));
    }
    worker.insert(LAG.0.to_owned(), (false, "Seconds".to_owned(), format!("{}_sum", LAG.1)));
    assert_eq!(documented("The worker"), worker);
    assert!(DOCUMENT.contains(FAILED_BY_CAUSE) && DOCUMENT.contains(&format!("**`{NAMESPACE}`**")));
    let jobsender: BTreeMap<String, (bool, String)> =
        (RunCounter::ALL.iter().map(|c| (c.name(), true, c.unit())))
            .chain(RunFigure::ALL.iter().map(|c| (c.name(), false, c.unit())))
            .map(|(name, of_route, unit)| (name.to_owned(), (of_route, unit.to_owned())))
            .collect();
    let told = documented("The jobsender").into_iter().map(|(name, (r, unit, _))| (name, (r, unit)));
    assert_eq!(told.collect::<BTreeMap<_, _>>(), jobsender);
    // The example of the document is such a line.
    checked(DOCUMENT.lines().find(|line| line.starts_with("{\"_aws\"")).expect("an example"));
}

#[test]
fn a_jobsender_that_could_not_begin_tells_that() {
    let lines = of_run("jobs", &[], Exit::Refused, Duration::from_millis(1500), 1_795_341_600_123);
    assert_eq!(lines.len(), 1);
    let line = checked(&lines[0]);
    assert_eq!(
        (&line["RunRefused"], &line["RunFailed"], &line["RunSeconds"]),
        (&1.into(), &0.into(), &1.5.into())
    );
    let failed = of_run("jobs", &[], Exit::Usage, Duration::ZERO, 1_795_341_600_123);
    assert_eq!(checked(&failed[0])["RunFailed"], 1);
}

mod asked {
    //! The server, asked by sockets.

    use std::net::{Ipv4Addr, SocketAddr};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use longbow_worker::{Drain, Stopping};

    use super::*;

    async fn server() -> (SocketAddr, MetricsServer, Health, Arc<Metrics>) {
        let (metrics, _, one, _) = worlds();
        one.finished(&report("a", ReportOutcome::Copied));
        let health = Health::default();
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let server = MetricsServer::start(address, "fleet", &metrics, &health).await.unwrap();
        (address, server, health, metrics)
    }

    /// Sends bytes; gives everything that is answered until the end of the connection.
    async fn ask(address: SocketAddr, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        // It may have been closed before all was sent.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let _ = tokio::time::timeout(Duration::from_secs(10), read).await.expect("an end");
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn get(address: SocketAddr, path: &str) -> String {
        ask(address, format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await
    }

    #[tokio::test]
    async fn it_answers_what_it_has_and_nothing_else() {
        let (address, _server, health, _metrics) = server().await;
        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200 OK\r\n"));
        let text = get(address, "/metrics?x=1").await;
        assert!(text.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{text}");
        assert!(text.contains("longbow_objects_copied_total{fleet=\"fleet\",route=\"one\"} 1\n"), "{text}");
        for path in ["/", "/metrics/", "/../etc/passwd", "/healthz%00"] {
            assert!(get(address, path).await.starts_with("HTTP/1.1 404 "), "{path}");
        }
        let posted = b"POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        let answer = ask(address, posted).await;
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET, HEAD"), "{answer}");
        let head = ask(address, b"HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
        assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");

        let starting = get(address, "/readyz").await;
        assert!(starting.starts_with("HTTP/1.1 503 ") && starting.contains("starting"), "{starting}");
        let drain = Drain::new();
        health.serving(&drain);
        assert!(get(address, "/readyz").await.contains("ended"), "there is no worker here");
        drain.begin(Stopping::SpotInterruption, None);
        let draining = get(address, "/readyz").await;
        assert!(draining.contains("503") && draining.contains("draining: a Spot interruption"), "{draining}");
    }

    #[tokio::test]
    async fn garbage_and_floods_leave_it_well() {
        let (address, _server, _health, _metrics) = server().await;
        let mut noise: u64 = 0x9E37_79B9_7F4A_7C15;
        for length in [1, 7, 100, 5000, 70_000] {
            let bytes: Vec<u8> = std::iter::repeat_with(|| {
                noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (noise >> 56) as u8
            })
            .take(length)
            .collect();
            ask(address, &bytes).await;
        }
        ask(address, b"GET /metrics HTTP/9.9\r\n\r\n").await;
        ask(address, b"GET /metrics\r\n\r\n").await;
        let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(100_000));
        let answer = ask(address, long.as_bytes()).await;
        assert!(!answer.contains(" 200 "), "{answer}");
        let many = format!("GET /metrics HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(20_000));
        assert!(!ask(address, many.as_bytes()).await.contains(" 200 "));
        // Connections that say nothing leave room for others.
        let mut silent = Vec::new();
        for _ in 0..10 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        assert!(get(address, "/healthz").await.contains("200 OK"));
    }
}
