//! The layers: defaults, file, environment, a parameter, flags. The last that has a key wins, and its origin is kept.
//!
//! Unknown keys are faults of the layer that has them; they never reach [`RawSettings`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use config::{Config, ConfigError, Environment, File, FileFormat, Map, Source as _, Value, ValueKind};

use super::fault::{Fault, Faults};
use super::origin::Origin;
use super::raw::RawSettings;
use super::routes::{self, WrittenRoute};
use super::written::Written;

/// The only place of defaults.
pub(crate) const DEFAULTS: &str = include_str!("../../../../config/default.toml");

const PREFIX: &str = "LONGBOW_";

/// Whether a value of this key is never shown.
pub(crate) fn is_secret(key: &str) -> bool {
    key.ends_with("secret_access_key") || key.ends_with("session_token")
}

/// The variables of the process, taken once. Names or values that are not UTF-8 are passed over.
#[derive(Clone, Default)]
pub(crate) struct ProcessEnvironment(BTreeMap<String, String>);

/// Names alone: keys and tokens are among the values.
impl fmt::Debug for ProcessEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl ProcessEnvironment {
    /// Those of this process.
    pub(crate) fn of_this_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(text).collect())
    }

    /// These variables.
    pub(crate) fn of(pairs: &[(&str, &str)]) -> Self {
        Self(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
    }

    /// A variable that is set and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// The user's folder of one kind: `$XDG_…/longbow`, or `longbow` under a folder of the home folder.
    pub(crate) fn folder(&self, variable: &str, under_home: &str) -> Option<PathBuf> {
        let base = match self.get(variable).map(PathBuf::from).filter(|p| p.is_absolute()) {
            Some(base) => base,
            None => Path::new(self.get("HOME")?).join(under_home),
        };
        Some(base.join("longbow"))
    }
}

/// The flags that were given and are settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct FlagLayer {
    file: Option<PathBuf>,
    values: Vec<(&'static str, &'static str, Written)>,
}

impl FlagLayer {
    /// A flag with one value, if it was given. Later ones win over earlier ones for the same key.
    pub(crate) fn text(&mut self, key: &'static str, flag: &'static str, value: Option<&str>) {
        if let Some(value) = value {
            self.values.push((key, flag, Written::One(value.to_owned())));
        }
    }

    /// A repeatable flag, if it was given.
    pub(crate) fn list(&mut self, key: &'static str, flag: &'static str, values: &[String]) {
        if !values.is_empty() {
            self.values.push((key, flag, Written::Many(values.to_vec())));
        }
    }

    /// `--config`.
    pub(crate) fn file(&mut self, file: Option<PathBuf>) {
        self.file = file;
    }
}

/// What all layers together say.
#[derive(Clone)]
pub(crate) struct Layers {
    values: BTreeMap<String, (Value, Origin)>,
    routes: Vec<WrittenRoute>,
    /// What is done otherwise than an old configuration says, in words.
    pub(super) notes: Vec<String>,
    faults: Faults,
}

/// Keys and where they come from: secrets are among the values.
impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.values.iter().map(|(key, (_, origin))| (key, origin)))
            .finish_non_exhaustive()
    }
}

impl Layers {
    /// Reads all layers. Faults are kept and told by [`Layers::raw`]'s caller together with all others.
    pub(crate) fn read(flags: &FlagLayer, environment: &ProcessEnvironment) -> Self {
        Self::read_with(flags, environment, None)
    }

    /// The same with the name and the text of a parameter of Systems Manager.
    pub(crate) fn read_with(
        flags: &FlagLayer,
        environment: &ProcessEnvironment,
        parameter: Option<(&str, &str)>,
    ) -> Self {
        let mut layers = Self::empty();
        layers.add_defaults();
        layers.add_file(flags.file.as_deref(), environment);
        layers.add_over_files(flags, environment, parameter);
        layers
    }

    /// The same from texts alone: no file is read.
    pub(crate) fn of_texts(
        file: Option<(&Path, &str)>,
        environment: &ProcessEnvironment,
        parameter: Option<(&str, &str)>,
        flags: &FlagLayer,
    ) -> Self {
        let mut layers = Self::empty();
        layers.add_defaults();
        if let Some((path, text)) = file {
            layers.add_text(path, text);
        }
        layers.add_over_files(flags, environment, parameter);
        layers
    }

    fn empty() -> Self {
        Self { values: BTreeMap::new(), routes: Vec::new(), notes: Vec::new(), faults: Faults::default() }
    }

    fn add_over_files(
        &mut self,
        flags: &FlagLayer,
        environment: &ProcessEnvironment,
        parameter: Option<(&str, &str)>,
    ) {
        self.add_environment(environment);
        if let Some((name, text)) = parameter {
            self.add_parameter(name, text);
        }
        for (key, flag, value) in &flags.values {
            self.set(key, to_config(value), Origin::Flag(flag));
        }
    }

    /// The faults of the layers themselves.
    pub(crate) fn faults(&self) -> Faults {
        self.faults.clone()
    }

    /// Whether there is a setting of this name.
    pub(super) fn knows(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// Where the value of a key was written.
    pub(crate) fn origin(&self, key: &str) -> Origin {
        self.values.get(key).map_or(Origin::Default, |(_, origin)| origin.clone())
    }

    /// Every key with its value and origin, in order of the keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value, &Origin)> {
        self.values.iter().map(|(key, (value, origin))| (key.as_str(), value, origin))
    }

    /// The routes, as written.
    pub(crate) fn routes(&self) -> &[WrittenRoute] {
        &self.routes
    }

    /// What an old configuration says and is done otherwise, in words.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The merged values in the shape of the settings.
    pub(crate) fn raw(&self) -> Result<RawSettings, Faults> {
        let merge = || {
            let mut builder = Config::builder();
            for (key, (value, _)) in &self.values {
                builder = builder.set_override(key, value.clone())?;
            }
            builder.build()?.try_deserialize()
        };
        merge().map_err(|error: ConfigError| {
            Faults(vec![Fault {
                key: "settings".to_owned(),
                value: String::new(),
                origin: Origin::Default,
                remedy: error.to_string(),
            }])
        })
    }

    fn add_defaults(&mut self) {
        match Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml)).build() {
            Ok(defaults) => {
                let defaults = defaults.collect().unwrap_or_default();
                self.values.extend(flatten(defaults).into_iter().map(|(k, v)| (k, (v, Origin::Default))))
            }
            Err(error) => self.fault("settings", "", Origin::Default, error.to_string()),
        }
    }

    fn add_file(&mut self, asked: Option<&Path>, environment: &ProcessEnvironment) {
        let path = match asked {
            Some(path) => path.to_owned(),
            None => match environment.folder("XDG_CONFIG_HOME", ".config").map(|f| f.join("config.toml")) {
                Some(path) if path.exists() => path,
                _ => return,
            },
        };
        let origin = Origin::File(path.clone());
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => {
                let remedy =
                    format!("the settings file cannot be read: {error}; give a TOML file that exists");
                return self.fault("--config", &path.display().to_string(), origin, remedy);
            }
        };
        self.add_text(&path, &text);
    }

    /// What a settings file says; its name tells its form.
    fn add_text(&mut self, path: &Path, text: &str) {
        let origin = Origin::File(path.to_owned());
        if path.extension().is_some_and(|end| end.eq_ignore_ascii_case("ini")) {
            return self.add_longbow_098(text, &origin);
        }
        let read = Config::builder().add_source(File::from_str(text, FileFormat::Toml)).build();
        match read.and_then(|file| file.collect()) {
            Ok(file) => self.add_table(file, &origin),
            Err(error) => self.fault("--config", "", origin, format!("no TOML: {}", toml_fault(&error))),
        }
    }

    /// Settings and routes of a file or of a parameter. A route that is there already is replaced.
    pub(super) fn add_table(&mut self, mut table: Map<String, Value>, origin: &Origin) {
        match table.remove("routes").map(|routes| routes.kind) {
            None => {}
            Some(ValueKind::Table(table)) => {
                let found = routes::of_table(table, origin, &mut self.faults);
                self.routes.retain(|route| found.iter().all(|new| new.name != route.name));
                self.routes.extend(found);
            }
            Some(_) => {
                let remedy = "is no table: give [routes.NAME] with from and to";
                self.fault("routes", "", origin.clone(), remedy.to_owned());
            }
        }
        for (key, value) in flatten(table) {
            self.set(&key, value, origin.clone());
        }
    }

    fn add_environment(&mut self, environment: &ProcessEnvironment) {
        // Only names with a section are settings: LONGBOW_LOG and the like are something else.
        let ours: Map<String, String> = (environment.0.iter())
            .filter(|(name, _)| name.strip_prefix(PREFIX).is_some_and(|rest| rest.contains("__")))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let source = Environment::with_prefix(PREFIX.trim_end_matches('_'))
            .prefix_separator("_")
            .separator("__")
            .source(Some(ours));
        match source.collect() {
            Ok(values) => {
                // Names come out flat already, with dots.
                for (key, value) in values.into_iter().collect::<BTreeMap<_, _>>() {
                    let name = format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"));
                    if key.starts_with("routes.") {
                        let remedy = "routes are written in a settings file or a parameter, not in variables";
                        self.fault(&key, "", Origin::Environment(name), remedy.to_owned());
                        continue;
                    }
                    self.set(&key, value, Origin::Environment(name));
                }
            }
            Err(error) => {
                self.fault("environment", "", Origin::Environment(format!("{PREFIX}…")), error.to_string())
            }
        }
    }

    /// Takes a value if the key is known; otherwise the key is a fault.
    pub(super) fn set(&mut self, key: &str, value: Value, origin: Origin) {
        if let Some(entry) = self.values.get_mut(key) {
            *entry = (value, origin);
            return;
        }
        let remedy = match self.nearest(key) {
            Some(near) => {
                format!("there is no such setting; did you mean {near}? `longbow settings` lists all")
            }
            None => "there is no such setting; `longbow settings` lists all".to_owned(),
        };
        // A secret may stand under a mistyped key: its value is not repeated.
        self.fault(key, "", origin, remedy);
    }

    fn nearest(&self, key: &str) -> Option<&str> {
        let name = |k: &str| k.rsplit('.').next().unwrap_or_default().to_owned();
        let wanted = name(key);
        (self.values.keys())
            .map(|known| (distance(known, key).min(distance(&name(known), &wanted) + 1), known.as_str()))
            .filter(|(far, _)| *far <= 3)
            .min()
            .map(|(_, known)| known)
    }

    pub(super) fn fault(&mut self, key: &str, value: &str, origin: Origin, remedy: String) {
        self.faults.0.push(Fault { key: key.to_owned(), value: value.to_owned(), origin, remedy });
    }
}

pub(super) fn to_config(value: &Written) -> Value {
    match value {
        Written::One(text) => Value::new(None, ValueKind::String(text.clone())),
        Written::Many(list) => {
            let entry = |text: &String| Value::new(None, ValueKind::String(text.clone()));
            Value::new(None, ValueKind::Array(list.iter().map(entry).collect()))
        }
    }
}

/// All values of a layer by dotted key.
fn flatten(layer: Map<String, Value>) -> BTreeMap<String, Value> {
    let mut out = BTreeMap::new();
    for (name, value) in layer {
        walk(name, value, &mut out);
    }
    out
}

/// Everything below a value, by dotted key.
pub(super) fn walk(path: String, value: Value, out: &mut BTreeMap<String, Value>) {
    match value.kind {
        ValueKind::Table(table) => {
            for (name, value) in table {
                walk(format!("{path}.{name}"), value, out);
            }
        }
        _ => {
            out.insert(path, value);
        }
    }
}

/// What is wrong with a text that is no TOML, and where, without the line itself: a secret may stand in it.
pub(super) fn toml_fault(error: &ConfigError) -> String {
    let text = error.to_string();
    // The text is shown in lines that begin with a number or nothing and a bar.
    let shown =
        |line: &&str| line.trim_start_matches(|c: char| c == ' ' || c.is_ascii_digit()).starts_with('|');
    let said: Vec<&str> = text.lines().map(str::trim).filter(|l| !l.is_empty() && !shown(l)).collect();
    said.join(": ")
}

/// How many letters have to change (Levenshtein's distance).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substitute = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
