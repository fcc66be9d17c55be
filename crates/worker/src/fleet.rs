//! A worker of a fleet: one queue of messages for several routes, each with its own stores, options and state.
//!
//! Only how it is put together. A route's state is a store of its own (one place of the table a route, see the adapter), so
//! that the subject of an object is its name below the source prefix in every route, and routes never mix.

use std::collections::HashMap;
use std::sync::Arc;

use longbow_core::port::{Clock, JobQueue, MultipartStore, Observer, StateStore};
use longbow_core::routes::{OnRemoval, RouteName, RouteTable};
use longbow_core::transfer::MethodPolicy;

use crate::node::{Budget, Node, Shared, Table, Ways};
use crate::patient_state::PatientState;
use crate::{Worker, WorkerOptions, WorkerPorts};

/// What all routes of a worker share.
#[derive(Clone)]
pub struct FleetPorts {
    /// Where messages come from.
    pub queue: Arc<dyn JobQueue>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Who watches.
    pub observer: Arc<dyn Observer>,
}

/// What one route works with.
#[derive(Clone)]
pub struct RoutePorts {
    /// Read from.
    pub source: Arc<dyn MultipartStore>,
    /// Written to.
    pub destination: Arc<dyn MultipartStore>,
    /// What is remembered of this route's objects, and of no other's.
    pub state: Arc<dyn StateStore>,
    /// Who watches this route's objects; `None`: who watches all.
    pub observer: Option<Arc<dyn Observer>>,
    /// What differs from the worker's options.
    pub options: RouteOptions,
}

/// What may differ from route to route; `None` is as the worker's options say.
#[derive(Debug, Clone, Default)]
pub struct RouteOptions {
    /// Bytes of a part where nothing asks for another size.
    pub part_size: Option<u64>,
    /// Objects of at most this many bytes are written whole.
    pub whole_up_to: Option<u64>,
    /// Which way bytes may go.
    pub method: Option<MethodPolicy>,
    /// Whether tags are copied.
    pub tags: Option<bool>,
}

/// Why a fleet's worker cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FleetFault {
    /// A route without stores.
    #[error("the route {0} was given no stores")]
    NoPorts(RouteName),
    /// Stores of a route that the table does not have.
    #[error("stores were given for the route {0}, which is not configured")]
    NoRoute(RouteName),
}

impl RouteOptions {
    fn over(&self, all: &WorkerOptions) -> WorkerOptions {
        WorkerOptions {
            part_size: self.part_size.unwrap_or(all.part_size),
            whole_up_to: self.whole_up_to.unwrap_or(all.whole_up_to),
            method: self.method.unwrap_or(all.method),
            tags: self.tags.unwrap_or(all.tags),
            ..all.clone()
        }
    }
}

impl Worker {
    /// A worker for all routes of a table. Nothing runs before [`Worker::serve`].
    ///
    /// # Errors
    /// When table and ports do not name the same routes.
    pub fn for_routes(
        ports: FleetPorts,
        routes: RouteTable,
        mut of_route: HashMap<RouteName, RoutePorts>,
        options: WorkerOptions,
    ) -> Result<Self, FleetFault> {
        let budget = Budget::new(&options);
        let mut by_name = HashMap::new();
        for named in routes.routes() {
            let own = of_route.remove(&named.name).ok_or_else(|| FleetFault::NoPorts(named.name.clone()))?;
            let state = PatientState::new(own.state, Arc::clone(&ports.observer), options.record);
            let route_ports = WorkerPorts {
                source: own.source,
                destination: own.destination,
                route: named.route.clone(),
                queue: Arc::clone(&ports.queue),
                state: Arc::new(state),
                clock: Arc::clone(&ports.clock),
                observer: own.observer.unwrap_or_else(|| Arc::clone(&ports.observer)),
            };
            let propagates = named.on_removal == OnRemoval::Propagate;
            let name = Some(named.name.clone());
            let options = own.options.over(&options);
            let shared = Shared::new(&budget, route_ports, options, true, propagates, name);
            by_name.insert(named.name.clone(), shared);
        }
        if let Some(name) = of_route.into_keys().next() {
            return Err(FleetFault::NoRoute(name));
        }
        let ways = Ways::Table(Table { routes, by_name });
        let FleetPorts { queue, clock, observer } = ports;
        Ok(Self { node: Arc::new(Node::new(queue, clock, observer, options, &budget, ways)) })
    }
}
