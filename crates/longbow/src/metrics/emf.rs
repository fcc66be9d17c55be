//! CloudWatch's embedded metric format: a log line that is a JSON object, of which CloudWatch makes metrics (CloudWatch User
//! Guide, "Specification: Embedded metric format").
//!
//! One line holds the fleet's figures, one each route's, one each cause's: dimensions are members of a line, so that
//! different values need different lines. Only makes the lines; nothing is written here.

use serde_json::{Map, Value, json};

use super::catalog::{CAUSES, FleetCounter, Gauge, LAG, NAMESPACE, RouteCounter};
use super::snapshot::Snapshot;

/// Makes lines of what was added since the lines before.
pub(crate) struct Emf {
    about: About,
    before: Option<Snapshot>,
}

/// Who tells.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) fleet: String,
    pub(super) host: String,
    pub(super) command: &'static str,
}

/// A figure: name, unit, value.
pub(super) type Figure = (&'static str, &'static str, Value);

impl Emf {
    /// Nothing was told yet. `fleet` is the value of the dimension.
    pub(crate) fn new(fleet: &str) -> Self {
        Self { about: About::new(fleet, "worker"), before: None }
    }

    /// The lines of this moment, `now` milliseconds after 1970.
    pub(crate) fn lines(&mut self, snapshot: Snapshot, now: i64) -> Vec<String> {
        let counters = |figures: &[u64]| -> Vec<Figure> {
            let value = |c: &RouteCounter| (c.name(), c.unit(), figures[*c as usize].into());
            RouteCounter::ALL.iter().map(value).collect()
        };
        let before = self.before.as_ref();
        let all = before.map_or(snapshot.all, |before| snapshot.all.since(&before.all));
        let mut figures = counters(&all.counters);
        for counter in FleetCounter::ALL {
            let at = counter as usize;
            let added = snapshot.fleet[at].saturating_sub(before.map_or(0, |before| before.fleet[at]));
            figures.push((counter.name(), counter.unit(), added.into()));
        }
        for gauge in Gauge::ALL {
            figures.push((gauge.name(), gauge.unit(), snapshot.gauges[gauge as usize].into()));
        }
        let lags = snapshot.lags.since(before.map_or(0, |before| before.lags.count));
        if !lags.is_empty() {
            figures.push((LAG.0, "Seconds", lags.into()));
        }
        let mut lines = vec![self.about.line(now, &[], &figures)];
        for (cause, n) in CAUSES.iter().zip(all.causes).filter(|(_, n)| *n > 0) {
            let failed = RouteCounter::ObjectsFailed;
            lines.push(self.about.line(
                now,
                &[("Cause", cause)],
                &[(failed.name(), failed.unit(), n.into())],
            ));
        }
        for (name, route) in &snapshot.routes {
            let before = before.and_then(|before| before.routes.get(name)).copied().unwrap_or_default();
            let added = route.since(&before);
            if !added.is_zero() {
                lines.push(self.about.line(now, &[("Route", name)], &counters(&added.counters)));
            }
        }
        self.before = Some(snapshot);
        lines
    }
}

impl About {
    pub(super) fn new(fleet: &str, command: &'static str) -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        Self { fleet: dimension(fleet), host: host.trim().to_owned(), command }
    }

    /// One line, without its end.
    pub(super) fn line(&self, now: i64, more: &[(&str, &str)], figures: &[Figure]) -> String {
        let names: Vec<&str> = std::iter::once("Fleet").chain(more.iter().map(|(name, _)| *name)).collect();
        let metrics: Vec<Value> =
            figures.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
        let mut line = Map::new();
        line.insert(
            "_aws".to_owned(),
            json!({
                "Timestamp": now,
                "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [names], "Metrics": metrics}],
            }),
        );
        line.insert("Fleet".to_owned(), self.fleet.clone().into());
        line.insert("host".to_owned(), self.host.clone().into());
        line.insert("command".to_owned(), self.command.into());
        for (name, value) in more {
            line.insert((*name).to_owned(), dimension(value).into());
        }
        for (name, _, value) in figures {
            line.insert((*name).to_owned(), value.clone());
        }
        Value::Object(line).to_string()
    }
}

/// What CloudWatch takes as the value of a dimension: ASCII without control characters, not empty, at most 1,024 letters, no
/// colon in front (API reference, "Dimension").
fn dimension(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(1024).collect();
    let plain = plain.trim_start_matches([':', ' ']).trim_end();
    if plain.is_empty() { "-".to_owned() } else { plain.to_owned() }
}
