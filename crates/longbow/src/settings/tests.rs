//! Layers, origins and faults of the settings, from text to value.

use std::time::Duration;

use super::layers::DEFAULTS;
use super::origin::Origin;
use super::*;

fn environment(pairs: &[(&str, &str)]) -> ProcessEnvironment {
    let mut all = vec![("HOME", "/nowhere")];
    all.extend_from_slice(pairs);
    ProcessEnvironment::of(&all)
}

fn read(flags: &FlagLayer, pairs: &[(&str, &str)]) -> Result<Settings, Faults> {
    let environment = environment(pairs);
    resolve(&Layers::read(flags, &environment), &environment)
}

fn file(text: &str) -> (tempfile::TempDir, FlagLayer) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("longbow.toml");
    std::fs::write(&path, text).unwrap();
    let mut flags = FlagLayer::default();
    flags.file(Some(path));
    (folder, flags)
}

#[test]
fn defaults_alone_are_whole_and_without_fault() {
    let settings = read(&FlagLayer::default(), &[]).unwrap();
    assert_eq!(settings.max_delete, 1000);
    assert_eq!(settings.worker.part_size, 16 << 20);
    assert_eq!(settings.state_dir, std::path::Path::new("/nowhere/.local/state/longbow"));
    assert!(matches!(settings.source.credentials, Credentials::Chain));
}

#[test]
fn the_defaults_are_those_of_the_worker() {
    let settings = read(&FlagLayer::default(), &[]).unwrap().worker;
    let worker = longbow_worker::WorkerOptions::default();
    assert_eq!(settings.part_size, worker.part_size);
    assert_eq!(settings.whole_up_to, worker.whole_up_to);
    assert_eq!(settings.max_objects.get(), worker.max_objects);
    assert_eq!(settings.max_requests.get(), worker.max_requests);
    assert_eq!(settings.memory_bytes, worker.memory_bytes);
    assert_eq!(settings.visibility, worker.visibility);
    assert_eq!(settings.attempts, worker.attempts);
}

#[test]
fn every_default_has_a_comment() {
    let mut commented = false;
    let mut keys = 0;
    for line in DEFAULTS.lines() {
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(commented, "{line} has no comment");
            keys += 1;
        }
        commented = line.starts_with('#');
    }
    let layers = Layers::read(&FlagLayer::default(), &environment(&[]));
    assert_eq!(keys, layers.iter().count());
}

#[test]
fn the_last_layer_wins_and_is_named() {
    let (_folder, mut flags) =
        file("[worker]\nmax_requests = 1\nmemory = \"10MiB\"\nmax_attempts = 2\n[sync]\ndelete = true\n");
    flags.text("worker.max_requests", "--max-requests", Some("3"));
    let environment =
        environment(&[("LONGBOW_WORKER__MAX_REQUESTS", "2"), ("LONGBOW_WORKER__MEMORY", "20MiB")]);
    let layers = Layers::read(&flags, &environment);
    let settings = resolve(&layers, &environment).unwrap();
    assert_eq!(settings.worker.max_requests.get(), 3);
    assert_eq!(settings.worker.memory_bytes, 20 << 20);
    assert_eq!(settings.worker.attempts.max_attempts, 2);
    assert!(settings.delete);
    assert_eq!(layers.origin("worker.max_requests"), Origin::Flag("--max-requests"));
    assert_eq!(layers.origin("worker.memory"), Origin::Environment("LONGBOW_WORKER__MEMORY".into()));
    assert!(matches!(layers.origin("worker.max_attempts"), Origin::File(_)));
    assert_eq!(layers.origin("worker.part_size"), Origin::Default);
}

#[test]
fn all_faults_are_told_at_once_each_with_its_origin() {
    let (_folder, mut flags) =
        file("[worker]\npart_size = \"1MiB\"\nmax_objcts = 3\n[sync]\nmethod = [\"a\"]\n");
    flags.text("sync.compare", "--compare", Some("md5"));
    flags.list("selection.include", "--include", &["[".into()]);
    flags.text("destination.sse_kms_key_id", "--sse-kms-key-id", Some("k"));
    let pairs = [
        ("LONGBOW_WORKER__MAX_REQUESTS", "many"),
        ("LONGBOW_SOURCE__ACCESS_KEY_ID", "AKIA"),
        ("LONGBOW_NOWHERE__X", "s3cret-value"),
        ("LONGBOW_LOG", "debug"),
    ];
    let faults = read(&flags, &pairs).unwrap_err();
    let text = faults.to_string();
    for part in [
        "worker.part_size = \"1MiB\" (file ",
        "worker.max_objcts (file ",
        "did you mean worker.max_objects?",
        "sync.method = \"a\" (file ",
        "sync.compare = \"md5\" (flag --compare): give one of auto, size, size-mtime, etag, checksum",
        "selection.include = \"[\" (flag --include)",
        "destination.sse_kms_key_id = \"k\" (flag --sse-kms-key-id)",
        "worker.max_requests = \"many\" (environment LONGBOW_WORKER__MAX_REQUESTS)",
        "set LONGBOW_SOURCE__SECRET_ACCESS_KEY",
        "nowhere.x (environment LONGBOW_NOWHERE__X)",
    ] {
        assert!(text.contains(part), "{part} is missing in:\n{text}");
    }
    assert_eq!(faults.0.len(), 9, "{text}");
    assert!(!text.contains("s3cret-value"), "{text}");
}

#[test]
fn a_file_that_is_missing_or_no_toml_is_a_fault_and_not_silence() {
    let mut flags = FlagLayer::default();
    flags.file(Some("/nowhere/longbow.toml".into()));
    assert!(read(&flags, &[]).unwrap_err().to_string().contains("cannot be read"));
    let (_folder, flags) = file("[worker\n");
    assert!(read(&flags, &[]).unwrap_err().to_string().contains("no TOML"));
    let (_folder, flags) = file("worker = 3\n");
    assert!(read(&flags, &[]).unwrap_err().to_string().contains("no such setting"));
}

#[test]
fn the_file_of_the_user_is_found() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("longbow")).unwrap();
    std::fs::write(folder.path().join("longbow/config.toml"), "[sync]\nmax_delete = 7\n").unwrap();
    let settings =
        read(&FlagLayer::default(), &[("XDG_CONFIG_HOME", folder.path().to_str().unwrap())]).unwrap();
    assert_eq!(settings.max_delete, 7);
}

#[test]
fn the_examples_hold() {
    let (_folder, flags) = file(include_str!("../../../../config/standalone.toml"));
    let settings = read(&flags, &[]).unwrap();
    assert_eq!(settings.selection.exclude.len(), 2);
    assert_eq!(settings.destination.storage_class.as_deref(), Some("INTELLIGENT_TIERING"));
    for read in routes(include_str!("../../../../config/cluster.toml"), |_| {}) {
        let read = read.unwrap_or_else(|faults| panic!("{faults}"));
        assert_eq!(read.settings.cluster.propagate_deletes, read.name.as_str() == "logs");
    }
    let mut selection = longbow_core::selection::KeySelection::default();
    selection.ignore_file("ignore.globs", include_str!("../../../../config/ignore.globs")).unwrap();
    assert!(!selection.selects_name("a/b.tmp") && selection.selects_name("a/b"));
}

#[test]
fn plain_http_leaves_this_machine_only_when_allowed() {
    let with = |url: &str, allow: bool| {
        let mut flags = FlagLayer::default();
        flags.text("source.endpoint_url", "--source-endpoint-url", Some(url));
        flags.text("network.allow_http", "--allow-http", allow.then_some("true"));
        read(&flags, &[])
    };
    for fine in ["http://127.0.0.1:9000", "http://localhost", "http://[::1]:1/", "https://host.example"] {
        assert!(with(fine, false).is_ok(), "{fine}");
    }
    assert!(with("http://host.example:9000", false).unwrap_err().to_string().contains("--allow-http"));
    assert!(with("http://127.0.0.1.example", false).is_err());
    assert!(with("http://host.example:9000", true).is_ok());
    for wrong in ["host:9000", "ftp://host", "http://", "https://user:word@host"] {
        assert!(with(wrong, true).is_err(), "{wrong}");
    }
}

#[test]
fn keys_come_from_the_environment_and_are_never_shown() {
    let pairs = [
        ("LONGBOW_SOURCE__ACCESS_KEY_ID", "AKIAEXAMPLE"),
        ("LONGBOW_SOURCE__SECRET_ACCESS_KEY", "wJalrXUtnFEMI"),
        ("LONGBOW_SOURCE__SESSION_TOKEN", "FwoGZXIvYXdz"),
    ];
    let settings = read(&FlagLayer::default(), &pairs).unwrap();
    let Credentials::Keys { id, secret, token } = &settings.source.credentials else { panic!() };
    assert_eq!(
        (id.as_str(), secret.as_str(), token.as_deref()),
        ("AKIAEXAMPLE", "wJalrXUtnFEMI", Some("FwoGZXIvYXdz"))
    );
    assert!(!format!("{settings:?}").contains("wJalr"));
    let told = explain(&Layers::read(&FlagLayer::default(), &environment(&pairs)));
    assert!(!told.contains("wJalr") && !told.contains("FwoG"), "{told}");
    assert_eq!(told.matches("\"(hidden)\"").count(), 2);
    assert!(told.contains("# environment LONGBOW_SOURCE__SECRET_ACCESS_KEY"), "{told}");
}

/// A panic shows a value by its Debug: whatever holds what was written shows none of it.
#[test]
fn a_panic_shows_no_secret() {
    let canary = "canary-of-a-panic";
    let keys = [
        "LONGBOW_SOURCE__SECRET_ACCESS_KEY",
        "LONGBOW_DESTINATION__SESSION_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
    ];
    let mut pairs: Vec<_> = keys.into_iter().map(|name| (name, canary)).collect();
    pairs.push(("LONGBOW_SOURCE__ACCESS_KEY_ID", "AKIAEXAMPLE"));
    let environment = environment(&pairs);
    let routes =
        format!("[routes.a]\nfrom = \"s3://a\"\nto = \"s3://b\"\nsource.secret_access_key = \"{canary}\"\n");
    let layers = Layers::read_with(&FlagLayer::default(), &environment, Some(("/p", &routes)));
    let raw = layers.raw().unwrap();
    assert_eq!(raw.source.secret_access_key.text(), canary, "it is there to be shown");
    let faults = resolve(&layers, &environment).unwrap_err();
    let settings =
        read(&FlagLayer::default(), &pairs[..1].iter().chain(&pairs[4..]).copied().collect::<Vec<_>>())
            .unwrap();
    let held: [(&str, &dyn std::fmt::Debug); 6] = [
        ("environment", &environment),
        ("layers", &layers),
        ("raw settings", &raw),
        ("routes", &layers.routes()),
        ("faults", &faults.0),
        ("settings", &settings),
    ];
    for (what, value) in held {
        let payload =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| panic!("{value:?}"))).unwrap_err();
        let said = payload.downcast_ref::<String>().expect("the text of a panic");
        assert!(!said.is_empty() && !said.contains(canary), "{what}: {said}");
    }
}

#[test]
fn what_settings_prints_can_be_read_again() {
    let mut flags = FlagLayer::default();
    flags.list("selection.include", "--include", &["a\"b\\*".into(), "c".into()]);
    flags.text("worker.retry_first", "x", Some("1s"));
    let told = explain(&Layers::read(&flags, &environment(&[])));
    let (_folder, flags) = file(&told);
    let settings = read(&flags, &[]).unwrap();
    assert_eq!(settings.selection.include, ["a\"b\\*", "c"]);
    assert_eq!(settings.worker.attempts.backoff.first, Duration::from_secs(1));
}

#[test]
fn lists_in_the_environment_have_an_entry_a_line() {
    let settings = read(&FlagLayer::default(), &[("LONGBOW_SELECTION__EXCLUDE", "*.a\n*.b")]).unwrap();
    assert_eq!(settings.selection.exclude, ["*.a", "*.b"]);
}

#[test]
fn anonymous_and_keys_contradict() {
    let mut flags = FlagLayer::default();
    flags.text("source.anonymous", "--source-anonymous", Some("true"));
    assert!(matches!(read(&flags, &[]).unwrap().source.credentials, Credentials::Anonymous));
    let pairs =
        [("LONGBOW_SOURCE__ACCESS_KEY_ID", "AKIAEXAMPLE"), ("LONGBOW_SOURCE__SECRET_ACCESS_KEY", "x")];
    assert!(read(&flags, &pairs).unwrap_err().to_string().contains("not both"));
}

/// The routes of a file, read.
fn routes(text: &str, more: impl Fn(&mut FlagLayer)) -> Vec<Result<super::routes::ReadRoute, Faults>> {
    let (_folder, mut flags) = file(text);
    more(&mut flags);
    let environment = environment(&[]);
    let layers = Layers::read(&flags, &environment);
    layers.faults().check().unwrap_or_else(|faults| panic!("{faults}"));
    layers.routes().iter().map(|written| layers.read_route(written, &environment)).collect()
}

#[test]
fn a_route_has_its_own_settings_over_those_of_all() {
    let text = r#"
        [source]
        region = "eu-west-1"
        [routes.photos]
        from = "s3://photos/p"
        to = "s3://copy/q"
        source.region = "eu-central-1"
        destination.role_arn = "arn:aws:iam::123456789012:role/copy"
        destination.external_id = "x"
        selection.exclude = ["*.tmp"]
        events = false
        [routes."Logs.1"]
        from = "s3://logs"
        to = "s3://logs-copy"
        key_mapping = "full-key"
    "#;
    let read = routes(text, |_| {});
    let [logs, photos] = &read[..] else { panic!("{read:?}") };
    let (logs, photos) = (logs.as_ref().unwrap(), photos.as_ref().unwrap());
    assert_eq!(
        (logs.name.as_str(), logs.from.as_str(), logs.to.as_str()),
        ("Logs.1", "s3://logs", "s3://logs-copy")
    );
    assert_eq!(logs.mapping, Some(longbow_core::routes::KeyMapping::FullKey));
    assert_eq!(logs.settings.source.region.as_deref(), Some("eu-west-1"));
    assert!(logs.settings.destination.side.role.is_none() && logs.events);
    assert_eq!(photos.settings.source.region.as_deref(), Some("eu-central-1"));
    let role = photos.settings.destination.side.role.as_ref().unwrap();
    assert_eq!(role.external_id.as_deref(), Some("x"));
    assert_eq!((photos.settings.selection.exclude.len(), photos.events), (1, false));

    // A flag is what somebody wants just now.
    let read = routes(text, |flags| flags.text("source.region", "--source-region", Some("us-east-2")));
    assert_eq!(read[1].as_ref().unwrap().settings.source.region.as_deref(), Some("us-east-2"));
}

#[test]
fn faults_of_a_route_name_it_and_the_file() {
    let text = r#"
        [routes.a]
        to = "s3://copy"
        events = "maybe"
        worker.memory = "1GiB"
        source.regoin = "x"
        destination.sse = "rot13"
        [routes."b c"]
        from = "s3://a"
        to = "s3://b"
    "#;
    let found: Vec<String> = routes(text, |_| {}).into_iter().map(|r| r.unwrap_err().to_string()).collect();
    for part in [
        "routes.a.from (file ",
        "routes.a.events = \"maybe\"",
        "routes.a.worker.memory = \"1GiB\"",
        "did you mean source.region?",
        "routes.a.destination.sse = \"rot13\"",
    ] {
        assert!(found[0].contains(part), "{part} is missing in\n{}", found[0]);
    }
    assert!(found[1].contains("1 to 64 letters"), "{}", found[1]);
}

#[test]
fn routes_are_no_table_is_a_fault_and_none_come_from_variables() {
    let (_folder, flags) = file("routes = 3\n");
    assert!(read(&flags, &[]).unwrap_err().to_string().contains("[routes.NAME]"));
    let faults = read(&FlagLayer::default(), &[("LONGBOW_ROUTES__A__FROM", "s3://a")]).unwrap_err();
    assert!(faults.to_string().contains("LONGBOW_ROUTES__A__FROM"), "{faults}");
}

#[test]
fn routes_come_from_the_json_of_a_parameter() {
    let both = [
        r#"{"photos": {"from": "s3://a", "to": "s3://b", "source": {"region": "x"}}}"#,
        r#"{"routes": {"photos": {"from": "s3://a", "to": "s3://b", "source": {"region": "x"}}}}"#,
    ];
    for text in both {
        let written = of_json(text, "para").unwrap();
        let layers = Layers::read(&FlagLayer::default(), &environment(&[]));
        let read = layers.read_route(&written[0], &environment(&[])).unwrap();
        assert_eq!((read.from.as_str(), read.settings.source.region.as_deref()), ("s3://a", Some("x")));
        assert_eq!(layers.origin("source.region"), Origin::Default);
        assert_eq!(read.layers.origin("source.region"), Origin::Parameter("para".into()));
    }
    for wrong in ["", "{", "[]", "3", "{}", r#"{"routes": []}"#, r#"{"a": "b"}"#] {
        let faults = of_json(wrong, "para").unwrap_err().to_string();
        assert!(faults.contains("para"), "{wrong}: {faults}");
    }
}

#[test]
fn longbows_own_file_is_a_layer() {
    let text = include_str!("../../../core/tests/corpus/legacy/config.ini");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s3_migration_cluster_config.ini");
    std::fs::write(&path, text).unwrap();
    let mut flags = FlagLayer::default();
    flags.file(Some(path.clone()));
    let layers = Layers::read(&flags, &environment(&[]));
    let settings = resolve(&layers, &environment(&[])).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(settings.cluster.queue.as_deref(), Some("lab-jobs"));
    assert_eq!(settings.cluster.routes_parameter.as_deref(), Some("s3_migration_bucket_para"));
    assert_eq!(settings.cluster.key_mapping, Some(longbow_core::routes::KeyMapping::FullKey));
    assert_eq!(settings.compare, Some(longbow_core::diff::Comparison::Size));
    assert_eq!(settings.worker.part_size, 5 << 20);
    // PUT: the stored keys are for the destination (LB-01).
    assert!(matches!(settings.destination.side.credentials, Credentials::Stored { .. }));
    assert!(matches!(settings.source.credentials, Credentials::Chain));
    assert!(layers.notes().iter().any(|note| note.contains("MaxThread")), "{:?}", layers.notes());

    std::fs::write(&path, "[Basic]\nJobType = GET\nssm_parameter_credentials = keys\n").unwrap();
    let settings = read(&flags, &[]).unwrap();
    assert!(matches!(&settings.source.credentials, Credentials::Stored { parameter } if parameter == "keys"));
    std::fs::write(&path, "[Basic]\nJobTyp = GET\n[Debug]\nLocalProfileMode = True\n").unwrap();
    let faults = read(&flags, &[]).unwrap_err().to_string();
    assert!(faults.contains("JobTyp") || faults.contains("jobtyp"), "{faults}");
    assert!(faults.contains("LONGBOW_SOURCE__PROFILE"), "{faults}");
}

#[test]
fn who_asks_is_said_once() {
    let faults = |text: &str| {
        let (_folder, flags) = file(text);
        read(&flags, &[]).map(|_| ()).map_err(|f| f.to_string())
    };
    let parameter = "[source]\ncredentials_parameter = \"keys\"\n";
    assert!(faults(&file_text(parameter, "anonymous = true")).unwrap_err().contains("says who asks"));
    assert!(faults(&file_text("[source]\n", "external_id = \"x\"")).unwrap_err().contains("role"));
    assert!(faults(&file_text("[destination]\n", "role_arn = \"admin\"")).unwrap_err().contains("role/NAME"));
    let hook = "[cluster]\nlifecycle_hook = \"drain\"\n";
    assert!(faults(hook).unwrap_err().contains("auto_scaling_group"));
    assert!(faults("[cluster]\nsweep_uploads_after = \"5m\"\n").unwrap_err().contains("at least 12h"));
}

fn file_text(section: &str, line: &str) -> String {
    format!("{section}{line}\n")
}
