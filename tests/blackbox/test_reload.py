"""Settings in a parameter of Systems Manager, and workers that take its changes without being started again."""

import json

import pytest

from faults import Delay
from fleet import wait_for
from stores import assert_same, content


@pytest.fixture
def store(seaweedfs):
    """The buckets' store."""
    return seaweedfs


def settings_of(cluster, places, of_cluster=None, **more):
    """Settings with these routes: name → (from, to), as JSON."""
    return json.dumps({
        "cluster": {"queue_url": cluster.queue, "table": cluster.table, "reload_every": "1s", **(of_cluster or {})},
        "source": {"endpoint_url": more.pop("source")},
        "destination": {"endpoint_url": more.pop("destination")},
        "sync": {"method": "stream"},
        "routes": {name: {"from": a, "to": b} for name, (a, b) in places.items()},
        **more,
    })  # fmt: skip


def notices(run):
    """What was told up to now."""
    lines = [json.loads(line) for line in run.output.split("\n") if line.startswith("{") and line.endswith("}")]
    return [line["text"] for line in lines if line["event"] == "notice"]


def test_a_parameter_is_enough_and_its_faults_are_named(longbow, cluster, parameters, store, source, destination):
    source.put("a", b"a")
    places = {"only": (source.at().uri, destination.at().uri)}
    ends = {"source": store.url, "destination": store.url}
    name = parameters(settings_of(cluster, places, **ends))
    sent = longbow("jobsender", "--settings-parameter", name, "--json")
    assert [route["route"] for route in sent.summary["routes"]] == ["only"]
    assert longbow("worker", "--settings-parameter", name, "--json", "--exit-when-empty").summary["copied"] == 1
    assert "Queue" in longbow("status", "--settings-parameter", name).out
    longbow("dlq", "list", "--settings-parameter", name)
    # A flag wins.
    refused = longbow("worker", "--settings-parameter", name, "--table", "nowhere", expect=2)
    assert "nowhere" in refused.err
    parameters(settings_of(cluster, places, worker={"max_requests": 0, "typo": 1}, **ends), name=name)
    fault = longbow("worker", "--settings-parameter", name, expect=2).err
    assert f"worker.max_requests = \"0\" (parameter {name})" in fault and f"worker.typo (parameter {name})" in fault
    missing = longbow("worker", "--settings-parameter", "/not/there", expect=2).err
    assert "there is no parameter /not/there" in missing


def test_the_settings_of_a_parameter_are_shown_with_where_they_came_from(longbow, cluster, parameters, store, source, destination):
    ends = {"source": store.url, "destination": store.url}
    places = {"only": (source.at().uri, destination.at().uri)}
    name = parameters(settings_of(cluster, places, worker={"max_requests": 33, "part_size": "9MiB"}, **ends))
    text = longbow("settings", "--settings-parameter", name, "--part-size", "64MiB").out
    lines = {line.split(" = ")[0]: line for line in text.splitlines() if " = " in line}
    assert lines["max_requests"].endswith(f"# parameter {name}") and " = 33 " in lines["max_requests"]
    assert lines["part_size"].endswith("# flag --part-size"), "a flag wins"
    assert f'from = "{source.at().uri}"  # parameter {name}' in text
    # Faults are told after all that can be shown, and a secret is not shown.
    secret = {"access_key_id": "AKIDEXAMPLE", "secret_access_key": "canary-of-a-parameter", "endpoint_url": store.url}
    body = json.loads(settings_of(cluster, places, **ends)) | {"source": secret, "worker": {"max_requests": 0}}
    parameters(json.dumps(body), name=name)
    faulty = longbow("settings", "--settings-parameter", name, expect=2)
    assert 'secret_access_key = "(hidden)"' in faulty.out and f"# parameter {name}" in faulty.out
    assert "canary-of-a-parameter" not in faulty.out + faulty.err and f'worker.max_requests = "0" (parameter {name})' in faulty.err
    # What cannot be read leaves the rest.
    missing = longbow("settings", "--settings-parameter", "/not/there", expect=2)
    assert "[worker]" in missing.out and "there is no parameter /not/there" in missing.err


def test_a_worker_takes_changed_routes_and_loses_nothing(
    longbow, cluster, parameters, store, make_proxy, source, destination, make_bucket
):
    other = make_bucket(store, "other")
    proxy = make_proxy(store)
    source.fill({f"a/{n:02}": content(300, n) for n in range(24)})
    ends = {"source": store.url, "destination": proxy.url}
    one = {"one": (f"s3://{source.name}/a", f"s3://{destination.name}/copy")}
    name = parameters(settings_of(cluster, one, **ends))
    flags = ["--settings-parameter", name, "--json"]
    longbow("jobsender", *flags)
    # Some are in hand when the settings change.
    slow = proxy.inject(Delay(3.0), where=lambda exchange: exchange.method == "PUT")
    worker = longbow.start("worker", *flags)
    wait_for(lambda: slow.hits, "something is in hand")

    # Faulty settings, and such as only another process can have, are told; the worker goes on.
    parameters(settings_of(cluster, one, worker={"max_objects": "many"}, **ends), name=name)
    wait_for(lambda: any("worker.max_objects" in text for text in notices(worker)), "the fault is told")
    moved = settings_of(cluster, one, **ends).replace(cluster.queue, cluster.dead)
    parameters(moved, name=name)
    wait_for(lambda: any("cluster.queue_url cannot change" in text for text in notices(worker)), "that is told")
    assert worker.process.poll() is None

    both = one | {"two": (f"s3://{source.name}/b", f"s3://{other.name}")}
    parameters(settings_of(cluster, both, **ends), name=name)
    wait_for(lambda: any("the parameters have changed: " in text for text in notices(worker)), "it begins anew")
    proxy.calm()
    wait_for(lambda: len(destination.keys("copy/")) == 24 and cluster.depth() == (0, 0, 0), "all are copied", 60)

    source.fill({f"b/{n:02}": content(100, n) for n in range(10)})
    assert longbow("jobsender", *flags).summary["jobs_sent"] == 10
    wait_for(lambda: len(other.keys()) == 10 and cluster.depth() == (0, 0, 0), "the new route is worked on", 60)
    worker.process.terminate()
    done = longbow.judge(worker.wait(), 0)
    # The counts are those of the whole process; nothing was given up, nothing is among the dead letters.
    assert (done.summary["copied"] + done.summary["skipped"], done.summary["failed"]) == (34, 0)
    assert_same(source, destination, "a/", "copy/")
    assert cluster.depth(cluster.dead) == (0, 0, 0)


def test_sigterm_during_a_change_ends_the_worker(longbow, cluster, parameters, store, make_proxy, source, destination):
    proxy = make_proxy(store)
    source.fill({f"{n}": content(300, n) for n in range(4)})
    ends = {"source": store.url, "destination": proxy.url}
    places = {"one": (source.at().uri, destination.at().uri)}
    name = parameters(settings_of(cluster, places, of_cluster={"drain_within": "20s"}, **ends))
    flags = ["--settings-parameter", name, "--json"]
    longbow("jobsender", *flags)
    slow = proxy.inject(Delay(4.0), where=lambda exchange: exchange.method == "PUT")
    worker = longbow.start("worker", *flags)
    wait_for(lambda: slow.hits, "something is in hand")
    changed = settings_of(cluster, places, of_cluster={"drain_within": "20s"}, worker={"max_objects": 8}, **ends)
    parameters(changed, name=name)
    wait_for(lambda: any("the parameters have changed: " in text for text in notices(worker)), "it drains")
    worker.process.terminate()
    done = longbow.judge(worker.wait(20), 0)
    assert done.summary["failed"] == 0
    # What was not finished is visible at once.
    assert sum(cluster.depth()) + done.summary["copied"] == 4
