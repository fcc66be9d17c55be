//! Parameters in memory with the meaning of Systems Manager's Parameter Store, and a journal of what was read.
//!
//! Values are taken as the service takes them (API reference, PutParameter): by a name that it allows, not empty, of one kind
//! for ever, with the last hundred versions and their labels. How many names one request takes is a matter of the wire, which is not here.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use longbow_core::failure::{BackendError, BackendErrorKind};
use longbow_core::object::Timestamp;
use longbow_core::port::{Clock, Parameter, ParameterStore};
use longbow_core::secret::Secret;

use super::FakeClock;

/// Characters of a value of the larger kind, at most; they are bytes there.
const LARGEST: usize = 8 * 1024;
/// Characters of a name, at most, when its ARN is counted, too.
const LONGEST_NAME: usize = 1011;
/// Levels of a name, at most.
const DEEPEST: usize = 15;
/// Versions that are kept.
const VERSIONS: usize = 100;

/// One reading and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterEntry {
    /// From 0.
    pub number: u64,
    /// When it took effect.
    pub at: Timestamp,
    /// What was asked for.
    pub names: Vec<String>,
    /// The versions that were answered, in the same order.
    pub reply: Result<Vec<i64>, BackendErrorKind>,
}

/// Parameters by name.
pub struct FakeParameters {
    clock: FakeClock,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    parameters: BTreeMap<String, Kept>,
    journal: Vec<ParameterEntry>,
    failures: VecDeque<BackendError>,
}

struct Kept {
    secure: bool,
    versions: VecDeque<Version>,
}

struct Version {
    number: i64,
    value: Secret,
    at: Timestamp,
    labels: Vec<String>,
}

impl fmt::Debug for FakeParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeParameters")
            .field("names", &self.inner().parameters.keys())
            .finish_non_exhaustive()
    }
}

impl FakeParameters {
    /// None yet.
    pub fn new(clock: FakeClock) -> Self {
        Self { clock, inner: Mutex::default() }
    }

    /// Keeps a value, a new version if the name has one already, and gives the version's number. The error is the service's name for
    /// what is wrong with it.
    pub fn put(&self, name: &str, value: &str, secure: bool) -> Result<i64, &'static str> {
        let levels = name.trim_start_matches('/').split('/').count();
        let first = name.trim_start_matches('/').to_ascii_lowercase();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        if name.is_empty()
            || name.len() > LONGEST_NAME
            || !name.chars().all(allowed)
            || name.contains('/') && !name.starts_with('/')
            || ["aws", "ssm"].iter().any(|reserved| first.starts_with(reserved))
        {
            return Err("ValidationException");
        }
        if levels > DEEPEST {
            return Err("HierarchyLevelLimitExceededException");
        }
        if value.is_empty() || value.len() > LARGEST {
            return Err("ValidationException");
        }
        let at = self.clock.now();
        let mut inner = self.inner();
        let kept = inner
            .parameters
            .entry(name.to_owned())
            .or_insert_with(|| Kept { secure, versions: VecDeque::new() });
        if kept.secure != secure {
            return Err("HierarchyTypeMismatchException");
        }
        if kept.versions.len() == VERSIONS {
            // The oldest makes room, unless somebody has put a label on it.
            if kept.versions.front().is_some_and(|oldest| !oldest.labels.is_empty()) {
                return Err("ParameterMaxVersionLimitExceeded");
            }
            kept.versions.pop_front();
        }
        let number = kept.versions.back().map_or(1, |last| last.number + 1);
        kept.versions.push_back(Version { number, value: Secret::new(value), at, labels: Vec::new() });
        Ok(number)
    }

    /// Puts a label on a version; it leaves the version that had it.
    pub fn label(&self, name: &str, version: i64, label: &str) {
        if let Some(kept) = self.inner().parameters.get_mut(name) {
            for one in &mut kept.versions {
                one.labels.retain(|has| has != label);
                if one.number == version {
                    one.labels.push(label.to_owned());
                }
            }
        }
    }

    /// Removes a parameter with all its versions; whether there was one.
    pub fn remove(&self, name: &str) -> bool {
        self.inner().parameters.remove(name).is_some()
    }

    /// The next reading fails with this.
    pub fn fail(&self, error: BackendError) {
        self.inner().failures.push_back(error);
    }

    /// What was read so far.
    pub fn journal(&self) -> Vec<ParameterEntry> {
        self.inner().journal.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn read(&mut self, names: &[&str]) -> Result<Vec<Parameter>, BackendError> {
        if let Some(failure) = self.failures.pop_front() {
            return Err(failure);
        }
        let found: Vec<Option<Parameter>> = names.iter().map(|name| self.find(name)).collect();
        let missing: Vec<&str> =
            names.iter().zip(&found).filter(|(_, found)| found.is_none()).map(|(name, _)| *name).collect();
        if !missing.is_empty() {
            let text = format!("there is no parameter {}", missing.join(", "));
            return Err(BackendError::new(BackendErrorKind::Missing, text));
        }
        let found: Vec<Parameter> = found.into_iter().flatten().collect();
        match found.iter().find(|parameter| parameter.value.expose().trim().is_empty()) {
            Some(empty) => Err(BackendError::fatal(format!("the parameter {} is empty", empty.name))),
            None => Ok(found),
        }
    }

    /// By name or ARN, with or without a version or a label.
    fn find(&self, asked: &str) -> Option<Parameter> {
        let plain = match asked.split_once(":parameter/") {
            // The ARN of `/a/b` is `…:parameter/a/b`, and that of `a` is `…:parameter/a`.
            Some((_, rest)) => {
                let name = rest.split(':').next().unwrap_or_default();
                if name.contains('/') || self.parameters.contains_key(&format!("/{name}")) {
                    format!("/{rest}")
                } else {
                    rest.to_owned()
                }
            }
            None => asked.to_owned(),
        };
        let (name, which) = match plain.split_once(':') {
            Some((name, which)) => (name, Some(which)),
            None => (plain.as_str(), None),
        };
        let kept = self.parameters.get(name)?;
        let version = match which {
            None => kept.versions.back(),
            Some(which) => kept.versions.iter().find(|version| {
                version.number.to_string() == which || version.labels.iter().any(|label| label == which)
            }),
        }?;
        Some(Parameter {
            name: asked.to_owned(),
            value: version.value.clone(),
            secure: kept.secure,
            version: version.number,
            modified: Some(version.at),
        })
    }
}

#[async_trait]
impl ParameterStore for FakeParameters {
    async fn get_many(&self, names: &[&str]) -> Result<Vec<Parameter>, BackendError> {
        tokio::task::yield_now().await;
        let at = self.clock.now();
        let mut inner = self.inner();
        let read = inner.read(names);
        let reply = match &read {
            Ok(found) => Ok(found.iter().map(|parameter| parameter.version).collect()),
            Err(error) => Err(error.kind),
        };
        let number = u64::try_from(inner.journal.len()).unwrap_or(u64::MAX);
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        inner.journal.push(ParameterEntry { number, at, names, reply });
        read
    }
}
