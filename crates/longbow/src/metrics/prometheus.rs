//! The text format of Prometheus, version 0.0.4: running totals and gauges.

use std::fmt::Write as _;

use super::catalog::{CAUSES, FAILED_BY_CAUSE, FleetCounter, Gauge, LAG, RouteCounter};
use super::snapshot::Snapshot;

/// What the answer says that it is.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics as text.
pub(super) fn text(snapshot: &Snapshot, fleet: &str) -> String {
    let mut out = String::new();
    let fleet = escape(fleet);
    for counter in RouteCounter::ALL {
        kind(&mut out, counter.prometheus(), "counter");
        for (route, figures) in &snapshot.routes {
            let (name, route, n) = (counter.prometheus(), escape(route), figures.counters[counter as usize]);
            let _ = writeln!(out, "{name}{{fleet=\"{fleet}\",route=\"{route}\"}} {n}");
        }
    }
    kind(&mut out, FAILED_BY_CAUSE, "counter");
    for (cause, n) in CAUSES.iter().zip(snapshot.all.causes) {
        let _ = writeln!(out, "{FAILED_BY_CAUSE}{{fleet=\"{fleet}\",cause=\"{cause}\"}} {n}");
    }
    let mut plain = |name: &str, type_of: &str, n: u64| {
        kind(&mut out, name, type_of);
        let _ = writeln!(out, "{name}{{fleet=\"{fleet}\"}} {n}");
    };
    for counter in FleetCounter::ALL {
        plain(counter.prometheus(), "counter", snapshot.fleet[counter as usize]);
    }
    for gauge in Gauge::ALL {
        plain(gauge.prometheus(), "gauge", snapshot.gauges[gauge as usize]);
    }
    let (lag, lags) = (LAG.1, &snapshot.lags);
    kind(&mut out, lag, "summary");
    let _ = writeln!(out, "{lag}_sum{{fleet=\"{fleet}\"}} {}", lags.milliseconds as f64 / 1000.0);
    let _ = writeln!(out, "{lag}_count{{fleet=\"{fleet}\"}} {}", lags.count);
    out
}

fn kind(out: &mut String, name: &str, kind: &str) {
    let _ = writeln!(out, "# TYPE {name} {kind}");
}

/// The value of a label.
fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
