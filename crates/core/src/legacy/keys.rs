//! What each key of Longbow's `.ini` file is called now: data, and one function that applies it.

use super::IniEntry;
use crate::excerpt::excerpt;

/// One key of the `.ini` file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownKey {
    /// Its section.
    pub section: &'static str,
    /// Its name, as shipped.
    pub key: &'static str,
    /// What becomes of it.
    pub meaning: Meaning,
}

/// What becomes of an old key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Its text is the value of a setting.
    Text(&'static str),
    /// Its number, with this unit behind it, is the value of a setting.
    Number(&'static str, &'static str),
    /// Read by the program itself, since it decides how other things are read.
    Special(&'static str),
    /// Not needed any more: what longbow does instead.
    Gone(&'static str),
}

use Meaning::{Gone, Number, Special, Text};

const ALWAYS_PINNED: &str =
    "every read is pinned by If-Match, and by the version where one is known; see `compare` for versions";

/// All keys of `s3_migration_cluster_config.ini` (LB-01…LB-19), in its order.
pub fn known_keys() -> &'static [KnownKey] {
    const fn known(section: &'static str, key: &'static str, meaning: Meaning) -> KnownKey {
        KnownKey { section, key, meaning }
    }
    const KEYS: &[KnownKey] = &[
        known("Basic", "JobType", Special("which side the stored credentials are for")),
        known("Basic", "table_queue_name", Text("cluster.table")),
        known("Basic", "sqs_queue_name", Text("cluster.queue_url")),
        known("Basic", "ssm_parameter_bucket", Text("cluster.routes_parameter")),
        known("Basic", "ssm_parameter_credentials", Text("cluster.credentials_parameter")),
        known(
            "Basic",
            "Des_bucket_default",
            Special("where objects of unlisted buckets went; name a route instead"),
        ),
        known("Basic", "Des_prefix_default", Special("goes with Des_bucket_default")),
        known("Mode", "StorageClass", Text("destination.storage_class")),
        known("Mode", "ResumableThreshold", Number("worker.whole_up_to", "MiB")),
        known(
            "Mode",
            "MaxRetry",
            Gone("parts, requests and jobs have their own retries: worker.max_attempts"),
        ),
        known("Mode", "MaxThread", Gone("requests in flight adapt to the store below worker.max_requests")),
        known(
            "Mode",
            "MaxParallelFile",
            Gone("objects in work are bounded by memory and worker.max_objects"),
        ),
        known(
            "Mode",
            "JobTimeout",
            Gone("a job is kept as long as it makes progress: its visibility is extended"),
        ),
        known("Mode", "JobsenderCompareVersionId", Special("compare by version")),
        known("Mode", "UpdateVersionId", Gone(ALWAYS_PINNED)),
        known("Mode", "GetObjectWithVersionId", Gone(ALWAYS_PINNED)),
        known("Debug", "CleanUnfinishedUpload", Gone("parts are used again only when they are proved")),
        known("Debug", "LoggingLevel", Special("the level of the log")),
        known(
            "Debug",
            "LocalProfileMode",
            Special("profiles iad and zhy; set source.profile and destination.profile"),
        ),
        known("Debug", "ifVerifyMD5Twice", Gone("every object is verified, always")),
        known("Debug", "ChunkSize", Number("worker.part_size", "MiB")),
    ];
    KEYS
}

/// A setting of longbow that an old key gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modern {
    /// The setting, as `section.key`.
    pub setting: &'static str,
    /// Its value as text, with its unit.
    pub value: String,
    /// Where it came from, for explanations: `[Mode] StorageClass, line 12`.
    pub origin: String,
}

/// What an `.ini` file says in today's words.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Translation {
    /// Settings.
    pub settings: Vec<Modern>,
    /// Keys that the program reads by itself ([`Meaning::Special`]): the name as shipped, and the value.
    pub special: Vec<(&'static str, String)>,
    /// What is not needed any more, in words, to be logged once.
    pub notes: Vec<String>,
    /// What is wrong, all of it. While there are any, nothing else here may be used.
    pub faults: Vec<String>,
}

/// The bucket that was shipped as the default destination of event jobs: somebody's own (LBB-49).
const SHIPPED_BUCKET: &str = "hawkey999";

/// Puts the entries of a file into today's words. Unknown keys are faults: a misspelt one would be dropped silently.
pub fn translate(entries: &[IniEntry]) -> Translation {
    let mut all = Translation::default();
    for entry in entries {
        let is_it = |k: &&KnownKey| k.section == &*entry.section && k.key.eq_ignore_ascii_case(&entry.key);
        let Some(known) = known_keys().iter().find(is_it) else {
            let (section, key) = (excerpt(&entry.section, 60), excerpt(&entry.key, 60));
            all.faults.push(format!("[{section}] {key}, line {}: Longbow 0.98 has no such key", entry.line));
            continue;
        };
        let origin = format!("[{}] {}, line {}", entry.section, known.key, entry.line);
        let value = entry.value.as_str();
        let mut set = |setting, value| all.settings.push(Modern { setting, value, origin: origin.clone() });
        match known.meaning {
            // Keys without a value keep their default, as in Longbow's own examples.
            Text(_) | Number(..) | Special(_) if value.is_empty() => {}
            Text(setting) => set(setting, value.to_owned()),
            Number(setting, unit) => match value.parse::<u32>() {
                Ok(number) if number > 0 => set(setting, format!("{number}{unit}")),
                _ => all.faults.push(format!("{origin}: is no number from 1")),
            },
            Special(_) if value == SHIPPED_BUCKET => all.faults.push(format!(
                "{origin}: {SHIPPED_BUCKET} is the bucket of a stranger that Longbow was shipped with; name your own or \
                 leave it out"
            )),
            Special(_) => all.special.push((known.key, value.to_owned())),
            Gone(instead) => all.notes.push(format!("{origin}: not needed any more: {instead}")),
        }
    }
    all
}

/// A boolean of the file, as Python's `configparser` reads it.
pub fn read_switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::read_ini;
    use super::*;

    const SHIPPED: &str = include_str!("../../tests/corpus/legacy/config.ini");

    #[test]
    fn a_whole_file_has_a_meaning() {
        let all = translate(&read_ini(SHIPPED).unwrap());
        assert_eq!(all.faults, [""; 0]);
        let settings: Vec<(&str, &str)> =
            all.settings.iter().map(|m| (m.setting, m.value.as_str())).collect();
        assert_eq!(
            settings,
            [
                ("cluster.table", "lab_table"),
                ("cluster.queue_url", "lab-jobs"),
                ("cluster.routes_parameter", "s3_migration_bucket_para"),
                ("cluster.credentials_parameter", "s3_migration_credentials"),
                ("destination.storage_class", "STANDARD_IA"),
                ("worker.whole_up_to", "5MiB"),
                ("worker.part_size", "5MiB"),
            ]
        );
        assert!(all.special.contains(&("JobType", "PUT".to_owned())));
        assert_eq!(all.settings.len() + all.special.len() + all.notes.len(), known_keys().len());
    }

    /// LBB-49: event jobs went to the bucket that the default names.
    #[test]
    fn lbb_49_the_shipped_default_bucket_is_refused() {
        let all = translate(&read_ini("[Basic]\nDes_bucket_default = hawkey999\n").unwrap());
        assert_eq!(all.faults.len(), 1);
    }

    #[test]
    fn unknown_keys_and_wrong_values_are_faults() {
        let text = "[Mode]\nStorageClas = X\nResumableThreshold = five\n[Debug]\nChunkSize = 0\n";
        let all = translate(&read_ini(text).unwrap());
        assert_eq!(all.faults.len(), 3, "{:?}", all.faults);
        assert!(all.settings.is_empty());
        assert_eq!(
            (read_switch("Yes"), read_switch("0"), read_switch("maybe")),
            (Some(true), Some(false), None)
        );
    }

    #[test]
    fn no_key_is_known_twice() {
        for (i, a) in known_keys().iter().enumerate() {
            assert!(!known_keys()[..i].iter().any(|b| b.key.eq_ignore_ascii_case(a.key)), "{}", a.key);
        }
    }
}
