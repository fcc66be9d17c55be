//! The routes of a fleet, open for looking at them.
//!
//! Apart from `Fleet::open`, which asks the stores whether they answer: who may read the table need not be able to list the
//! buckets.

use longbow_aws::{DynamoState, StateTable};
use longbow_core::routes::RouteName;

use super::Surrounding;
use super::cluster::{self, Services};
use super::fleet::{self, Fleet, FleetRoute};
use super::route::{Asked, Sides};
use crate::backend::{self, Use};
use crate::cli::{FleetArgs, PlaceArgs};
use crate::exit::CommandError;
use crate::settings::Settings;

/// A route with both sides and its records.
pub(super) struct Looked {
    pub(super) name: RouteName,
    pub(super) asked: Asked,
    pub(super) sides: Sides,
    pub(super) state: DynamoState,
}

/// The fleet.
pub(super) struct LookedAt {
    pub(super) settings: Settings,
    pub(super) services: Services,
    pub(super) table: StateTable,
    pub(super) routes: Vec<Looked>,
}

/// The routes that are wanted, not opened.
pub(super) async fn configured(
    places: &PlaceArgs,
    flags: &FleetArgs,
    around: &Surrounding,
) -> Result<Fleet, CommandError> {
    let mut fleet = fleet::configure(places, &flags.only, flags, around).await?;
    if !flags.only.is_empty() {
        fleet.routes.retain(|route| flags.only.iter().any(|name| route.name.as_str() == name));
    }
    Ok(fleet)
}

/// Opens the table and the routes that are wanted.
pub(super) async fn open(
    places: &PlaceArgs,
    flags: &FleetArgs,
    around: &Surrounding,
) -> Result<LookedAt, CommandError> {
    let Fleet { settings, services, routes, .. } = configured(places, flags, around).await?;
    let table = services.checked_table().await?;
    let mut open = Vec::with_capacity(routes.len());
    for FleetRoute { name, asked, .. } in routes {
        let sides = connect(&asked).await.map_err(|error| error.of_route(&name))?;
        let state = cluster::state(&table, &asked.route, &sides);
        open.push(Looked { name, asked, sides, state });
    }
    Ok(LookedAt { settings, services, table, routes: open })
}

async fn connect(asked: &Asked) -> Result<Sides, CommandError> {
    let source = backend::open_source(&asked.route.source, &asked.settings).await?;
    let destination = backend::open_destination(&asked.route.destination, &asked.settings, Use::Read).await?;
    Ok(Sides { source, destination })
}
