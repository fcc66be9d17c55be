"""The command line itself: help, settings, completions, manual pages, and what is said of wrong input."""

import json

import pytest

COMMANDS = [
    "sync", "verify", "jobsender", "worker", "status", "jobs", "report", "doctor", "state", "dlq", "settings", "completions",
    "man", "demo",
]  # fmt: skip


def test_help_names_every_command_and_has_examples(longbow):
    text = longbow("--help").out
    for command in COMMANDS:
        assert command in text
    assert "Exit codes" in text and "Examples:" in text
    assert longbow("--version").out.startswith("longbow ")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_examples(longbow, command):
    text = longbow(command, "--help").out
    assert "Examples:" in text and f"longbow {command}" in text.split("Examples:")[1]
    assert max(len(line) for line in text.splitlines()) <= 130


def test_no_arguments_show_the_help(longbow):
    run = longbow(expect=2)
    assert "sync" in run.err + run.out


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete -F"), ("zsh", "#compdef longbow"), ("fish", "complete -c longbow")]
)
def test_completions(longbow, shell, mark):
    script = longbow("completions", shell).out
    assert mark in script and "--max-delete" in script.replace("l max-delete", "--max-delete")


def test_manual_pages(longbow, tmp_path):
    assert longbow("man").out.lstrip().startswith((".TH", ".ie"))
    assert "max\\-delete" in longbow("man", "sync").out
    longbow("man", "--dir", tmp_path / "man1")
    assert {"longbow.1", "longbow-sync.1"} <= {path.name for path in (tmp_path / "man1").iterdir()}


def test_settings_show_each_value_and_where_it_came_from(longbow, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text('[worker]\npart_size = "32MiB"\nmax_attempts = 7\n')
    secret = longbow.secrets[1]
    env = {"LONGBOW_WORKER__MAX_REQUESTS": "33", "LONGBOW_SOURCE__SECRET_ACCESS_KEY": secret,
           "LONGBOW_SOURCE__ACCESS_KEY_ID": "AKIDEXAMPLE", "LONGBOW_SOURCE__SESSION_TOKEN": secret}  # fmt: skip
    text = longbow("settings", "--config", file, "--part-size", "64MiB", env=env).out

    def line(key):
        section, _, name = key.partition(".")
        found = [x for x in text.splitlines() if key in x or (name in x and "=" in x)]
        assert found, f"{key} is not shown:\n{text}"
        return " ".join(found)

    assert "64" in line("worker.part_size") and "--part-size" in line("worker.part_size")
    assert "33" in line("worker.max_requests") and "LONGBOW_WORKER__MAX_REQUESTS" in line("worker.max_requests")
    assert "7" in line("worker.max_attempts") and "settings.toml" in line("worker.max_attempts")
    assert "default" in line("sync.max_delete")
    assert secret not in text


def test_all_faults_are_told_at_once(longbow, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text(
        '[worker]\nmax_attempts = 0\nno_such_key = 1\n[no_such_section]\nx = 1\n[sync]\ncompare = "guess"\n'
    )
    env = {"LONGBOW_WORKER__MEMORY": "lots", "LONGBOW_SYNC__NOSUCH": "1"}
    flags = ["--config", file, "--part-size", "1KiB", "--max-delete", "many", "--sse", "rot13", "--method", "magic"]
    run = longbow("sync", "s3://aaa", "s3://bbb", *flags, env=env, expect=2)
    said = run.err + run.out
    for word in ["max_attempts", "no_such_key", "no_such_section", "guess", "LONGBOW_WORKER__MEMORY", "NOSUCH",
                 "--part-size", "--max-delete", "rot13", "magic"]:  # fmt: skip
        assert word.lower() in said.lower(), f"{word} is not told:\n{run}"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["sync", "s3://aaa", "s3://bbb", "--no-such-flag"], "--no-such-flag"),
        (["sync", "s3://aaa"], "DESTINATION"),
        (["sync", "s3://", "s3://bbb"], "bucket"),
        (["sync", "s3://has space", "s3://bbb"], "has space"),
        (["sync", "gs://aaa", "s3://bbb"], "gs://aaa"),
        (["sync", "", "s3://bbb"], "location"),
        (["sync", "s3://aaa", "s3://bbb", "--sse-kms-key-id", "k"], "--sse"),
        (["sync", "s3://aaa", "s3://bbb", "--include", "[a"], "[a"),
        (["sync", "s3://aaa", "s3://bbb", "--ignore-file", "/no/such/file"], "/no/such/file"),
        (["sync", "s3://aaa", "s3://bbb", "--config", "/no/such/file.toml"], "/no/such/file.toml"),
        (["sync", "s3://aaa", "s3://bbb", "--endpoint-url", "not a url"], "not a url"),
        (["sync", "s3://aaa", "s3://bbb", "--endpoint-url", "http://example.com"], "--allow-http"),
        (["sync", "s3://aaa", "s3://bbb", "--memory", "1KiB"], "--memory"),
        (["sync", "s3://aaa", "s3://bbb", "--max-requests", "0"], "--max-requests"),
        (["sync", "s3://aaa", "s3://bbb", "--max-requests", "1000000000"], "from 1 to 100000"),
        (["sync", "s3://aaa", "s3://bbb", "--max-requests=-1"], "from 1 to 100000"),
        (["sync", "s3://aaa", "s3://bbb", "--part-size", "4MB"], "5MiB to 5GiB"),
        (["sync", "s3://aaa", "s3://bbb", "--part-size", "6GiB"], "5MiB to 5GiB"),
        (["sync", "s3://aaa", "s3://bbb", "--part-size"], "--part-size"),
        (["snyc", "s3://aaa", "s3://bbb"], "'sync'"),
        (["sync", "s3://aaa", "s3://bbb", "--dry-rnu"], "--dry-run"),
        (["sync", "s3://a_b c", "s3://bbb"], "letters, digits"),
        (["sync", "s3://10.0.0.1", "s3://bbb"], "IP address"),
        (["sync", "s3://arn:aws:s3:::aaa", "s3://bbb"], "the bucket's name alone"),
        (["nonsense"], "nonsense"),
        (["verify", "s3://aaa", "s3://bbb", "--delete"], "--delete"),
        (["completions", "tcsh"], "tcsh"),
    ],
)
def test_wrong_input_names_itself(longbow, arguments, word):
    run = longbow(*arguments, expect=2)
    assert word in run.err, str(run)
    assert run.out == "", "faults belong to standard error"


def test_contradictions_are_told(longbow):
    env = {"LONGBOW_SOURCE__ACCESS_KEY_ID": "AKID", "LONGBOW_SOURCE__SECRET_ACCESS_KEY": "x"}
    run = longbow("sync", "s3://aaa", "s3://bbb", "--source-anonymous", "--source-profile", "p", env=env, expect=2)
    assert "anonymous" in run.err


def test_half_of_a_pair_of_credentials_is_a_fault(longbow):
    run = longbow("sync", "s3://aaa", "s3://bbb", env={"LONGBOW_SOURCE__ACCESS_KEY_ID": "AKID"}, expect=2)
    assert "secret_access_key" in run.err.lower()


def test_output_for_people(ministack, make_bucket, longbow):
    source, destination = make_bucket(ministack), make_bucket(ministack)
    source.fill({f"k{i}": b"12345" for i in range(12)})
    run = longbow("sync", *longbow.sides(source.at(), destination.at()))
    assert "12" in run.out and "etag" in run.out
    assert "\x1b[" not in run.out + run.err, "no terminal, no colours"
    quiet = longbow("sync", *longbow.sides(source.at(), destination.at()), "--quiet")
    assert len(quiet.out) <= len(run.out)


def test_json_output_is_json_and_nothing_else(ministack, make_bucket, longbow):
    source, destination = make_bucket(ministack), make_bucket(ministack)
    source.put("k", b"k")
    run = longbow.sync(source.at(), destination.at())
    lines = [json.loads(line) for line in run.out.splitlines()]
    assert all("event" in line for line in lines) and lines[-1]["event"] == "summary"
    fields = {"listed", "copied", "skipped", "deleted", "failed", "bytes_copied", "parts_reused", "comparison", "exit"}
    assert fields <= set(lines[-1]), fields - set(lines[-1])


def test_a_report_that_cannot_be_written_is_told_before_anything_is_copied(ministack, make_bucket, longbow):
    source, destination = make_bucket(ministack), make_bucket(ministack)
    source.put("k", b"k")
    run = longbow(
        "sync", *longbow.sides(source.at(), destination.at()), "--report", "/no/such/folder/r.jsonl", expect=None
    )
    assert run.code != 0 and "/no/such/folder/r.jsonl" in run.err, str(run)
    assert destination.keys() == []


def test_a_secret_never_shows(seaweedfs, make_bucket, longbow):
    """Even with everything logged, and in errors about the credentials themselves. Every run of every test checks it too."""
    source, destination = make_bucket(seaweedfs), make_bucket(seaweedfs)
    source.put("k", b"k")
    canary = longbow.secrets[1]
    env = {"LONGBOW_LOG": "trace", "LONGBOW_SOURCE__ACCESS_KEY_ID": "AKID", "LONGBOW_SOURCE__SECRET_ACCESS_KEY": canary,
           "LONGBOW_SOURCE__SESSION_TOKEN": canary}  # fmt: skip
    longbow.sync(source.at(), destination.at(), "-vv", env=env, expect=None)
    longbow.sync(source.at(), destination.at(), "-vv", env={"LONGBOW_LOG": "trace"})
    for path in longbow.home.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            for secret in longbow.secrets:
                assert secret.encode() not in data, f"a secret is in {path.name}"


def test_output_to_a_closed_pipe_is_no_crash(longbow):
    import subprocess

    from program import binary

    command = f"{binary()} --help | head -n 1; {binary()} completions bash | head -c 10 > /dev/null"
    done = subprocess.run(
        ["bash", "-c", command], env=longbow.environment, capture_output=True, text=True, timeout=20, check=False
    )
    assert "panicked" not in done.stderr, done.stderr
