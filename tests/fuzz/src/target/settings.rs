//! Settings of all layers: every fault with its key and origin, and no secret anywhere.

use longbow::texts::{Answer, Texts, settings};

use super::{Target, USUAL, bounds};
use crate::Form;

pub(super) const TARGET: Target = Target {
    name: "settings",
    form: Form::Lines,
    tokens: &[
        "[source]",
        "[destination]",
        "[worker]",
        "[sync]",
        "[selection]",
        "[cluster]",
        "[network]",
        "[state]",
        "[metrics]",
        "[routes.a]",
        "[routes.\"b c\"]",
        "[routes.a.source]",
        "secret_access_key = \"CANARY\"",
        "session_token = \"CANARY\"",
        "secret_access_key = CANARY\"",
        "secret_acces_key = \"CANARY\"",
        "secret_access_key = [\"CANARY\"]",
        "access_key_id = \"AKIA\"",
        "profile = \"x\"",
        "region = \"eu-west-1\"",
        "endpoint_url = \"http://127.0.0.1:1\"",
        "endpoint_url = \"http://u:pw@example.com\"",
        "part_size = \"8MiB\"",
        "part_size = 4096",
        "max_requests = 0",
        "max_objects = 100000",
        "memory = \"1GiB\"",
        "visibility = \"5m\"",
        "retry_first = \"1s\"",
        "retry_most = \"0s\"",
        "compare = \"etag\"",
        "delete = true",
        "include = [\"*\", \"[\"]",
        "exclude = \"**\"",
        "from = \"s3://a\"",
        "to = \"s3://b/p\"",
        "key_mapping = \"full-key\"",
        "events = false",
        "LONGBOW_SOURCE__SECRET_ACCESS_KEY=CANARY",
        "LONGBOW_WORKER__PART_SIZE=1",
        "LONGBOW_A__B=c",
        "LONGBOW_ROUTES__A__FROM=x",
        "---",
        "{\"a\":{\"from\":\"s3://a\",\"to\":\"s3://b\"}}",
        "{\"source\":{\"secret_access_key\":\"CANARY\"}}",
        "{\"routes\":{}}",
        "= 1",
        "\"\"\"",
        "'''",
        "{",
        "}",
        "[[",
        "1e999",
        "2026-11-22",
        "-1",
        "18446744073709551616",
        "\u{feff}",
        "[Basic]",
        "JobType = PUT",
        "[Mode]",
        "ChunkSize = 5",
    ],
    longest: 16 * 1024,
    large,
    memory: 4 * 1024 * 1024,
    memory_a_byte: 1000,
    run,
    ..USUAL
};

fn large() -> Vec<Vec<u8>> {
    let keys: String = (0..400).map(|n| format!("key{n} = {n}\n")).collect();
    let routes: String =
        (0..60).map(|n| format!("[routes.r{n}]\nfrom = \"s3://aaa\"\nto = \"s3://b{n}b\"\n")).collect();
    vec![
        include_bytes!("../../../../config/default.toml").to_vec(),
        include_bytes!("../../../../config/cluster.toml").to_vec(),
        include_bytes!("../../../../config/standalone.toml").to_vec(),
        format!("[worker]\n{keys}").into_bytes(),
        routes.into_bytes(),
        format!("a = {}", "[".repeat(8_000)).into_bytes(),
        format!("---\n---\n---\n{}", "{\"a\":".repeat(2_000)).into_bytes(),
        format!("{} = 1", "a.".repeat(4_000)).into_bytes(),
    ]
}

/// Four texts with a line `---` between them: a file, variables (`NAME=VALUE`), a parameter with settings, one with
/// routes. A file that begins with `[Basic]` is one of Longbow 0.98.
fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let mut parts = text.split("---\n");
    let file = parts.next().unwrap_or_default();
    let name = if file.starts_with("[Basic]") { "longbow.ini" } else { "longbow.toml" };
    let environment: Vec<(&str, &str)> =
        parts.next().unwrap_or_default().lines().filter_map(|line| line.split_once('=')).collect();
    let texts = Texts {
        file: Some((name, file)),
        environment: &environment,
        parameter: parts.next().filter(|text| !text.is_empty()),
        routes: parts.next().filter(|text| !text.is_empty()),
    };
    let answer = settings(&texts);
    assert_eq!(answer, settings(&texts), "the same texts have two answers");
    told(&answer, input.len());
    if canaries_are_secrets(text) {
        assert!(!answer.text.contains("CANARY"), "a secret is shown: {}", answer.text);
    }
}

/// Every fault has its place, and leads to exit code 2.
pub(super) fn told(answer: &Answer, length: usize) {
    assert_eq!(answer.exit.is_some(), !answer.faults.is_empty());
    for [key, origin, line] in &answer.faults {
        assert_eq!(answer.exit, Some(2));
        assert!(!key.is_empty() && !origin.is_empty() && line.contains(origin.as_str()), "{line}");
        bounds::showable_with(line, length);
    }
}

/// Whether a canary stands only where a secret stands: behind a name of one, mistyped by a letter at most, and a sign, on the
/// same line.
fn canaries_are_secrets(text: &str) -> bool {
    let names = ["secret_access_key", "secret_acces_key", "session_token", "SECRET_ACCESS_KEY"];
    text.lines().all(|line| match line.find("CANARY") {
        None => true,
        Some(at) => {
            let before = line[..at].trim_end_matches(['"', '\'', ' ', '=', ':', '[']);
            let between = &line[before.len()..at];
            // In one string with the name, it belongs to it; and names are shown.
            let in_name =
                ['"', '\''].iter().any(|q| before.matches(*q).count() % 2 == 1 && !between.contains(*q));
            !in_name
                && between.contains(['=', ':'])
                && names.iter().any(|name| before.ends_with(name))
                && line.matches("CANARY").count() == 1
        }
    })
}
