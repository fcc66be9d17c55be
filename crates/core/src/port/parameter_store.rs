//! Named texts that operators keep for a fleet: its routes, its settings, the keys of another account.
//!
//! Apart from [`StateStore`](super::StateStore), which longbow writes itself: these it only reads. What a value means is for who
//! asks for it.

use std::fmt;

use async_trait::async_trait;

use crate::failure::BackendError;
use crate::object::Timestamp;
use crate::secret::Secret;

/// A parameter as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, as it was asked for.
    pub name: String,
    /// Its value. Plain ones are hidden too: people put keys into them.
    pub value: Secret,
    /// Whether it is kept encrypted.
    pub secure: bool,
    /// Grows with every change: tells whether a new reading says anything new.
    pub version: i64,
    /// When it was changed last.
    pub modified: Option<Timestamp>,
}

/// Reads parameters. Its `Debug` shows no value, and no error has one.
#[async_trait]
pub trait ParameterStore: fmt::Debug + Send + Sync + 'static {
    /// Reads parameters, any number of them, in the order asked; one may be asked for twice. All must be there and say something:
    /// those that are missing are named all at once (`BackendErrorKind::Missing`).
    async fn get_many(&self, names: &[&str]) -> Result<Vec<Parameter>, BackendError>;

    /// Reads one parameter.
    async fn get(&self, name: &str) -> Result<Parameter, BackendError> {
        let mut found = self.get_many(&[name]).await?;
        found.pop().ok_or_else(|| {
            BackendError::fatal(format!("the parameter {name} was asked for and not answered"))
        })
    }
}
