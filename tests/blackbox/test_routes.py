"""Several routes in one fleet: from a settings file, from parameters as Longbow has them, with keys of another account."""

import json

import pytest

from faults import Delay
from fleet import wait_for
from stores import assert_same, content


@pytest.fixture
def store(seaweedfs):
    """The buckets' store."""
    return seaweedfs


def settings(longbow, text):
    """A settings file with this text."""
    path = longbow.home / "fleet.toml"
    path.write_text(text)
    return ["--config", path]


def endpoints(store):
    return f'[source]\nendpoint_url = "{store.url}"\n[destination]\nendpoint_url = "{store.url}"\n'


def test_routes_of_a_settings_file_are_compared_and_worked_off_together(
    longbow, cluster, store, source, destination, make_bucket
):
    third = make_bucket(store, "c")
    source.fill({f"a/{n:03}": content(50 + n, n) for n in range(40)} | {"a/x.tmp": b"left out"})
    source.fill({f"b/{n:03}": content(20, n) for n in range(30)} | {"bb/not": b"another folder"})
    destination.put("copy/extra", b"only here")
    third.put("extra", b"only here")
    config = settings(
        longbow,
        endpoints(store)
        + f"""
        [routes.first]
        from = "s3://{source.name}/a"
        to = "s3://{destination.name}/copy"
        selection.exclude = ["*.tmp"]
        [routes.second]
        from = "s3://{source.name}/b"
        to = "s3://{third.name}"
        key_mapping = "full-key"
        cluster.propagate_deletes = true
        """,
    )
    everything = [*config, *cluster.flags, "--json"]
    dry = longbow("jobsender", *everything, "--dry-run")
    assert (dry.summary["to_copy"]["objects"], dry.summary["jobs_sent"]) == (70, 0)
    assert cluster.depth() == (0, 0, 0) and third.keys() == ["extra"]

    one = longbow("jobsender", *everything, "--route", "second")
    assert [route["route"] for route in one.summary["routes"]] == ["second"]
    assert one.summary["jobs_sent"] == 30
    both = longbow("jobsender", *everything, "--when-busy", "append")
    sent = {route["route"]: route["jobs_sent"] for route in both.summary["routes"]}
    assert sent == {"first": 40, "second": 30}
    done = longbow("worker", *everything, "--exit-when-empty")
    assert (done.summary["copied"], done.summary["failed"]) == (70, 0)
    kept = [f"{n:03}" for n in range(40)]
    assert_same(source, destination, "a/", "copy/", keys=kept, extra=["extra"])
    assert destination.keys() == sorted(f"copy/{n:03}" for n in range(40)) + ["copy/extra"]
    # The whole key below the destination; what only the destination has is removed, where that is asked for.
    assert third.keys() == sorted(f"b/{n:03}" for n in range(30)) + ["extra"]
    again = longbow("jobsender", *everything)
    assert again.summary["jobs_sent"] == 0
    removed = {route["route"]: route["removals"] for route in again.summary["routes"]}
    assert removed["first"] is None and removed["second"]["removed"] == 0
    third.put("b/gone", b"only here")
    again = longbow("jobsender", *everything)
    assert again.summary["routes"][1]["removals"]["removed"] == 1
    assert third.keys() == sorted(f"b/{n:03}" for n in range(30)) + ["extra"]
    assert cluster.depth() == (0, 0, 0)


def test_removals_are_capped_and_refused_whole(longbow, cluster, store, source, destination):
    source.put("a", b"a")
    destination.fill({f"x{n}": b"x" for n in range(5)} | {"a": b"a"})
    sides = [*longbow.sides(source.at(), destination.at()), *cluster.flags, "--json", "--propagate-deletes"]
    refused = longbow("jobsender", *sides, "--max-delete", "4", expect=4)
    assert refused.summary["routes"][0]["removals"]["refused"]
    assert len(destination.keys()) == 6
    assert longbow("jobsender", *sides, "--max-delete", "5").summary["routes"][0]["removals"]["removed"] == 5
    assert destination.keys() == ["a"]


def test_longbows_own_parameters_and_file_are_taken_as_they_are(
    longbow, cluster, store, source, destination, parameters
):
    """LB-01, LB-03, LB-04, LB-24: pairs and keys in SSM, whole keys below the destination prefix."""
    source.fill({f"lab/{n:02}": content(10, n) for n in range(12)} | {"other/a": b"other", "skip.me": b"x"})
    pairs = [
        {"src_bucket": source.name, "src_prefix": "lab", "des_bucket": destination.name, "des_prefix": "archive"},
        {"src_bucket": source.name, "src_prefix": "other/", "des_bucket": destination.name, "des_prefix": ""},
    ]
    routes = parameters(json.dumps(pairs))
    keys = {"aws_access_key_id": store.access_key, "aws_secret_access_key": store.secret_key, "region": "us-east-1"}
    stored = parameters(json.dumps(keys), "SecureString")
    ignored = parameters(f"# ignore\r\n{source.name}/lab/03\r\n*/0[67]\n")
    ini = longbow.home / "s3_migration_cluster_config.ini"
    ini.write_text(
        f"""[Basic]
JobType = PUT
table_queue_name = {cluster.table}
sqs_queue_name = {cluster.queue.rsplit("/", 1)[1]}
ssm_parameter_bucket = {routes}
ssm_parameter_credentials = {stored}
[Mode]
StorageClass = STANDARD
ResumableThreshold = 5
MaxRetry = 20
MaxThread = 20
MaxParallelFile = 5
JobTimeout = 3600
JobsenderCompareVersionId = False
UpdateVersionId = False
GetObjectWithVersionId = False
[Debug]
CleanUnfinishedUpload = False
LoggingLevel = INFO
LocalProfileMode = False
ifVerifyMD5Twice = False
ChunkSize = 5
"""
    )
    environment = {
        "LONGBOW_SOURCE__ENDPOINT_URL": store.url,
        "LONGBOW_DESTINATION__ENDPOINT_URL": store.url,
    }
    flags = ["--config", ini, "--json"]
    sent = longbow("jobsender", *flags, "--ignore-parameter", ignored, env=environment)
    assert sent.summary["jobs_sent"] == 10
    assert "MaxThread" in sent.out + sent.err
    done = longbow("worker", *flags, "--exit-when-empty", env=environment)
    assert done.summary["copied"] == 10
    left_out = {"lab/03", "lab/06", "lab/07"}
    kept = [f"archive/lab/{n:02}" for n in range(12) if f"lab/{n:02}" not in left_out]
    assert destination.keys() == [*kept, "other/a"]

    # A job as Longbow 0.98 has it, in the same queue.
    cluster.send(
        json.dumps(
            {
                "Src_bucket": source.name, "Src_key": "lab/03", "Size": 10, "Des_bucket": destination.name,
                "Des_key": "archive/lab/03", "versionId": "null",
            }
        )
    )  # fmt: skip
    astray = json.dumps(
        {
            "Src_bucket": source.name, "Src_key": "skip.me", "Size": 1, "Des_bucket": destination.name,
            "Des_key": "archive/skip.me", "versionId": "null",
        }
    )  # fmt: skip
    cluster.send(astray)
    longbow("worker", *flags, "--exit-when-empty", env=environment)
    assert destination.get("archive/lab/03") == source.get("lab/03")
    assert "archive/skip.me" not in destination.keys()
    assert [letter["Body"] for letter in cluster.take(cluster.dead)] == [astray]


def test_keys_of_the_other_account_are_read_again_when_they_change(
    longbow, cluster, store, ministack, source, destination, parameters
):
    def keys(secret):
        return json.dumps({"aws_access_key_id": store.access_key, "aws_secret_access_key": secret, "region": "us-east-1"})

    source.put("a", b"a")
    name = parameters(keys(store.secret_key), "SecureString")
    sides = [*longbow.sides(source.at(), destination.at()), *cluster.flags, "--credentials-parameter", name, "--json"]
    # The side of the other account is the destination; wrong keys are refused there and nothing else goes wrong.
    longbow("jobsender", *sides)
    parameters(keys("wrong" * 8), "SecureString", name)
    refused = longbow("worker", *sides, "--exit-when-empty", expect=2)
    assert destination.name in refused.err and "wrongwrong" not in refused.err
    parameters(keys(store.secret_key), "SecureString", name)
    assert longbow("worker", *sides, "--exit-when-empty").summary["copied"] == 1


def test_faults_of_routes_are_told_together_and_name_their_place(longbow, cluster, parameters):
    config = settings(longbow, '[routes.a]\nfrom = "s3://x"\n[routes.b]\nfrom = "s3:///"\nto = "s3://y"\n')
    run = longbow("worker", *config, *cluster.flags, expect=2)
    for words in ("routes.a.to", "fleet.toml", "routes.b"):
        assert words in run.err, str(run)
    run = longbow("worker", *cluster.flags, expect=2)
    assert "--routes-parameter" in run.err and "SOURCE" in run.err
    for wrong in ("no json", "[]", '[{"src_bucket": "a"}]', '{"x": {"from": "s3://a"}}'):
        run = longbow("jobsender", *cluster.flags, "--routes-parameter", parameters(wrong), expect=2)
        assert "/longbow-test/" in run.err, str(run)
    run = longbow("jobsender", *cluster.flags, "--routes-parameter", "/there-is/none", expect=2)
    assert "/there-is/none" in run.err
    ring = settings(
        longbow,
        '[routes.a]\nfrom = "s3://aaa"\nto = "s3://bbb"\n[routes.b]\nfrom = "s3://bbb"\nto = "s3://aaa"\n'
        '[source]\nendpoint_url = "http://127.0.0.1:9"\n',
    )
    longbow("worker", *ring, *cluster.flags, expect=None)


def test_a_killed_jobsender_is_gone_on_with(longbow, cluster, source, destination, ministack, make_proxy):
    source.fill({f"{n:05}": b"x" for n in range(3000)})
    sides = [*longbow.sides(source.at(), destination.at()), *cluster.flags, "--json"]
    # Slow enough to be killed in the middle.
    services = make_proxy(ministack)
    services.inject(Delay(0.1), where=lambda e: "SendMessageBatch" in e.headers.get("x-amz-target", ""))
    slowly = [flag.replace(ministack.url, services.url) for flag in sides]
    first = longbow.start("jobsender", *slowly, env={"AWS_ENDPOINT_URL_SQS": services.url})
    wait_for(lambda: sum(cluster.depth()) > 100, "jobs are sent")
    first.kill()
    first.process.wait()
    # Its lock outlives it, and is told; then what is missing is sent, and nothing is lost.
    refused = longbow("jobsender", *sides, "--when-busy", "append", expect=4)
    assert "another jobsender works for this queue" in refused.err or "lock" in refused.err
    before = sum(cluster.depth())
    cluster.free_locks()
    rest = longbow("jobsender", *sides, "--when-busy", "append")
    assert before + rest.summary["jobs_sent"] >= 3000
    done = longbow("worker", *sides, "--exit-when-empty")
    assert done.summary["copied"] == 3000 and done.summary["failed"] == 0
    assert_same(source, destination)


def test_versions_are_compared_with_those_that_were_copied(longbow, cluster, ministack, make_bucket):
    """LB-59: an object that was overwritten with one of its size has another version."""
    source, destination = make_bucket(ministack, "versions"), make_bucket(ministack, "copies")
    source.client.put_bucket_versioning(Bucket=source.name, VersioningConfiguration={"Status": "Enabled"})
    source.fill({f"{n:02}": content(30, n) for n in range(20)})
    sides = [*longbow.sides(source.at(), destination.at()), *cluster.flags, "--json", "--compare", "version"]
    assert longbow("jobsender", *sides).summary["jobs_sent"] == 20
    longbow("worker", *sides, "--exit-when-empty")
    assert longbow("jobsender", *sides).summary["jobs_sent"] == 0
    source.put("07", content(30, 7))
    source.put("08", content(30, 99))
    source.client.delete_object(Bucket=source.name, Key="09")
    assert longbow("jobsender", *sides).summary["jobs_sent"] == 2
    [job, _] = sorted(cluster.take(cluster.queue), key=lambda message: message["Body"])
    assert source.head("07")["VersionId"] in job["Body"] or source.head("08")["VersionId"] in job["Body"]
    longbow("worker", *sides, "--exit-when-empty")
    assert destination.get("08") == content(30, 99)
    assert longbow("jobsender", *sides).summary["jobs_sent"] == 0
    refused = longbow("sync", *longbow.sides(source.at(), destination.at()), "--compare", "version", expect=2)
    assert "jobsender" in refused.err


def test_a_manifest_takes_the_place_of_listings_and_lists_are_written(longbow, cluster, source, destination, make_bucket):
    """DS-06, DS-07, LB-27: folders and repetitions are left out, wrong lines are told by number."""
    source.fill({f"d/{n:02}": content(9, n) for n in range(6)} | {"d/a b+é": b"odd", "d/x.tmp": b"left out"})
    lists = make_bucket(source.store, "lists")
    longbow.environment["AWS_ENDPOINT_URL_S3"] = source.store.url
    manifest = longbow.home / "manifest.csv"
    manifest.write_text(
        f"{source.name},d/00\n"
        f'"{source.name}","d/01",\n'
        f"{source.name},d/\n"
        f"{source.name},d/01\n"
        f"{source.name},d/a+b%2B%C3%A9\n"
        f"{source.name},d/x.tmp\n"
        "somebody-elses-bucket,d/02\n"
        f"{source.name},elsewhere/02\n"
        f"{source.name},d/not-there\n"
    )
    sides = [*longbow.sides(source.at("d"), destination.at("q")), *cluster.flags, "--json", "--exclude", "*.tmp"]
    flags = ["--job-list", f"s3://{lists.name}/run/jobs.jsonl", "--ignored-list", longbow.home / "ignored.jsonl"]
    sent = longbow("jobsender", *sides, "--manifest", manifest, *flags, expect=1)
    [route] = sent.summary["routes"]
    found = route["manifest"]
    assert (route["jobs_sent"], found["ignored"], found["folders"], found["duplicates"]) == (4, 1, 1, 1)
    assert found["faults"] == 2 and [fault.split(":")[0] for fault in found["first_faults"]] == ["line 7", "line 8"]
    jobs = [json.loads(line) for line in lists.get("run/jobs.jsonl").splitlines()]
    assert sorted(line["subject"].split("/", 1)[1] for line in jobs) == ["00", "01", "a b+é", "not-there"]
    assert {line["status"] for line in jobs} == {"sent"}
    assert (longbow.home / "ignored.jsonl").read_text().count("\n") == 1
    done = longbow("worker", *sides, "--exit-when-empty", expect=None)
    assert done.summary["copied"] == 3
    assert destination.keys() == ["q/00", "q/01", "q/a b+é"]

    # The same as an object, in JSON lines.
    lines = [json.dumps({"key": f"d/{n:02}"}) for n in range(6)]
    lists.put("list.jsonl", "\n".join(lines).encode())
    sent = longbow("jobsender", *sides, "--manifest", f"s3://{lists.name}/list.jsonl", "--when-busy", "append")
    assert sent.summary["jobs_sent"] == 6
    longbow("worker", *sides, "--exit-when-empty")
    assert [key for key in destination.keys() if key[2:].isdigit()] == [f"q/{n:02}" for n in range(6)]

    for wrong, words in [
        (f"s3://{lists.name}/none", "NoSuchKey"),
        (longbow.home / "none.csv", "none.csv"),
        (f"s3://{lists.name}/", "names no object"),
    ]:
        run = longbow("jobsender", *sides, "--manifest", wrong, "--when-busy", "append", expect=None)
        assert run.code in (1, 2) and (words in run.err + run.out or "not found" in run.out.lower()), str(run)
