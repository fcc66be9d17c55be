//! The configuration file of Longbow 0.98, `s3_migration_cluster_config.ini`, as a layer of settings.
//!
//! What the keys are called now is core's; here their values are set, and what longbow does otherwise is kept as notes.

use config::{Value, ValueKind};
use longbow_core::legacy::{read_ini, read_switch, translate};

use super::layers::Layers;
use super::origin::Origin;

impl Layers {
    /// Reads the file's text.
    pub(super) fn add_longbow_098(&mut self, text: &str, origin: &Origin) {
        let entries = match read_ini(text) {
            Ok(entries) => entries,
            Err(faults) => {
                for fault in faults {
                    self.fault("--config", "", origin.clone(), fault.to_string());
                }
                return;
            }
        };
        let all = translate(&entries);
        for fault in all.faults {
            self.fault("--config", "", origin.clone(), fault);
        }
        let mut set = |key: &str, value: &str| {
            self.set(key, Value::new(None, ValueKind::String(value.to_owned())), origin.clone());
        };
        // Longbow compared sizes, and put whole keys below the destination (LB-23, LB-24). Its copies in parts have tags of
        // their own: another comparison would copy a whole bucket again.
        set("sync.compare", "size");
        set("cluster.key_mapping", "full-key");
        for modern in &all.settings {
            set(modern.setting, &modern.value);
        }
        let mut faults = Vec::new();
        let mut notes = all.notes;
        for (key, value) in all.special {
            match key {
                "JobType" => set("cluster.job_type", &value.to_ascii_lowercase()),
                "JobsenderCompareVersionId" => match read_switch(&value) {
                    Some(true) => set("sync.compare", "version"),
                    Some(false) => {}
                    None => faults.push(format!("{key} = {value}: is neither True nor False")),
                },
                "LocalProfileMode" => match read_switch(&value) {
                    Some(true) => faults.push(format!(
                        "{key}: profiles iad and zhy are not read; set source.profile and destination.profile in a settings \
                         file, or LONGBOW_SOURCE__PROFILE and LONGBOW_DESTINATION__PROFILE"
                    )),
                    Some(false) => {}
                    None => faults.push(format!("{key} = {value}: is neither True nor False")),
                },
                "LoggingLevel" => {
                    notes.push("LoggingLevel: not read; -v, -vv or LONGBOW_LOG say how much is logged".to_owned());
                }
                other => notes.push(format!(
                    "{other}: events of a bucket go where a route leads; those of a bucket without a route become dead letters"
                )),
            }
        }
        for fault in faults {
            self.fault("--config", "", origin.clone(), fault);
        }
        self.notes.extend(notes);
    }
}
