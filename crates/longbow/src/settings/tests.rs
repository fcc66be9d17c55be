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
