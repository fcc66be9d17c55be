//! The routes of a cluster, from wherever they are written, and their stores.
//!
//! `longbow jobsender`, `longbow worker` and what an operator looks with all begin here, so that they mean the same routes:
//! the one of the command line, or those of the settings file and of the routes parameter together.

use std::collections::{BTreeMap, HashMap};

use longbow_aws::{DynamoState, StateTable};
use longbow_core::legacy::{Pairs, read_pairs};
use longbow_core::routes::{KeyMapping, NamedRoute, OnRemoval, RouteName, RouteTable, Stores};

use super::Surrounding;
use super::cluster::{self, ReadLayers, Services};
use super::route::{self, Asked, Sides};
use crate::backend::{self, Use};
use crate::cli::{Flags, PlaceArgs};
use crate::exit::CommandError;
use crate::settings::{Fault, Faults, Layers, Origin, Settings, WrittenRoute, of_json};

/// What a command of a cluster works with.
pub(super) struct Fleet {
    /// The settings of all routes.
    pub(super) settings: Settings,
    /// Queue, table and parameters.
    pub(super) services: Services,
    /// Every route, in the order of the names for those of a file.
    pub(super) routes: Vec<FleetRoute>,
    /// The parameters of Systems Manager that all this was read from, with their versions.
    pub(super) parameters: BTreeMap<String, i64>,
    /// What is done otherwise than an old configuration says, in words.
    pub(super) notes: Vec<String>,
}

/// One route, not opened yet.
pub(super) struct FleetRoute {
    pub(super) name: RouteName,
    /// The route with its key mapping worked in, and its settings.
    pub(super) asked: Asked,
    /// Whether events of the source make jobs.
    pub(super) events: bool,
}

/// One route with its stores.
pub(super) struct OpenRoute {
    pub(super) name: RouteName,
    pub(super) asked: Asked,
    pub(super) events: bool,
    pub(super) sides: Sides,
}

/// Reads all settings and finds all routes. `only` are names that must be among them.
pub(super) async fn configure(
    places: &PlaceArgs,
    only: &[String],
    flags: &impl Flags,
    around: &Surrounding,
) -> Result<Fleet, CommandError> {
    let ReadLayers { layers, settings, parameter } = cluster::read(flags, around).await?;
    let mut parameters: BTreeMap<String, i64> = parameter.into_iter().collect();
    let mut notes = layers.notes().to_vec();
    if let Some((source, destination)) = places.both() {
        let asked = route::read_of(source, destination, &layers, around)?;
        let mapping = settings.cluster.key_mapping.unwrap_or(KeyMapping::Relative);
        let asked = Asked { route: mapping.resolve(asked.route), ..asked };
        let services = Services::open(&settings.cluster).await?;
        let one = FleetRoute { name: RouteName::of_pair(0), asked, events: true };
        return finish(settings, services, vec![one], &[], parameters, notes).await;
    }
    let mut found = Vec::new();
    let mut faults = Faults::default();
    for written in layers.routes() {
        take(written, &layers, around, &mut found, &mut faults);
    }
    // Told before anybody has to be reached for it.
    if !faults.0.is_empty() {
        return Err(faults.into());
    }
    if layers.routes().is_empty() && settings.cluster.routes_parameter.is_none() {
        return Err(no_route());
    }
    let services = Services::open(&settings.cluster).await?;
    if let Some(name) = &settings.cluster.routes_parameter {
        let parameter = services.parameter(name).await?;
        parameters.insert(name.clone(), parameter.version);
        let text = parameter.value.expose();
        if Pairs::recognise(text) || text.trim() == "[]" {
            let mapping = settings.cluster.key_mapping.unwrap_or(KeyMapping::FullKey);
            let pairs = read_pairs(text, mapping, settings.selection.raw_prefix).map_err(|wrong| {
                Faults(wrong.iter().map(|fault| of_parameter(name, &fault.to_string())).collect())
            })?;
            if pairs.routes.is_empty() {
                faults
                    .0
                    .push(of_parameter(name, "the list of bucket pairs is empty: give one pair at least"));
            }
            notes.extend(pairs.notes);
            for named in pairs.routes {
                let asked = route::judge(settings.clone(), &layers, named.route, Faults::default())?;
                found.push(FleetRoute { name: named.name, asked, events: true });
            }
        } else {
            for written in &of_json(text, name)? {
                take(written, &layers, around, &mut found, &mut faults);
            }
        }
    }
    faults.check()?;
    if found.is_empty() {
        return Err(no_route());
    }
    finish(settings, services, found, only, parameters, notes).await
}

fn no_route() -> CommandError {
    CommandError::Usage(
        "no route is configured: give SOURCE and DESTINATION, or [routes.NAME] tables in a settings file (--config), or a \
         parameter that holds routes (--routes-parameter)"
            .to_owned(),
    )
}

/// A route of a file or of a parameter, judged.
fn take(
    written: &WrittenRoute,
    layers: &Layers,
    around: &Surrounding,
    found: &mut Vec<FleetRoute>,
    faults: &mut Faults,
) {
    let read = match layers.read_route(written, &around.environment) {
        Ok(read) => read,
        Err(wrong) => return faults.0.extend(wrong.0),
    };
    let mut own = Faults::default();
    let raw_prefix = read.settings.selection.raw_prefix;
    let route = route::between(("from", &read.from), ("to", &read.to), raw_prefix, &mut own);
    let mapping = read.mapping.or(read.settings.cluster.key_mapping).unwrap_or(KeyMapping::Relative);
    let judged = match route {
        Ok(route) => route::judge(read.settings, &read.layers, mapping.resolve(route), own),
        Err(_) => Err(own.into()),
    };
    match judged {
        Ok(asked) => found.push(FleetRoute { name: read.name, asked, events: read.events }),
        Err(CommandError::Settings(wrong)) => {
            let named = |fault: Fault| Fault { key: format!("routes.{}.{}", read.name, fault.key), ..fault };
            faults.0.extend(wrong.0.into_iter().map(named));
        }
        Err(other) => faults.0.push(Fault {
            key: format!("routes.{}", read.name),
            value: String::new(),
            origin: Origin::Default,
            remedy: other.to_string(),
        }),
    }
}

/// The ignore list of the parameter, and the routes that are wanted.
async fn finish(
    settings: Settings,
    services: Services,
    mut routes: Vec<FleetRoute>,
    only: &[String],
    mut parameters: BTreeMap<String, i64>,
    notes: Vec<String>,
) -> Result<Fleet, CommandError> {
    for name in only {
        if !routes.iter().any(|route| route.name.as_str() == name) {
            let known: Vec<&str> = routes.iter().map(|route| route.name.as_str()).collect();
            let remedy = format!("there is no such route; there are {}", known.join(", "));
            let mut faults = Faults::default();
            faults.argument("--route", name, remedy);
            return Err(faults.into());
        }
    }
    let mut lists: HashMap<String, String> = HashMap::new();
    for route in &mut routes {
        cluster::only_buckets(&route.asked.route)?;
        let Some(name) = route.asked.settings.selection.ignore_parameter.clone() else { continue };
        if !lists.contains_key(&name) {
            let list = services.parameter(&name).await?;
            parameters.insert(name.clone(), list.version);
            lists.insert(name.clone(), list.value.expose().to_owned());
        }
        let wrong = route.asked.selection.ignore_file(&name, &lists[&name]).err().unwrap_or_default();
        Faults(wrong.iter().map(|fault| of_parameter(&name, &fault.to_string())).collect()).check()?;
    }
    Ok(Fleet { settings, services, routes, parameters, notes })
}

impl Fleet {
    /// Opens both sides of every route.
    pub(super) async fn open(routes: Vec<FleetRoute>, purpose: Use) -> Result<Vec<OpenRoute>, CommandError> {
        let mut open = Vec::with_capacity(routes.len());
        for FleetRoute { name, asked, events } in routes {
            let sides = route::open(&asked, purpose).await.map_err(|error| error.of_route(&name))?;
            open.push(OpenRoute { name, asked, events, sides });
        }
        Ok(open)
    }
}

impl OpenRoute {
    /// The route as the table of routes has it.
    pub(super) fn named(&self) -> NamedRoute {
        let Sides { source, destination } = &self.sides;
        let mut stores = Stores { source: source.place.clone(), destination: destination.place.clone() };
        if backend::is_same_store(source, destination) {
            stores.destination = stores.source.clone();
        }
        // The mapping is worked in already.
        let mut named = NamedRoute::new(self.name.clone(), self.asked.route.clone(), KeyMapping::Relative);
        named.stores = stores;
        named.selection = self.asked.selection.clone();
        named.events = self.events;
        if self.asked.settings.cluster.propagate_deletes {
            named.on_removal = OnRemoval::Propagate;
        }
        named
    }

    /// The route with the places of its stores, for people and for state.
    pub(super) fn text(&self) -> String {
        backend::route_text(&self.asked.route, &self.sides.source, &self.sides.destination)
    }

    /// The records of this route.
    pub(super) fn state(&self, table: &StateTable) -> DynamoState {
        cluster::state(table, &self.asked.route, &self.sides)
    }
}

/// All routes together, checked.
pub(super) fn table(open: &[OpenRoute]) -> Result<RouteTable, CommandError> {
    RouteTable::new(open.iter().map(OpenRoute::named).collect()).map_err(|faults| {
        let texts: Vec<String> = faults.iter().map(ToString::to_string).collect();
        CommandError::Refused(texts.join("; "))
    })
}

fn of_parameter(name: &str, what: &str) -> Fault {
    Fault {
        key: "parameter".to_owned(),
        value: String::new(),
        origin: Origin::Parameter(name.to_owned()),
        remedy: what.to_owned(),
    }
}
