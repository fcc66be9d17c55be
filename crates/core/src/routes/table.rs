//! The table of routes, checked as a whole when it is made.

use super::loops::{cycles, meet};
use super::{KeyMapping, RouteName};
use crate::object::{Location, ObjectKey};
use crate::route::{OverlapError, Route};
use crate::selection::KeySelection;

/// Which stores the sides of a route are in, by any name that tells stores apart: an endpoint, or a partition (`aws`,
/// `aws-cn`). Equal names and equal buckets are the same bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stores {
    /// The store of the source.
    pub source: String,
    /// The store of the destination.
    pub destination: String,
}

/// What a removal at the source does at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnRemoval {
    /// Nothing: the default.
    #[default]
    Keep,
    /// The object is removed there too.
    Propagate,
}

/// One configured route.
#[derive(Debug, Clone)]
pub struct NamedRoute {
    /// Its name, unique in the table.
    pub name: RouteName,
    /// The way, with the key mapping worked in: [`Route::map`] is all that anybody needs.
    pub route: Route,
    /// Where its sides are.
    pub stores: Stores,
    /// Whether events of the source make jobs.
    pub events: bool,
    /// What a removal at the source does.
    pub on_removal: OnRemoval,
    /// Which keys take part. Events obey it as listings do (LBB-28).
    pub selection: KeySelection,
}

impl NamedRoute {
    /// A route for all keys, which follows events and keeps what is removed at the source.
    pub fn new(name: RouteName, route: Route, mapping: KeyMapping) -> Self {
        let selection = KeySelection::of(&route.source);
        Self {
            name,
            route: mapping.resolve(route),
            stores: Stores::default(),
            events: true,
            on_removal: OnRemoval::Keep,
            selection,
        }
    }

    /// Whether objects of this bucket come along this route.
    pub fn reads_from(&self, name: &str) -> bool {
        matches!(&self.route.source, Location::S3 { bucket, .. } if bucket == name)
    }

    /// Whether objects of this route go to this bucket.
    pub fn writes_to(&self, name: &str) -> bool {
        matches!(&self.route.destination, Location::S3 { bucket, .. } if bucket == name)
    }
}

/// What is wrong with a table of routes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteFault {
    /// A name stands for two routes.
    #[error("the name {0} is given to two routes; give each its own")]
    NameTwice(RouteName),
    /// The same way twice.
    #[error("the routes {first} and {second} have the same source and destination; remove one")]
    Same {
        /// One of them.
        first: RouteName,
        /// The other.
        second: RouteName,
    },
    /// A folder on one side.
    #[error(
        "route {0} has a folder on one side, and the machines of a cluster share none: name buckets on both"
    )]
    Folder(RouteName),
    /// A route feeds itself.
    #[error("route {name}: {fault}")]
    Overlap {
        /// The route.
        name: RouteName,
        /// How.
        fault: OverlapError,
    },
    /// Routes feed each other in a ring.
    #[error(
        "the routes {} read what they write for each other, so that objects would be copied for ever: remove one, or \
         choose prefixes of which neither holds the other", ring(.0)
    )]
    Loop(Vec<RouteName>),
}

fn ring(names: &[RouteName]) -> String {
    let names: Vec<&str> = names.iter().chain(names.first()).map(RouteName::as_str).collect();
    names.join(" → ")
}

/// Whether the inner route copies a part of what the outer one copies, and to the same keys.
fn agree(outer: &NamedRoute, inner: &NamedRoute) -> bool {
    let bucket = |location: &Location| match location {
        Location::S3 { bucket, .. } => Some(bucket.clone()),
        Location::Folder(_) => None,
    };
    let mapped = outer.route.map(&ObjectKey::from(inner.route.source_prefix().as_str()));
    outer.stores == inner.stores
        && bucket(&outer.route.source).is_some_and(|b| inner.reads_from(&b))
        && bucket(&outer.route.destination).is_some_and(|b| inner.writes_to(&b))
        && mapped.is_some_and(|key| key.as_str() == inner.route.destination_prefix().as_str())
}

/// All routes, checked.
#[derive(Debug, Clone)]
pub struct RouteTable {
    routes: Vec<NamedRoute>,
}

impl RouteTable {
    /// Checks all routes; reports every fault.
    pub fn new(routes: Vec<NamedRoute>) -> Result<Self, Vec<RouteFault>> {
        let mut faults = Vec::new();
        for (i, a) in routes.iter().enumerate() {
            // One fault of a kind a route: many that are alike would have many times as many.
            let before = &routes[..i];
            if before.iter().any(|b| a.name == b.name) {
                faults.push(RouteFault::NameTwice(a.name.clone()));
            }
            if let Some(b) = before.iter().find(|b| a.route == b.route && a.stores == b.stores) {
                faults.push(RouteFault::Same { first: b.name.clone(), second: a.name.clone() });
            }
            if a.route.source.is_folder() || a.route.destination.is_folder() {
                faults.push(RouteFault::Folder(a.name.clone()));
                continue;
            }
            let same_store = a.stores.source == a.stores.destination;
            if let Err(fault) = a.route.check_overlap(same_store) {
                faults.push(RouteFault::Overlap { name: a.name.clone(), fault });
            }
        }
        faults.extend(cycles(&routes).into_iter().map(RouteFault::Loop));
        if faults.is_empty() { Ok(Self { routes }) } else { Err(faults) }
    }

    /// What is allowed and yet may surprise, in words: routes that write into one place can overwrite each other's
    /// objects when two sources have a name in common.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for (i, a) in self.routes.iter().enumerate() {
            for b in &self.routes[..i] {
                let same_store = a.stores.destination == b.stores.destination;
                if same_store
                    && !agree(a, b)
                    && !agree(b, a)
                    && meet(&a.route.destination, &b.route.destination)
                {
                    warnings.push(format!(
                        "the routes {} and {} both write below {} and {}: where their sources have a name in common, \
                         the one that copies last wins",
                        b.name, a.name, b.route.destination, a.route.destination
                    ));
                }
            }
        }
        warnings
    }

    /// The routes, in the order of the configuration.
    pub fn routes(&self) -> &[NamedRoute] {
        &self.routes
    }

    /// The route of this name.
    pub fn get(&self, name: &RouteName) -> Option<&NamedRoute> {
        self.routes.iter().find(|r| r.name == *name)
    }

    /// Whether any route reads from this bucket.
    pub fn knows_source(&self, bucket: &str) -> bool {
        self.routes.iter().any(|r| r.reads_from(bucket))
    }

    /// All routes that an object of this bucket and key comes along, each with the key that it gets: every one, not the
    /// one with the longest prefix, so that events lead where a listing of each route would lead (decision 0009).
    pub fn of_object<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a ObjectKey,
    ) -> impl Iterator<Item = (&'a NamedRoute, ObjectKey)> {
        self.routes.iter().filter(move |r| r.reads_from(bucket)).filter_map(|r| Some((r, r.route.map(key)?)))
    }
}
