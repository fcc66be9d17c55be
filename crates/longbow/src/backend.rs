//! From locations and settings to stores and state behind the ports: the only place that knows both adapters.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use longbow_aws::{
    ClusterOptions, ClusterSession, Parameters, RoleOptions, S3Store, SideOptions, StoredKeys,
    is_plain_http_elsewhere,
};
use longbow_core::failure::{StoreError, StoreErrorKind};
use longbow_core::object::{KeyOrder, Location, ObjectKey, Prefix, Timestamp};
use longbow_core::port::{MultipartStore, ObjectStore as _, StoreTraits};
use longbow_core::route::Route;
use longbow_local::{Database, Directory, DirectoryOptions, SystemClock};

use crate::exit::CommandError;
use crate::settings::{ClusterSettings, Credentials, Settings, SideSettings};

/// One side, open.
pub(crate) struct OpenSide {
    /// The store.
    pub(crate) store: Arc<dyn MultipartStore>,
    /// What is fixed about it.
    pub(crate) traits: StoreTraits,
    /// Where the store is, apart from the bucket: an endpoint or a region; empty for folders.
    pub(crate) place: String,
    kind: Kind,
}

enum Kind {
    Bucket(Box<S3Store>),
    Folder(Directory),
}

/// What a run does with a side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Lists and reads.
    Read,
    /// Writes too; a folder that is missing is made.
    Write,
}

impl OpenSide {
    /// The location with the place of its store: what a user sees, and what makes a route unique.
    pub(crate) fn full_name(&self, location: &Location) -> String {
        match self.kind {
            Kind::Bucket(_) => format!("{location} at {}", self.place),
            Kind::Folder(_) => location.to_string(),
        }
    }

    /// Whether the store answers and lets us list.
    pub(crate) async fn check(&self, prefix: &Prefix) -> Result<(), StoreError> {
        match &self.kind {
            Kind::Bucket(store) => store.check_under(prefix).await,
            Kind::Folder(_) => Ok(()),
        }
    }

    /// The store's clock, asked by a HEAD of a key that nobody has; `None` where that cannot be told.
    pub(crate) async fn time(&self, nobodys: &ObjectKey) -> Option<Timestamp> {
        match &self.kind {
            Kind::Bucket(store) => store.server_time(nobodys).await,
            Kind::Folder(_) => None,
        }
    }

    /// Removes what a killed run has left half written in a folder. Nothing else may write there by this route now: the
    /// state file is ours.
    pub(crate) async fn sweep(&self) {
        if let Kind::Folder(directory) = &self.kind
            && let Err(error) = directory.sweep(std::time::SystemTime::now()).await
        {
            tracing::warn!("what a killed run left could not be removed: {error}");
        }
    }

    /// A folder lists in any order: best in that of the other side, so that nothing has to be sorted.
    pub(crate) fn list_in(&mut self, order: KeyOrder) {
        if let Kind::Folder(directory) = &self.kind {
            let directory = directory.clone().with_order(order);
            self.traits = directory.traits();
            self.store = Arc::new(directory.clone());
            self.kind = Kind::Folder(directory);
        }
    }
}

/// Opens the source.
pub(crate) async fn open_source(location: &Location, settings: &Settings) -> Result<OpenSide, CommandError> {
    let options = side_options(&settings.source, settings).await?;
    open("source", location, options, Use::Read, settings.allow_http).await
}

/// Opens the destination.
pub(crate) async fn open_destination(
    location: &Location,
    settings: &Settings,
    purpose: Use,
) -> Result<OpenSide, CommandError> {
    let mut options = side_options(&settings.destination.side, settings).await?;
    options.storage_class = settings.destination.storage_class.clone();
    options.encryption = settings.destination.encryption.clone();
    options.copied_bucket_owner = settings.source.expected_bucket_owner.clone();
    open("destination", location, options, purpose, settings.allow_http).await
}

async fn open(
    side: &str,
    location: &Location,
    options: SideOptions,
    purpose: Use,
    allow_http: bool,
) -> Result<OpenSide, CommandError> {
    match location {
        Location::S3 { bucket, .. } => {
            let asked = options.endpoint_url.as_deref().unwrap_or_default();
            let store = longbow_aws::connect(bucket, &options)
                .await
                .map_err(|e| at_start(side, location, asked, &e))?;
            let traits = store.traits();
            let place = traits.name.rsplit_once(" at ").map_or("", |(_, place)| place).to_owned();
            // The settings were judged before; this one came from AWS_ENDPOINT_URL or a profile.
            if is_plain_http_elsewhere(&place) && !allow_http {
                return Err(CommandError::Usage(format!(
                    "the {side} {location} is reached by {place}, which is plain http to another machine: anybody on \
                     the way can read the bytes. Use https, or allow it by --allow-http"
                )));
            }
            Ok(OpenSide {
                store: Arc::new(store.clone()),
                traits,
                place,
                kind: Kind::Bucket(Box::new(store)),
            })
        }
        Location::Folder(path) => {
            let options = DirectoryOptions { create: purpose == Use::Write, ..DirectoryOptions::default() };
            let directory =
                Directory::open(path.clone(), options).map_err(|e| at_start(side, location, "", &e))?;
            let traits = directory.traits();
            let store = Arc::new(directory.clone());
            Ok(OpenSide { store, traits, place: String::new(), kind: Kind::Folder(directory) })
        }
    }
}

/// What a user can do about a store that does not open.
pub(crate) fn at_start(side: &str, location: &Location, place: &str, error: &StoreError) -> CommandError {
    let at = if place.is_empty() { String::new() } else { format!(" at {place}") };
    let text = format!("the {side} {location}{at} cannot be used: {error}");
    match error.kind {
        StoreErrorKind::Throttled
        | StoreErrorKind::Transient
        | StoreErrorKind::Corrupt
        | StoreErrorKind::Full => CommandError::Failed(text),
        _ => CommandError::Usage(text),
    }
}

/// How assumed roles call themselves in the other account's logs.
const SESSION: &str = "longbow";

async fn side_options(side: &SideSettings, settings: &Settings) -> Result<SideOptions, CommandError> {
    let mut options = SideOptions {
        endpoint_url: side.endpoint_url.clone(),
        region: side.region.clone(),
        profile: side.profile.clone(),
        path_style: side.path_style,
        requester_pays: side.requester_pays,
        allow_http: settings.allow_http,
        expected_bucket_owner: side.expected_bucket_owner.clone(),
        role: side.role.as_ref().map(|role| RoleOptions {
            arn: role.arn.clone(),
            external_id: role.external_id.clone(),
            session_name: SESSION.to_owned(),
        }),
        ..SideOptions::default()
    };
    match &side.credentials {
        Credentials::Chain => {}
        Credentials::Anonymous => options.anonymous = true,
        Credentials::Keys { id, secret, token } => {
            options.access_key = Some(id.clone());
            options.secret_key = Some(secret.clone());
            options.session_token = token.clone();
        }
        Credentials::Stored { parameter } => {
            let session = open_cluster(&settings.cluster).await?;
            let parameters = Parameters::open(&session).map_err(|e| CommandError::Usage(e.to_string()))?;
            let parameters = Arc::new(parameters);
            options.stored_keys = Some(StoredKeys { parameters, name: parameter.clone() });
        }
    }
    Ok(options)
}

/// A bucket of the fleet's own account, for lists: with the identity of its queue and table.
pub(crate) async fn open_own_bucket(
    bucket: &str,
    settings: &Settings,
) -> Result<Arc<dyn MultipartStore>, CommandError> {
    let ClusterSettings { region, profile, allow_http, .. } = &settings.cluster;
    let options = SideOptions {
        region: region.clone(),
        profile: profile.clone(),
        allow_http: *allow_http,
        ..SideOptions::default()
    };
    let location = Location::S3 { bucket: bucket.to_owned(), prefix: Prefix::default() };
    Ok(open("list in", &location, options, Use::Write, settings.allow_http).await?.store)
}

/// The identity and the connections for what a fleet shares: queue, table, parameters.
pub(crate) async fn open_cluster(settings: &ClusterSettings) -> Result<ClusterSession, CommandError> {
    let options = ClusterOptions {
        endpoint_url: settings.endpoint_url.clone(),
        region: settings.region.clone(),
        profile: settings.profile.clone(),
        allow_http: settings.allow_http,
        ..ClusterOptions::default()
    };
    ClusterSession::open(&options).await.map_err(|error| {
        let text = format!("the cluster cannot be used: {error}");
        if error.transient { CommandError::Failed(text) } else { CommandError::Usage(text) }
    })
}

/// Whether equal bucket names mean one bucket on both sides. Amazon's names are unique in each partition, whatever
/// the region and endpoint; in doubt the answer is yes.
pub(crate) fn is_same_store(source: &OpenSide, destination: &OpenSide) -> bool {
    match (source.traits.amazon, destination.traits.amazon) {
        (true, true) => true,
        (false, false) => one_name(&source.place) == one_name(&destination.place),
        _ => false,
    }
}

/// The usual names of this machine as one.
fn one_name(place: &str) -> String {
    let place = place.to_ascii_lowercase();
    ["//localhost", "//[::1]", "//0.0.0.0"]
        .iter()
        .find_map(|name| {
            let rest = place.split_once(name)?.1;
            (rest.is_empty() || rest.starts_with([':', '/'])).then(|| place.replacen(name, "//127.0.0.1", 1))
        })
        .unwrap_or(place)
}

/// The name of a route's state: both locations with the places of their stores.
pub(crate) fn route_text(route: &Route, source: &OpenSide, destination: &OpenSide) -> String {
    format!("{} -> {}", source.full_name(&route.source), destination.full_name(&route.destination))
}

/// The state file of a route.
pub(crate) fn state_file(state_dir: &Path, route_text: &str) -> PathBuf {
    let folder = std::path::absolute(state_dir).unwrap_or_else(|_| state_dir.to_owned());
    folder.join(format!("{:016x}.sqlite", fnv1a(route_text.as_bytes())))
}

/// FNV-1a, 64 bits: names of files must stay the same over releases. The file itself knows its route, so that two
/// routes with one hash are found out.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Opens the state of a route.
pub(crate) fn open_state(
    file: &Path,
    route_text: &str,
) -> Result<(Database, Arc<SystemClock>), CommandError> {
    let clock = Arc::new(SystemClock::new());
    let database = Database::open(file, route_text, clock.clone())
        .map_err(|e| CommandError::Failed(format!("failed to open the state: {e}")))?;
    Ok((database, clock))
}

/// Opens a copy of the state of a route in a scratch folder, for commands that must write nothing. `None`: there is
/// no state yet.
pub(crate) fn open_state_copy(
    file: &Path,
    scratch: &Path,
    route_text: &str,
) -> Result<Option<(Database, Arc<SystemClock>)>, CommandError> {
    let copy = scratch.join("state.sqlite");
    // SQLite's file, and what is not merged into it yet.
    for end in ["", "-wal"] {
        let with_end = |path: &Path| {
            let mut name = path.as_os_str().to_owned();
            name.push(end);
            PathBuf::from(name)
        };
        match std::fs::copy(with_end(file), with_end(&copy)) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && end.is_empty() => return Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(CommandError::Failed(format!("failed to read {}: {error}", file.display())));
            }
        }
    }
    open_state(&copy, route_text).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_files_keep_their_names() {
        // The published test values of FNV-1a.
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"foobar"), 0x8594_4171_f739_67e8);
        assert_eq!(state_file(Path::new("/s"), "foobar"), Path::new("/s/85944171f73967e8.sqlite"));
    }

    #[test]
    fn this_machine_has_one_name() {
        assert_eq!(one_name("http://localhost:9000"), one_name("http://127.0.0.1:9000"));
        assert_eq!(one_name("http://[::1]"), one_name("http://localhost"));
        assert_ne!(one_name("http://localhost.example"), one_name("http://127.0.0.1"));
        assert_ne!(one_name("http://localhost:9000"), one_name("http://localhost:9001"));
    }
}
