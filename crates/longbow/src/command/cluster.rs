//! The services that a fleet shares, open: the queue of jobs and the table of the state.
//!
//! Apart, because every command of a cluster begins with them, and because a service that is not named or not there must be
//! told before anything is done.

use std::sync::Arc;
use std::time::Duration;

use longbow_aws::{ClusterSession, DynamoState, Parameters, SqsOptions, SqsQueue, StateTable, TableOptions};
use longbow_core::failure::BackendError;
use longbow_core::port::{Parameter, ParameterStore as _, StoreTraits};
use longbow_core::route::Route;
use longbow_local::SystemClock;

use super::Surrounding;
use super::route::Sides;
use crate::backend;
use crate::cli::Flags;
use crate::exit::CommandError;
use crate::settings::{ClusterSettings, Faults, FlagLayer, Layers, Settings, resolve};

/// How long a queue is waited for that was made a moment ago.
const PATIENCE: Duration = Duration::ZERO;

/// What the services are opened with.
pub(super) struct Services {
    session: ClusterSession,
    settings: ClusterSettings,
    /// Times locks and records.
    pub(super) clock: Arc<SystemClock>,
}

/// The settings of a command that names no locations.
pub(super) async fn settings(flags: &impl Flags, around: &Surrounding) -> Result<Settings, CommandError> {
    Ok(read(flags, around).await?.settings)
}

/// All layers of settings, the parameter among them.
pub(super) struct ReadLayers {
    pub(super) layers: Layers,
    pub(super) settings: Settings,
    /// The parameter that was read, with its version.
    pub(super) parameter: Option<(String, i64)>,
}

/// Reads all layers. The others have to be without fault before the parameter is asked for.
pub(super) async fn read(flags: &impl Flags, around: &Surrounding) -> Result<ReadLayers, CommandError> {
    let mut layer = FlagLayer::default();
    flags.write_down(&mut layer);
    let layers = Layers::read(&layer, &around.environment);
    let settings = resolve(&layers, &around.environment)?;
    let Some(found) = settings_parameter(&settings.cluster).await? else {
        return Ok(ReadLayers { layers, settings, parameter: None });
    };
    let layers = with_parameter(&layer, around, &found);
    let settings = resolve(&layers, &around.environment)?;
    Ok(ReadLayers { layers, settings, parameter: Some((found.name, found.version)) })
}

/// The parameter of settings, read now, if the settings name one.
pub(super) async fn settings_parameter(
    settings: &ClusterSettings,
) -> Result<Option<Parameter>, CommandError> {
    let Some(name) = &settings.settings_parameter else {
        return Ok(None);
    };
    Ok(Some(Services::open(settings).await?.parameter(name).await?))
}

/// All layers, what the parameter says among them.
pub(super) fn with_parameter(flags: &FlagLayer, around: &Surrounding, found: &Parameter) -> Layers {
    Layers::read_with(flags, &around.environment, Some((&found.name, found.value.expose())))
}

impl Services {
    /// Finds the identity.
    pub(super) async fn open(settings: &ClusterSettings) -> Result<Self, CommandError> {
        let session = backend::open_cluster(settings).await?;
        Ok(Self { session, settings: settings.clone(), clock: Arc::new(SystemClock::new()) })
    }

    /// The identity and the connections.
    pub(super) fn session(&self) -> &ClusterSession {
        &self.session
    }

    /// The queue of jobs.
    pub(super) async fn queue(&self) -> Result<SqsQueue, CommandError> {
        let name = self.settings.queue.clone().ok_or_else(|| {
            missing("cluster.queue_url", "name the queue of jobs by --queue-url: a URL, an ARN or a name")
        })?;
        let options = SqsOptions {
            queue: name,
            dead_letters: self.settings.dead_letter_queue.clone(),
            patience: PATIENCE,
        };
        SqsQueue::connect(&self.session, &options).await.map_err(|e| at_start("the queue", &e))
    }

    /// A parameter, read now.
    pub(super) async fn parameter(&self, name: &str) -> Result<Parameter, CommandError> {
        let parameters = Parameters::open(&self.session).map_err(|e| at_start("Systems Manager", &e))?;
        parameters.get(name).await.map_err(|e| at_start("the parameter", &e))
    }

    /// The versions of parameters now.
    pub(super) async fn versions(&self, names: &[&str]) -> Result<Vec<i64>, CommandError> {
        let parameters = Parameters::open(&self.session).map_err(|e| at_start("Systems Manager", &e))?;
        let found = parameters.get_many(names).await.map_err(|e| at_start("a parameter", &e))?;
        Ok(found.iter().map(|parameter| parameter.version).collect())
    }

    /// The table, which may not be there.
    pub(super) fn table(&self) -> Result<StateTable, CommandError> {
        let name = self.settings.table.clone().ok_or_else(|| {
            missing(
                "cluster.table",
                "name the state table by --table; `longbow state create-table` makes one",
            )
        })?;
        StateTable::open(&self.session, TableOptions::new(name), self.clock.clone())
            .map_err(|e| at_start("the state table", &e))
    }

    /// The table, there and of the right schema.
    pub(super) async fn checked_table(&self) -> Result<StateTable, CommandError> {
        let table = self.table()?;
        table.check().await.map_err(|e| at_start("the state table", &e))?;
        Ok(table)
    }
}

/// The records of a route.
pub(super) fn state(table: &StateTable, route: &Route, sides: &Sides) -> DynamoState {
    let places = [&sides.source, &sides.destination].map(|side| foreign_place(&side.traits, &side.place));
    table.state(route, places)
}

/// Where a store is, if bucket names are not Amazon's there.
fn foreign_place<'a>(traits: &StoreTraits, place: &'a str) -> Option<&'a str> {
    (!traits.amazon).then_some(place)
}

/// Refuses folders: the machines of a cluster share none.
pub(super) fn only_buckets(route: &Route) -> Result<(), CommandError> {
    for (name, location) in [("source", &route.source), ("destination", &route.destination)] {
        if location.is_folder() {
            return Err(CommandError::Usage(format!(
                "the {name} {location} is a folder, and the machines of a cluster share none: name buckets on both \
                 sides, or use longbow sync on one machine"
            )));
        }
    }
    Ok(())
}

fn missing(key: &'static str, remedy: &str) -> CommandError {
    let mut faults = Faults::default();
    faults.argument(key, "", remedy.to_owned());
    faults.into()
}

/// What a user can do about a service that does not open.
pub(super) fn at_start(what: &str, error: &BackendError) -> CommandError {
    let text = format!("{what} cannot be used: {error}");
    if error.transient { CommandError::Failed(text) } else { CommandError::Usage(text) }
}
