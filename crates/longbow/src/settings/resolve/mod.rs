//! From what was written to values that hold, with all faults at once.

mod cluster;
mod metrics;
mod sides;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use longbow_core::backoff::Backoff;
use longbow_core::diff::Comparison;
use longbow_core::job::AttemptsPolicy;
use longbow_core::selection::KeySelection;
use longbow_core::transfer::{MAX_PART_SIZE, MIN_PART_SIZE, MethodPolicy};
use longbow_worker::RecordPolicy;

use super::fault::{Fault, Faults};
use super::layers::{Layers, ProcessEnvironment};
use super::raw::{RawSelection, RawSettings, RawWorker};
use super::reading::{choice, duration, number, optional, size, truth};
use super::values::{SelectionSettings, Settings, WorkerSettings};
use super::written::Written;

/// Resolves all layers.
pub(crate) fn resolve(layers: &Layers, environment: &ProcessEnvironment) -> Result<Settings, Faults> {
    let raw = layers.raw()?;
    let mut judge = Judge { layers, faults: layers.faults() };
    let settings = judge.settings(&raw, environment);
    judge.faults.check()?;
    Ok(settings)
}

/// Collects faults on the way. A value that is one is replaced by the type's default, which nobody sees.
struct Judge<'a> {
    layers: &'a Layers,
    faults: Faults,
}

impl Judge<'_> {
    fn take<T: Default>(
        &mut self,
        key: &str,
        written: &Written,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        let result = match written {
            Written::One(text) => read(text),
            Written::Many(_) => Err("give one value, no list".to_owned()),
        };
        result.unwrap_or_else(|remedy| {
            self.fault(key, &written.text(), remedy);
            T::default()
        })
    }

    fn text(&mut self, key: &str, written: &Written) -> Option<String> {
        self.take(key, written, |text| Ok(optional(text)))
    }

    fn fault(&mut self, key: &str, value: &str, remedy: impl Into<String>) {
        let origin = self.layers.origin(key);
        self.faults.0.push(Fault {
            key: key.to_owned(),
            value: value.to_owned(),
            origin,
            remedy: remedy.into(),
        });
    }

    fn settings(&mut self, raw: &RawSettings, environment: &ProcessEnvironment) -> Settings {
        let compare = [
            ("auto", None),
            ("size", Some(Comparison::Size)),
            ("size-mtime", Some(Comparison::SizeMtime)),
            ("etag", Some(Comparison::Etag)),
            ("checksum", Some(Comparison::Checksum)),
            ("version", Some(Comparison::Version)),
        ];
        let methods = [
            ("auto", MethodPolicy::Auto),
            ("stream", MethodPolicy::Stream),
            ("server-side", MethodPolicy::ServerSide),
        ];
        let allow_http = self.take("network.allow_http", &raw.network.allow_http, truth);
        let records = [("progress", RecordPolicy::Progress), ("finish-only", RecordPolicy::FinishOnly)];
        let cluster = self.cluster(&raw.cluster, allow_http);
        let mut source = self.source(&raw.source, allow_http);
        let mut destination = self.destination(&raw.destination, allow_http);
        cluster.give_stored_keys(&mut source, &mut destination.side);
        Settings {
            selection: self.selection(&raw.selection),
            compare: self.take("sync.compare", &raw.sync.compare, |t| choice(t, &compare)),
            delete: self.take("sync.delete", &raw.sync.delete, truth),
            max_delete: self.take("sync.max_delete", &raw.sync.max_delete, |t| number(t, 0, u64::MAX)),
            method: self.take("sync.method", &raw.sync.method, |t| choice(t, &methods)),
            tags: self.take("sync.tags", &raw.sync.tags, truth),
            state_dir: self.state_dir(&raw.sync.state_dir, environment),
            worker: self.worker(&raw.worker),
            cluster,
            record: self.take("state.record", &raw.state.record, |t| choice(t, &records)),
            metrics: self.metrics(&raw.metrics),
            allow_http,
            source,
            destination,
        }
    }

    fn selection(&mut self, raw: &RawSelection) -> SelectionSettings {
        let mut trial = KeySelection::default();
        let (include, exclude) = (raw.include.entries(), raw.exclude.entries());
        for glob in &include {
            if let Err(error) = trial.include(glob) {
                self.fault("selection.include", glob, error.why);
            }
        }
        for glob in &exclude {
            if let Err(error) = trial.exclude(glob) {
                self.fault("selection.exclude", glob, error.why);
            }
        }
        let forms = [("folder", false), ("raw", true)];
        SelectionSettings {
            include,
            exclude,
            ignore_file: self.text("selection.ignore_file", &raw.ignore_file).map(PathBuf::from),
            ignore_parameter: self.text("selection.ignore_parameter", &raw.ignore_parameter),
            raw_prefix: self.take("selection.prefix_match", &raw.prefix_match, |t| choice(t, &forms)),
        }
    }

    fn state_dir(&mut self, written: &Written, environment: &ProcessEnvironment) -> PathBuf {
        if let Some(folder) = self.text("sync.state_dir", written) {
            return PathBuf::from(folder);
        }
        environment.folder("XDG_STATE_HOME", ".local/state").unwrap_or_else(|| {
            let remedy = "there is no home folder to keep state files in; give --state-dir FOLDER";
            self.fault("sync.state_dir", "", remedy);
            PathBuf::new()
        })
    }

    fn worker(&mut self, raw: &RawWorker) -> WorkerSettings {
        let count = |text: &str| {
            let n = number(text, 1, 100_000)?;
            Ok(usize::try_from(n).ok().and_then(NonZeroUsize::new))
        };
        let part_size = self.take("worker.part_size", &raw.part_size, |t| match size(t)? {
            bytes if (MIN_PART_SIZE..=MAX_PART_SIZE).contains(&bytes) => Ok(bytes),
            _ => Err("S3 takes parts of 5MiB to 5GiB; give a size in between".to_owned()),
        });
        let whole_up_to = self.take("worker.whole_up_to", &raw.whole_up_to, |t| match size(t)? {
            bytes if bytes <= MAX_PART_SIZE => Ok(bytes),
            _ => Err("S3 writes at most 5GiB by one request; give 5GiB or less".to_owned()),
        });
        let memory_bytes = self.take("worker.memory", &raw.memory, |t| match size(t)? {
            bytes if bytes >= 8 << 20 => Ok(bytes),
            _ => Err("give at least 8MiB".to_owned()),
        });
        let attempts = |text: &str| Ok(u32::try_from(number(text, 1, 1_000)?).unwrap_or(u32::MAX));
        let max_attempts = self.take("worker.max_attempts", &raw.max_attempts, attempts);
        let max_denied = self.take("worker.max_denied", &raw.max_denied, attempts);
        let first = self.take("worker.retry_first", &raw.retry_first, duration);
        let most = self.take("worker.retry_most", &raw.retry_most, duration);
        if most < first {
            self.fault("worker.retry_most", &raw.retry_most.text(), "give at least retry_first");
        }
        let visibility = self.take("worker.visibility", &raw.visibility, |t| match duration(t)? {
            time if (5..=12 * 3600).contains(&time.as_secs()) => Ok(time),
            _ => Err("give 5s to 12h, as Amazon SQS has it".to_owned()),
        });
        WorkerSettings {
            part_size,
            whole_up_to,
            max_objects: self
                .take("worker.max_objects", &raw.max_objects, count)
                .unwrap_or(NonZeroUsize::MIN),
            max_requests: self
                .take("worker.max_requests", &raw.max_requests, count)
                .unwrap_or(NonZeroUsize::MIN),
            memory_bytes,
            attempts: AttemptsPolicy { max_attempts, max_denied, backoff: Backoff { first, most } },
            visibility,
        }
    }
}
