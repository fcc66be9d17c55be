//! A layer of settings in a parameter of Systems Manager: TOML as in a settings file, or the same as JSON.
//!
//! Only how its text is read. The text may hold secrets, so that no message repeats any of it but names of keys.

use config::{Config, File, FileFormat, Map, Source as _, Value, ValueKind};

use super::layers::Layers;
use super::origin::Origin;

/// What has to be known before the parameter can be read, and so cannot be in it.
const BEFORE: [&str; 4] =
    ["cluster.settings_parameter", "cluster.region", "cluster.profile", "cluster.endpoint_url"];

impl Layers {
    /// Adds what the parameter says.
    pub(super) fn add_parameter(&mut self, name: &str, text: &str) {
        let origin = Origin::Parameter(name.to_owned());
        let mut table = match read(text) {
            Ok(table) => table,
            Err(remedy) => return self.fault("cluster.settings_parameter", "", origin, remedy),
        };
        if let Some(cluster) = table.get_mut("cluster")
            && let ValueKind::Table(cluster) = &mut cluster.kind
        {
            for key in BEFORE {
                let own = key.trim_start_matches("cluster.");
                if cluster.remove(own).is_some() {
                    let remedy = "has to be known before the parameter is read: write it in the settings file or give the flag";
                    self.fault(key, "", origin.clone(), remedy.to_owned());
                }
            }
        }
        self.add_table(table, &origin);
    }
}

fn read(text: &str) -> Result<Map<String, Value>, String> {
    let form = "give settings as in config/default.toml, as TOML or as JSON";
    if text.trim_start().starts_with('{') {
        let place =
            |e: serde_json::Error| format!("is no JSON at line {}, column {}: {form}", e.line(), e.column());
        return serde_json::from_str(text).map_err(place);
    }
    let read = Config::builder().add_source(File::from_str(text, FileFormat::Toml)).build();
    read.and_then(|table| table.collect()).map_err(|error| {
        // The lines that follow show the text.
        let error = error.to_string();
        format!("is no TOML ({}): {form}", error.lines().next().unwrap_or_default().trim())
    })
}
