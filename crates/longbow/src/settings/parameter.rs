//! A layer of settings in a parameter of Systems Manager: TOML as in a settings file, or the same as JSON.
//!
//! Only how its text is read. The text may hold secrets, so that no message repeats any of it but names of keys.

use config::{Config, File, FileFormat, Map, Source as _, Value, ValueKind};
use longbow_core::json;

use super::layers::{Layers, toml_fault};
use super::origin::Origin;
use super::reading::without_mark;

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
    let text = without_mark(text);
    if text.trim_start().starts_with('{') {
        let place =
            |e: serde_json::Error| format!("is no JSON at line {}, column {}: {form}", e.line(), e.column());
        json::check(text).map_err(|wrong| format!("cannot be read ({wrong}): {form}"))?;
        return serde_json::from_str(text).map_err(place);
    }
    let read = Config::builder().add_source(File::from_str(text, FileFormat::Toml)).build();
    read.and_then(|table| table.collect())
        .map_err(|error| format!("is no TOML ({}): {form}", toml_fault(&error)))
}

#[cfg(test)]
mod tests {
    use crate::settings::{FlagLayer, Layers, Origin, ProcessEnvironment, resolve};

    fn layers(text: &str, flags: &FlagLayer) -> (Layers, ProcessEnvironment) {
        let environment =
            ProcessEnvironment::of(&[("HOME", "/nowhere"), ("LONGBOW_WORKER__MAX_REQUESTS", "2")]);
        (Layers::read_with(flags, &environment, Some(("/longbow/settings", text))), environment)
    }

    fn faults(text: &str) -> String {
        let (layers, environment) = layers(text, &FlagLayer::default());
        resolve(&layers, &environment).unwrap_err().to_string()
    }

    #[test]
    fn it_wins_over_the_environment_and_loses_to_flags() {
        let toml = "[worker]\nmax_requests = 3\npart_size = \"8MiB\"\n[routes.a]\nfrom = \"s3://a\"\nto = \"s3://b\"\n";
        let json = r#"{"worker": {"max_requests": 3, "part_size": "8MiB"}, "routes": {"a": {"from": "s3://a", "to": "s3://b"}}}"#;
        for text in [toml, json] {
            let mut flags = FlagLayer::default();
            flags.text("worker.part_size", "--part-size", Some("9MiB"));
            let (layers, environment) = layers(text, &flags);
            let settings = resolve(&layers, &environment).unwrap();
            assert_eq!((settings.worker.max_requests.get(), settings.worker.part_size), (3, 9 << 20));
            assert_eq!(
                layers.origin("worker.max_requests"),
                Origin::Parameter("/longbow/settings".to_owned())
            );
            assert_eq!(layers.routes().len(), 1);
        }
    }

    #[test]
    fn its_faults_are_named_and_none_shows_its_text() {
        let fault = faults("[worker]\nmax_requests = 0\nmax_request = 1\n[cluster]\nregion = \"x\"\n");
        for part in [
            "worker.max_requests = \"0\" (parameter /longbow/settings)",
            "did you mean worker.max_requests",
            "cluster.region (parameter /longbow/settings): has to be known before",
        ] {
            assert!(fault.contains(part), "{part}: {fault}");
        }
        for text in [
            "[source]\nsecret_access_key = very-secret\"\n",
            "{\"source\": {\"secret_access_key\": very-secret",
        ] {
            let fault = faults(text);
            assert!(
                fault.contains("parameter /longbow/settings") && !fault.contains("very-secret"),
                "{fault}"
            );
        }
    }
}
