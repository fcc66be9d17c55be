//! Routes as somebody wrote them: where from, where to, and what differs from the settings of all routes.
//!
//! A route's own settings lie over all layers but the flags: what is said of one route is more exact than what is said of
//! all, and a flag is what somebody wants just now. Whether a route makes sense is judged by the commands.

use std::collections::BTreeMap;

use config::{Map, Value, ValueKind};
use longbow_core::json;
use longbow_core::routes::{KeyMapping, RouteName};

use super::fault::{Fault, Faults};
use super::layers::{Layers, ProcessEnvironment, walk};
use super::origin::Origin;
use super::reading::{choice, truth, without_mark};
use super::resolve::resolve;
use super::values::Settings;

/// Settings that may differ from route to route: whole sections, and single keys.
const OF_A_ROUTE: [&str; 8] = [
    "selection.",
    "source.",
    "destination.",
    "sync.compare",
    "sync.method",
    "sync.tags",
    "sync.max_delete",
    "cluster.propagate_deletes",
];

/// What only a route has.
const OWN: [&str; 4] = ["from", "to", "key_mapping", "events"];

/// Whether only a route has a key of this name.
pub(super) fn is_own(key: &str) -> bool {
    OWN.contains(&key)
}

/// A route as it was written.
#[derive(Clone)]
pub(crate) struct WrittenRoute {
    /// Its name, not judged yet.
    pub(crate) name: String,
    /// Every value by its dotted key, with where it was written.
    pub(crate) values: BTreeMap<String, (Value, Origin)>,
}

/// Without the values: secrets are among them.
impl std::fmt::Debug for WrittenRoute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WrittenRoute")
            .field("name", &self.name)
            .field("keys", &self.values.keys())
            .finish_non_exhaustive()
    }
}

/// A route whose settings hold.
#[derive(Debug, Clone)]
pub(crate) struct ReadRoute {
    pub(crate) name: RouteName,
    pub(crate) from: String,
    pub(crate) to: String,
    /// `None`: as the settings say.
    pub(crate) mapping: Option<KeyMapping>,
    /// Whether events of the source make jobs.
    pub(crate) events: bool,
    /// The settings as they hold for this route.
    pub(crate) settings: Settings,
    /// Where they were written.
    pub(crate) layers: Layers,
}

/// The routes in a `routes` table of a layer.
pub(super) fn of_table(table: Map<String, Value>, origin: &Origin, faults: &mut Faults) -> Vec<WrittenRoute> {
    let mut routes = Vec::new();
    for (name, value) in table.into_iter().collect::<BTreeMap<_, _>>() {
        let ValueKind::Table(fields) = value.kind else {
            faults.0.push(Fault {
                key: format!("routes.{name}"),
                value: String::new(),
                origin: origin.clone(),
                remedy: "is no table: give [routes.NAME] with from and to".to_owned(),
            });
            continue;
        };
        let mut flat = BTreeMap::new();
        for (field, value) in fields {
            walk(field, value, &mut flat);
        }
        let values = flat.into_iter().map(|(key, value)| (key, (value, origin.clone()))).collect();
        routes.push(WrittenRoute { name, values });
    }
    routes
}

/// The routes in the JSON text of a parameter: `{"NAME": {…}}`, or the same below `"routes"`.
pub(crate) fn of_json(text: &str, parameter: &str) -> Result<Vec<WrittenRoute>, Faults> {
    let origin = Origin::Parameter(parameter.to_owned());
    let fault = |remedy: String| {
        Faults(vec![Fault {
            key: "cluster.routes_parameter".to_owned(),
            value: parameter.to_owned(),
            origin: origin.clone(),
            remedy,
        }])
    };
    let form = "give bucket pairs as Longbow has them, or {\"NAME\": {\"from\": …, \"to\": …}}";
    // The text may hold secrets: what serde says would repeat some of it.
    json::check(text).map_err(|wrong| fault(format!("cannot be read ({wrong}): {form}")))?;
    let table: Result<Map<String, Value>, _> = serde_json::from_str(without_mark(text));
    let mut table = table.map_err(|_| fault(format!("is no JSON object: {form}")))?;
    if let (1, Some(inner)) = (table.len(), table.remove("routes")) {
        let ValueKind::Table(inner) = inner.kind else { return Err(fault(form.to_owned())) };
        table = inner;
    }
    let mut faults = Faults::default();
    let routes = of_table(table, &origin, &mut faults);
    if routes.is_empty() && faults.0.is_empty() {
        return Err(fault(format!("holds no route: {form}")));
    }
    faults.check().map(|()| routes)
}

impl Layers {
    /// The settings of one route; reports every fault in them.
    pub(crate) fn read_route(
        &self,
        written: &WrittenRoute,
        environment: &ProcessEnvironment,
    ) -> Result<ReadRoute, Faults> {
        let mut layers = self.clone();
        let mut faults = Faults::default();
        let mut fault = |key: &str, remedy: String| {
            let (value, origin) = match written.values.get(key) {
                // A secret may stand under a mistyped key: only what a route has is repeated.
                Some((value, origin)) if is_own(key) || self.knows(key) => {
                    (value.to_string(), origin.clone())
                }
                Some((_, origin)) => (String::new(), origin.clone()),
                None => (String::new(), written.origin()),
            };
            let key = format!("routes.{}.{key}", written.name);
            faults.0.push(Fault { key, value, origin, remedy });
        };
        for (key, (value, origin)) in &written.values {
            if is_own(key) {
                continue;
            }
            if !OF_A_ROUTE.iter().any(|own| key == own || (own.ends_with('.') && key.starts_with(own))) {
                fault(
                    key,
                    format!(
                        "is nothing that a route has: give {}, settings of selection, source and destination, \
                         sync.compare, sync.method, sync.tags, sync.max_delete, cluster.propagate_deletes",
                        OWN.join(", ")
                    ),
                );
            } else if !matches!(layers.origin(key), Origin::Flag(_)) {
                layers.set(key, value.clone(), origin.clone());
            }
        }
        let text = |key: &str| written.values.get(key).map(|(value, _)| value.clone().into_string());
        let place = |key: &str| match text(key) {
            Some(Ok(text)) if !text.is_empty() => Ok(text),
            _ => Err("is missing: give s3://BUCKET/PREFIX".to_owned()),
        };
        let mappings = [("relative", KeyMapping::Relative), ("full-key", KeyMapping::FullKey)];
        let mapping = match text("key_mapping") {
            None => Ok(None),
            Some(text) => text.map_err(|e| e.to_string()).and_then(|t| choice(&t, &mappings)).map(Some),
        };
        let events = match text("events") {
            None => Ok(true),
            Some(text) => text.map_err(|e| e.to_string()).and_then(|t| truth(&t)),
        };
        let name = RouteName::new(&written.name);
        let (from, to) = (place("from"), place("to"));
        for (key, wrong) in [
            ("from", from.as_ref().err().cloned()),
            ("to", to.as_ref().err().cloned()),
            ("key_mapping", mapping.as_ref().err().cloned()),
            ("events", events.as_ref().err().cloned()),
            ("", name.as_ref().err().map(ToString::to_string)),
        ] {
            if let Some(wrong) = wrong {
                fault(key, wrong);
            }
        }
        let settings = resolve(&layers, environment).map_err(|found| {
            for mut one in found.0 {
                if written.values.contains_key(&one.key) {
                    one.key = format!("routes.{}.{}", written.name, one.key);
                }
                faults.0.push(one);
            }
        });
        match (settings, name, from, to, mapping, events) {
            (Ok(settings), Ok(name), Ok(from), Ok(to), Ok(mapping), Ok(events)) if faults.0.is_empty() => {
                Ok(ReadRoute { name, from, to, mapping, events, settings, layers })
            }
            _ => Err(faults),
        }
    }
}

impl WrittenRoute {
    fn origin(&self) -> Origin {
        self.values.values().next().map_or(Origin::Default, |(_, origin)| origin.clone())
    }
}
