//! From what was written to values that hold, with all faults at once.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use longbow_core::backoff::Backoff;
use longbow_core::diff::Comparison;
use longbow_core::job::{AttemptsPolicy, WhenBusy};
use longbow_core::object::Encryption;
use longbow_core::selection::KeySelection;
use longbow_core::transfer::{MAX_PART_SIZE, MIN_PART_SIZE, MethodPolicy};

use super::fault::{Fault, Faults};
use super::layers::{Layers, ProcessEnvironment};
use super::raw::{RawCluster, RawDestination, RawSelection, RawSettings, RawSource, RawWorker};
use super::reading::{choice, duration, number, optional, size, truth};
use super::values::{
    ClusterSettings, Credentials, DestinationSettings, SelectionSettings, Settings, SideSettings,
    WorkerSettings,
};
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
        ];
        let methods = [
            ("auto", MethodPolicy::Auto),
            ("stream", MethodPolicy::Stream),
            ("server-side", MethodPolicy::ServerSide),
        ];
        let allow_http = self.take("network.allow_http", &raw.network.allow_http, truth);
        Settings {
            selection: self.selection(&raw.selection),
            compare: self.take("sync.compare", &raw.sync.compare, |t| choice(t, &compare)),
            delete: self.take("sync.delete", &raw.sync.delete, truth),
            max_delete: self.take("sync.max_delete", &raw.sync.max_delete, |t| number(t, 0, u64::MAX)),
            method: self.take("sync.method", &raw.sync.method, |t| choice(t, &methods)),
            tags: self.take("sync.tags", &raw.sync.tags, truth),
            state_dir: self.state_dir(&raw.sync.state_dir, environment),
            worker: self.worker(&raw.worker),
            cluster: self.cluster(&raw.cluster, allow_http),
            allow_http,
            source: self.source(&raw.source, allow_http),
            destination: self.destination(&raw.destination, allow_http),
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

    fn cluster(&mut self, raw: &RawCluster, allow_http: bool) -> ClusterSettings {
        let manners = [("refuse", WhenBusy::Refuse), ("append", WhenBusy::Append)];
        ClusterSettings {
            queue: self.text("cluster.queue_url", &raw.queue_url),
            dead_letter_queue: self.text("cluster.dead_letter_queue_url", &raw.dead_letter_queue_url),
            table: self.text("cluster.table", &raw.table),
            region: self.text("cluster.region", &raw.region),
            profile: self.text("cluster.profile", &raw.profile),
            endpoint_url: self.endpoint("cluster.endpoint_url", &raw.endpoint_url, allow_http),
            when_busy: self.take("cluster.when_busy", &raw.when_busy, |t| choice(t, &manners)),
            retry_most: self.take("cluster.retry_most", &raw.retry_most, |t| match duration(t)? {
                time if time.as_secs() <= 12 * 3600 => Ok(time),
                _ => Err("give at most 12h, as Amazon SQS has it".to_owned()),
            }),
            propagate_deletes: self.take("cluster.propagate_deletes", &raw.propagate_deletes, truth),
            drain_within: self.take("cluster.drain_within", &raw.drain_within, duration),
        }
    }

    fn source(&mut self, raw: &RawSource, allow_http: bool) -> SideSettings {
        let anonymous = self.take("source.anonymous", &raw.anonymous, truth);
        let keys = [&raw.access_key_id, &raw.secret_access_key, &raw.session_token];
        let credentials = self.credentials("source", keys, anonymous);
        let profile = self.text("source.profile", &raw.profile);
        if let (true, Some(name)) = (anonymous, &profile) {
            self.fault(
                "source.profile",
                name,
                "reading anonymously takes no profile: leave one of the two out",
            );
        }
        SideSettings {
            endpoint_url: self.endpoint("source.endpoint_url", &raw.endpoint_url, allow_http),
            region: self.text("source.region", &raw.region),
            profile,
            path_style: self.path_style("source.path_style", &raw.path_style),
            credentials,
            requester_pays: self.take("source.requester_pays", &raw.requester_pays, truth),
            expected_bucket_owner: self.owner("source.expected_bucket_owner", &raw.expected_bucket_owner),
        }
    }

    fn destination(&mut self, raw: &RawDestination, allow_http: bool) -> DestinationSettings {
        let keys = [&raw.access_key_id, &raw.secret_access_key, &raw.session_token];
        let credentials = self.credentials("destination", keys, false);
        let side = SideSettings {
            endpoint_url: self.endpoint("destination.endpoint_url", &raw.endpoint_url, allow_http),
            region: self.text("destination.region", &raw.region),
            profile: self.text("destination.profile", &raw.profile),
            path_style: self.path_style("destination.path_style", &raw.path_style),
            credentials,
            requester_pays: false,
            expected_bucket_owner: self
                .owner("destination.expected_bucket_owner", &raw.expected_bucket_owner),
        };
        let key = self.text("destination.sse_kms_key_id", &raw.sse_kms_key_id);
        if key.is_some() && raw.sse.text() != "aws:kms" {
            let remedy = "a KMS key needs --sse aws:kms beside it";
            self.fault("destination.sse_kms_key_id", &raw.sse_kms_key_id.text(), remedy);
        }
        let encryption = self.take("destination.sse", &raw.sse, |text| match text {
            "" => Ok(None),
            "AES256" => Ok(Some(Encryption::S3)),
            "aws:kms" => Ok(Some(Encryption::Kms { key })),
            _ => Err("give AES256 or aws:kms".to_owned()),
        });
        let storage_class = self.take("destination.storage_class", &raw.storage_class, |text| {
            // Stores have classes of their own: only the form is judged.
            if text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_') {
                return Ok(optional(text));
            }
            Err("give a storage class as S3 writes it, as STANDARD_IA or INTELLIGENT_TIERING".to_owned())
        });
        DestinationSettings { side, storage_class, encryption }
    }

    fn credentials(&mut self, side: &str, keys: [&Written; 3], anonymous: bool) -> Credentials {
        let name = |key: &str| format!("{side}.{key}");
        let [id, secret, token] = [
            self.text(&name("access_key_id"), keys[0]),
            self.text(&name("secret_access_key"), keys[1]),
            self.text(&name("session_token"), keys[2]),
        ];
        let variable = |key: &str| format!("LONGBOW_{}__{key}", side.to_uppercase());
        if anonymous && (id.is_some() || secret.is_some()) {
            self.fault(&name("anonymous"), "true", "take the keys away, or read with them: not both");
        }
        match (id, secret) {
            (Some(id), Some(secret)) => Credentials::Keys { id, secret, token },
            (Some(id), None) => {
                let remedy = format!("the secret is missing: set {}", variable("SECRET_ACCESS_KEY"));
                self.fault(&name("access_key_id"), &id, remedy);
                Credentials::Chain
            }
            (None, Some(_)) => {
                let remedy = format!("the key id is missing: set {}", variable("ACCESS_KEY_ID"));
                self.fault(&name("secret_access_key"), "", remedy);
                Credentials::Chain
            }
            (None, None) => {
                if token.is_some() {
                    let remedy = format!("the keys are missing: set {} too", variable("ACCESS_KEY_ID"));
                    self.fault(&name("session_token"), "", remedy);
                }
                if anonymous { Credentials::Anonymous } else { Credentials::Chain }
            }
        }
    }

    fn path_style(&mut self, key: &str, written: &Written) -> Option<bool> {
        let forms = [("auto", None), ("true", Some(true)), ("false", Some(false))];
        self.take(key, written, |text| choice(text, &forms))
    }

    fn owner(&mut self, key: &str, written: &Written) -> Option<String> {
        self.take(key, written, |text| match text.len() {
            0 => Ok(None),
            12 if text.bytes().all(|b| b.is_ascii_digit()) => Ok(Some(text.to_owned())),
            _ => Err("give an account of 12 digits".to_owned()),
        })
    }

    fn endpoint(&mut self, key: &str, written: &Written, allow_http: bool) -> Option<String> {
        self.take(key, written, |text| {
            let Some((scheme, rest)) = text.split_once("://") else {
                return match text {
                    "" => Ok(None),
                    _ => Err("give a URL as https://HOST or http://127.0.0.1:9000".to_owned()),
                };
            };
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            if authority.is_empty() || !matches!(scheme, "http" | "https") {
                return Err("give a URL as https://HOST or http://127.0.0.1:9000".to_owned());
            }
            if authority.contains('@') {
                return Err("credentials do not belong into a URL; use a profile or the environment".to_owned());
            }
            if is_plain_http_elsewhere(text) && !allow_http {
                return Err(
                    "plain http to another machine: anybody on the way can read the bytes. Give an https URL, or \
                     allow it by --allow-http"
                        .to_owned(),
                );
            }
            Ok(Some(text.trim_end_matches('/').to_owned()))
        })
    }
}

/// Whether a URL is plain http to another machine than this one.
pub(crate) fn is_plain_http_elsewhere(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    scheme.eq_ignore_ascii_case("http") && !is_loopback(authority)
}

/// Whether `host[:port]` is this machine.
fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost")
        || host.to_ascii_lowercase().ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
