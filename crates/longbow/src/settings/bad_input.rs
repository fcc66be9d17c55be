//! What a person or an editor gets wrong in settings: each is told with its key, its place and what would be right, and no secret
//! is repeated.

use std::path::Path;

use super::*;

/// Everything that is wrong with a settings file, in words.
fn faults_of(file: &str) -> String {
    let environment = ProcessEnvironment::of(&[("HOME", "/nowhere")]);
    let flags = FlagLayer::default();
    let layers = Layers::of_texts(Some((Path::new("longbow.toml"), file)), &environment, None, &flags);
    let mut all = resolve(&layers, &environment).err().unwrap_or_default();
    for route in layers.routes() {
        all.0.extend(layers.read_route(route, &environment).err().unwrap_or_default().0);
    }
    all.to_string()
}

fn faults_of_parameter(text: &str) -> String {
    let environment = ProcessEnvironment::of(&[("HOME", "/nowhere")]);
    let layers = Layers::of_texts(None, &environment, Some(("/p", text)), &FlagLayer::default());
    resolve(&layers, &environment).err().unwrap_or_default().to_string()
}

#[test]
fn numbers_and_sizes_out_of_range_are_refused_with_the_range() {
    for (line, range) in [
        ("max_objects = 0", "from 1 to 100000"),
        ("max_objects = -1", "from 1 to 100000"),
        ("max_objects = 1000000000", "from 1 to 100000"),
        ("max_requests = 0", "from 1 to 100000"),
        ("max_requests = 18446744073709551616", "no TOML"),
        ("max_requests = \"18446744073709551616\"", "from 1 to 100000"),
        ("max_attempts = 0", "from 1 to 1000"),
        ("part_size = \"4MB\"", "5MiB to 5GiB"),
        ("part_size = \"5GB1\"", "give a size"),
        ("part_size = \"6GiB\"", "5MiB to 5GiB"),
        ("part_size = 0", "5MiB to 5GiB"),
        ("memory = \"1MiB\"", "at least 8MiB"),
        ("whole_up_to = \"6GiB\"", "5GiB or less"),
        ("visibility = \"13h\"", "5s to 12h"),
        ("retry_most = \"18446744073709551615ms\"", "a year"),
    ] {
        let faults = faults_of(&format!("[worker]\n{line}\n"));
        let said = faults.contains(range) && faults.contains("file longbow.toml");
        assert!(said, "{line}: {faults}");
    }
}

#[test]
fn a_secret_on_a_line_that_is_no_toml_is_not_shown() {
    for line in [
        "secret_access_key = CANARY\"",
        "secret_access_key = \"CANARY",
        "secret_access_key = 'CANARY' x",
        "session_token == CANARY",
    ] {
        let text = format!("[source]\naccess_key_id = \"AKIA\"\n{line}\n");
        for faults in [faults_of(&text), faults_of_parameter(&text)] {
            assert!(!faults.contains("CANARY"), "{faults}");
            assert!(faults.contains("no TOML") && faults.contains("line 3"), "{faults}");
        }
    }
    let faults = faults_of("[worker]\nmax_objects = 1\nmax_objects = 2\n");
    assert!(faults.contains("line 3") && faults.contains("duplicate key"), "what is wrong is said: {faults}");
}

#[test]
fn a_secret_under_a_mistyped_name_is_not_shown() {
    for line in [
        "secret_acces_key = \"CANARY\"",
        "source.secret_acces_key = \"CANARY\"",
        "source.secret_access_key = [\"CANARY\", 1]",
        "sorce.secret_access_key = \"CANARY\"",
        "secret_access_key = \"CANARY\"",
    ] {
        let text = format!("[routes.a]\nfrom = \"s3://aaa\"\nto = \"s3://bbb\"\n{line}\n");
        let faults = faults_of(&text);
        assert!(faults.contains("routes.a.") && !faults.contains("CANARY"), "{line}: {faults}");
        let layers = Layers::of_texts(
            Some((Path::new("longbow.toml"), &text)),
            &ProcessEnvironment::of(&[]),
            None,
            &FlagLayer::default(),
        );
        assert!(!explain(&layers).contains("CANARY"), "{line}: {}", explain(&layers));
    }
}

#[test]
fn json_of_a_parameter_is_read_strictly_and_its_faults_repeat_nothing() {
    let route = r#"{"from": "s3://aaa", "to": "s3://bbb"}"#;
    assert!(of_json(&format!("\u{feff}{{\"a\": {route}}}"), "/p").is_ok());
    for (text, what) in [
        (format!(r#"{{"a": {route}, "a": {route}}}"#), "one key twice"),
        (r#"{"a": {"from": "s3://aaa", "from": "s3://bbb", "to": "s3://ccc"}}"#.to_owned(), "one key twice"),
        (format!(r#"{{"a": {route},}}"#), "trailing comma"),
        ("\"CANARY\"".to_owned(), "no JSON object"),
        ("CANARY".to_owned(), "expected value"),
        ("[".repeat(100_000), "recursion limit"),
        (String::new(), "EOF"),
    ] {
        let faults = of_json(&text, "/p").unwrap_err().to_string();
        assert!(faults.contains(what) && faults.contains("parameter /p"), "{what}: {faults}");
        assert!(!faults.contains("CANARY") && faults.len() < 1000, "{faults}");
    }
    assert_eq!(faults_of_parameter("\u{feff}{\"worker\": {\"max_objects\": 1}}"), "0 faults:");
    for text in [r#"{"worker": {"max_objects": 1, "max_objects": 2}}"#, r#"{"worker": 1, "worker": {}}"#] {
        assert!(faults_of_parameter(text).contains("one key twice"), "{text}");
    }
}

#[test]
fn texts_that_are_nested_too_deep_are_refused() {
    for text in [
        "a = ".to_owned() + &"[".repeat(100_000),
        "[".repeat(100_000),
        "a = ".to_owned() + &"{a=".repeat(100_000),
    ] {
        assert!(faults_of(&text).contains("no TOML"));
        assert!(faults_of_parameter(&text).contains("no TOML"));
    }
    assert!(faults_of_parameter(&"{\"a\":".repeat(100_000)).contains("recursion limit"));
}
