//! From the two locations and the flags to two open stores: what `sync` and `verify` have in common.
//!
//! All faults that can be told without asking a store are told together; only then the stores are opened.

use std::path::{Path, PathBuf};

use longbow_core::diff::{Comparison, default_comparison};
use longbow_core::object::Location;
use longbow_core::route::Route;
use longbow_core::selection::KeySelection;
use longbow_core::transfer::MethodPolicy;

use super::Surrounding;
use crate::backend::{self, OpenSide, Use};
use crate::cli::Flags;
use crate::exit::CommandError;
use crate::settings::{Fault, Faults, FlagLayer, Layers, Origin, Settings, resolve};

/// What was asked for, without fault as far as words go.
pub(crate) struct Asked {
    pub(crate) settings: Settings,
    pub(crate) route: Route,
    pub(crate) selection: KeySelection,
    pub(crate) comparison: Comparison,
    /// Why this comparison.
    pub(crate) because: String,
}

/// Both sides, open and answering.
pub(crate) struct Sides {
    pub(crate) source: OpenSide,
    pub(crate) destination: OpenSide,
}

/// Reads the command line and all settings.
pub(crate) fn read(
    source: &str,
    destination: &str,
    flags: &impl Flags,
    around: &Surrounding,
) -> Result<Asked, CommandError> {
    let mut layer = FlagLayer::default();
    flags.write_down(&mut layer);
    read_of(source, destination, &Layers::read(&layer, &around.environment), around)
}

/// The same of layers that were read already.
pub(crate) fn read_of(
    source: &str,
    destination: &str,
    layers: &Layers,
    around: &Surrounding,
) -> Result<Asked, CommandError> {
    let (settings, mut faults) = match resolve(layers, &around.environment) {
        Ok(settings) => (Some(settings), Faults::default()),
        Err(faults) => (None, faults),
    };
    let raw_prefix = settings.as_ref().is_some_and(|s| s.selection.raw_prefix);
    let route = between(("SOURCE", source), ("DESTINATION", destination), raw_prefix, &mut faults);
    match (settings, route) {
        (Some(settings), Ok(route)) => judge(settings, layers, route, faults),
        // The globs of the ignore file are judged even when the source is none.
        (Some(settings), Err(source)) => {
            let elsewhere = Location::Folder(PathBuf::new());
            selection(&settings, source.as_ref().unwrap_or(&elsewhere), &mut faults);
            Err(faults.into())
        }
        (None, _) => Err(faults.into()),
    }
}

/// The same for one machine, which has no records of a fleet to compare with.
pub(crate) fn read_alone(
    source: &str,
    destination: &str,
    flags: &impl Flags,
    around: &Surrounding,
) -> Result<Asked, CommandError> {
    let asked = read(source, destination, flags, around)?;
    if asked.comparison == Comparison::Version {
        return Err(CommandError::Usage(
            "by version only a jobsender compares, with what its fleet has copied: take another --compare (sync.compare)"
                .to_owned(),
        ));
    }
    Ok(asked)
}

/// The two locations of a route, each with the name of what it was written as. An error leaves the source, if that is one.
pub(crate) fn between(
    source: (&'static str, &str),
    destination: (&'static str, &str),
    raw_prefix: bool,
    faults: &mut Faults,
) -> Result<Route, Option<Location>> {
    let mut location = |(name, text)| {
        let parsed = Location::parse(text, raw_prefix).map_err(|e| e.to_string()).and_then(absolute);
        parsed.map_err(|remedy| faults.argument(name, text, remedy)).ok()
    };
    match (location(source), location(destination)) {
        (Some(source), Some(destination)) => Ok(Route { source, destination }),
        (source, _) => Err(source),
    }
}

/// Judges what fits together, with the faults found so far.
pub(crate) fn judge(
    settings: Settings,
    layers: &Layers,
    route: Route,
    mut faults: Faults,
) -> Result<Asked, CommandError> {
    let selection = selection(&settings, &route.source, &mut faults);
    contradictions(&settings, layers, &route, &mut faults);
    faults.check()?;
    let (comparison, because) = comparison(&settings, &route);
    Ok(Asked { settings, route, selection, comparison, because })
}

/// Opens both sides and asks each whether it answers.
pub(crate) async fn open(asked: &Asked, purpose: Use) -> Result<Sides, CommandError> {
    let Asked { settings, route, .. } = asked;
    // Two folders, or a folder and a bucket, are judged before anything is made.
    if purpose == Use::Write {
        route.check_overlap(false).map_err(|e| CommandError::Refused(e.to_string()))?;
    }
    let source = backend::open_source(&route.source, settings).await?;
    source
        .check(&route.source_prefix())
        .await
        .map_err(|e| backend::at_start("source", &route.source, &source.place, &e))?;
    let destination = backend::open_destination(&route.destination, settings, purpose).await?;
    if purpose == Use::Write {
        route
            .check_overlap(backend::is_same_store(&source, &destination))
            .map_err(|e| CommandError::Refused(e.to_string()))?;
    }
    destination
        .check(&route.destination_prefix())
        .await
        .map_err(|e| backend::at_start("destination", &route.destination, &destination.place, &e))?;
    let inside =
        source.traits.copy_domain.is_some() && source.traits.copy_domain == destination.traits.copy_domain;
    if settings.method == MethodPolicy::ServerSide && !inside {
        return Err(CommandError::Usage(
            "--method server-side needs one store and one identity for both sides; take --method auto"
                .to_owned(),
        ));
    }
    Ok(Sides { source, destination })
}

/// A folder as an absolute path without links, as far as it exists; a bucket as it is.
fn absolute(location: Location) -> Result<Location, String> {
    let Location::Folder(path) = location else { return Ok(location) };
    let whole = std::path::absolute(&path).map_err(|e| format!("no possible path: {e}"))?;
    // What does not exist yet cannot be a link: it is kept below the deepest folder that exists.
    for existing in whole.ancestors() {
        if let Ok(real) = existing.canonicalize() {
            let rest = whole.strip_prefix(existing).unwrap_or(Path::new(""));
            let folder: PathBuf = real.components().chain(rest.components()).collect();
            return Ok(Location::Folder(folder));
        }
    }
    Ok(Location::Folder(whole))
}

/// Flags and settings that do not fit the two locations.
fn contradictions(settings: &Settings, layers: &Layers, route: &Route, faults: &mut Faults) {
    let mut fault = |key: &str, value: String, remedy: String| {
        faults.0.push(Fault { key: key.to_owned(), value, origin: layers.origin(key), remedy });
    };
    let sides = [("source", &route.source), ("destination", &route.destination)];
    let has_folder = sides.iter().any(|(_, location)| location.is_folder());
    if settings.compare == Some(Comparison::Etag) && has_folder {
        let remedy = "files have no digests as tags; take size-mtime, or checksum, which reads them";
        fault("sync.compare", "etag".into(), remedy.into());
    }
    if settings.method == MethodPolicy::ServerSide && has_folder {
        let remedy = "a folder has no server that could copy; take auto or stream";
        fault("sync.method", "server-side".into(), remedy.into());
    }
    for (name, location) in sides {
        let Location::Folder(folder) = location else { continue };
        // What the file and the environment say about stores may be meant for other routes; a flag is not.
        for (key, value, origin) in layers.iter() {
            let of_this_side = key.strip_prefix(name).is_some_and(|rest| rest.starts_with('.'));
            let Origin::Flag(flag) = origin else { continue };
            if of_this_side && !matches!(*flag, "--endpoint-url" | "--region" | "--profile") {
                let remedy = format!("the {name} is a folder, and {flag} is about S3; leave it out");
                fault(key, value.to_string(), remedy);
            }
        }
        let state_dir = absolute(Location::Folder(settings.state_dir.clone()));
        if let Ok(Location::Folder(state_dir)) = state_dir
            && state_dir.starts_with(folder)
        {
            let remedy = format!("state files must not lie inside the {name}; give another --state-dir");
            fault("sync.state_dir", state_dir.display().to_string(), remedy);
        }
    }
}

fn selection(settings: &Settings, source: &Location, faults: &mut Faults) -> KeySelection {
    let mut selection = KeySelection::of(source);
    // Globs were judged with the settings.
    for glob in &settings.selection.include {
        let _ = selection.include(glob);
    }
    for glob in &settings.selection.exclude {
        let _ = selection.exclude(glob);
    }
    if let Some(path) = &settings.selection.ignore_file {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => {
                for error in selection.ignore_file(&name, &text).err().unwrap_or_default() {
                    faults.argument("--ignore-file", &error.glob, format!("{}: {}", error.origin, error.why));
                }
            }
            Err(error) => faults.argument(
                "--ignore-file",
                &name,
                format!("the ignore file cannot be read: {error}; give a text file in UTF-8"),
            ),
        }
    }
    selection
}

fn comparison(settings: &Settings, route: &Route) -> (Comparison, String) {
    if let Some(asked) = settings.compare {
        return (asked, "as asked for".to_owned());
    }
    let chosen = default_comparison(route.source.is_folder(), route.destination.is_folder());
    let because = match chosen {
        Comparison::Etag => "the strongest that the listings of two stores allow",
        _ => {
            "the strongest that listings allow where a folder takes part; --compare checksum also reads the bytes"
        }
    };
    (chosen, because.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use crate::screen::Screen;
    use crate::settings::ProcessEnvironment;
    use clap::Parser as _;

    fn asked(line: &[&str]) -> Result<Asked, CommandError> {
        let cli = Cli::try_parse_from(["longbow", "sync"].iter().chain(line)).unwrap();
        let Command::Sync(args) = cli.command else { panic!() };
        let around = Surrounding {
            screen: Screen::default(),
            environment: ProcessEnvironment::of(&[("HOME", "/nowhere")]),
        };
        read(&args.source, &args.destination, args.as_ref(), &around)
    }

    fn faults(line: &[&str]) -> Faults {
        match asked(line) {
            Err(CommandError::Settings(faults)) => faults,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("no fault was found"),
        }
    }

    #[test]
    fn locations_and_settings_are_judged_together() {
        let found = faults(&["gs://a/b", "s3://", "--compare", "md5", "--max-delete", "x"]).to_string();
        let ignore = faults(&["gs://a/b", "s3://", "--ignore-file", "/nowhere/x"]).to_string();
        assert!(ignore.contains("gs://a/b") && ignore.contains("/nowhere/x"), "{ignore}");
        for part in ["SOURCE = \"gs://a/b\"", "DESTINATION = \"s3://\"", "sync.compare", "sync.max_delete"] {
            assert!(found.contains(part), "{part} is missing in\n{found}");
        }
    }

    #[test]
    fn contradictions_with_a_folder_are_faults() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().to_str().unwrap();
        for (flags, key) in [
            (vec!["--compare", "etag"], "sync.compare"),
            (vec!["--method", "server-side"], "sync.method"),
            (vec!["--storage-class", "STANDARD_IA"], "destination.storage_class"),
            (vec!["--destination-region", "x"], "destination.region"),
            (vec!["--state-dir", folder], "sync.state_dir"),
        ] {
            let line: Vec<_> = ["s3://bucket", folder].into_iter().chain(flags).collect();
            let found = faults(&line);
            assert_eq!(found.0.len(), 1, "{found}");
            assert_eq!(found.0[0].key, key);
        }
        assert!(asked(&["s3://bucket", folder, "--region", "eu-west-1"]).is_ok());
    }

    #[test]
    fn the_comparison_follows_the_sides() {
        assert_eq!(asked(&["s3://abc", "s3://def"]).map(|a| a.comparison).ok(), Some(Comparison::Etag));
        assert_eq!(asked(&["s3://abc", "/d"]).map(|a| a.comparison).ok(), Some(Comparison::SizeMtime));
        let line = ["s3://abc", "/d", "--compare", "checksum"];
        assert_eq!(asked(&line).map(|a| a.comparison).ok(), Some(Comparison::Checksum));
    }

    #[test]
    fn faults_of_the_ignore_file_name_their_lines() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ignore");
        std::fs::write(&file, "ok\n[\n[\n").unwrap();
        let found = faults(&["s3://abc", "s3://def", "--ignore-file", file.to_str().unwrap()]);
        assert_eq!(found.0.len(), 2);
        assert!(found.0[0].remedy.contains("ignore:2"), "{found}");
        assert!(
            faults(&["s3://abc", "s3://def", "--ignore-file", "/nowhere/x"])
                .to_string()
                .contains("cannot be read")
        );
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn folders_that_hold_each_other_by_a_link_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let below = link.join("not/yet");
        let asked =
            asked(&[real.to_str().unwrap(), below.to_str().unwrap()]).unwrap_or_else(|e| panic!("{e}"));
        let refused = open(&asked, Use::Write).await.err().unwrap();
        assert!(matches!(refused, CommandError::Refused(_)), "{refused}");
        assert!(!real.join("not").exists(), "nothing was made");
    }
}
