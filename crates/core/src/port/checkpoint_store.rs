//! How far a comparison has come, kept outside of the process, so that a killed run goes on where it was.
//!
//! One checkpoint a route. A lost or refused one costs time and nothing else: the comparison then begins at the first
//! name again.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::failure::BackendError;
use crate::object::Timestamp;
use crate::routes::RouteName;

/// Every name up to `upto` has been compared, and the queue has taken every job that came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The name under the route's prefixes, in byte order.
    pub upto: String,
    /// What was compared, and how: a comparison that is another one by now does not go on from here.
    pub about: String,
    /// When the comparison began. What has changed at names before `upto` since then is seen by the next full one.
    pub began: Timestamp,
}

/// Keeps one checkpoint a route.
#[async_trait]
pub trait CheckpointStore: Send + Sync + 'static {
    /// The checkpoint of a route, if there is one.
    async fn load(&self, route: &RouteName) -> Result<Option<Checkpoint>, BackendError>;

    /// Replaces it.
    async fn save(&self, route: &RouteName, checkpoint: &Checkpoint) -> Result<(), BackendError>;

    /// Removes it; none is no error.
    async fn clear(&self, route: &RouteName) -> Result<(), BackendError>;
}
