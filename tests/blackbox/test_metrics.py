"""What the program counts: CloudWatch's lines add up to the summary, and the server on loopback tells the same."""

import json
import socket

import pytest

from faults import Delay
from fleet import arguments, wait_for
from listener import free_port, get
from stores import content


@pytest.fixture
def cluster(cluster, longbow):
    """A queue and a table that nobody else uses; figures are wanted."""
    longbow.environment |= {"LONGBOW_METRICS__EMF": "true", "LONGBOW_METRICS__INTERVAL": "1s"}
    return cluster


@pytest.fixture
def store(seaweedfs):
    """The buckets' store."""
    return seaweedfs


def figures(run):
    """(dimensions without the fleet, metric) → the sum over all lines; lists are kept apart."""
    sums, lags = {}, []
    for line in (json.loads(text) for text in run.out.splitlines()):
        if "_aws" not in line:
            continue
        [directive] = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "Longbow"
        [dimensions] = directive["Dimensions"]
        assert dimensions[0] == "Fleet"
        for metric in directive["Metrics"]:
            value = line[metric["Name"]]
            if isinstance(value, list):
                lags += value
                continue
            key = (*(line[name] for name in dimensions[1:]), metric["Name"])
            sums[key] = sums.get(key, 0) + value
    return sums, lags


def test_the_sums_of_all_lines_are_the_summary(longbow, cluster, source, destination):
    objects = {f"{n:03}": content(1000 + n, n) for n in range(60)}
    source.fill(objects)
    sides = arguments(longbow, source, destination, cluster)
    batch = longbow("jobsender", *sides)
    sent, _ = figures(batch)
    assert sent[("JobsSent",)] == sent[("ObjectsToCopy",)] == sent[("pair-1", "JobsSent")] == 60
    assert sent[("BytesPlanned",)] == sum(map(len, objects.values()))
    assert (sent[("RunFailed",)], sent[("RunRefused",)]) == (0, 0) and sent[("RunSeconds",)] > 0
    refused, _ = figures(longbow("jobsender", *sides, expect=4))
    assert (refused[("RunRefused",)], refused[("RunFailed",)]) == (1, 0)
    dry, _ = figures(longbow("jobsender", *sides, "--dry-run"))
    assert not dry

    # One whose source is gone, one that is no job.
    source.delete("007")
    cluster.send("{}")
    run = longbow("worker", *sides, "--exit-when-empty", expect=1)
    got, lags = figures(run)
    summary = run.summary
    assert (summary["copied"], summary["failed"]) == (59, 1)
    for name, member in [
        ("ObjectsCopied", "copied"), ("ObjectsSkipped", "skipped"), ("ObjectsRemoved", "deleted"),
        ("ObjectsFailed", "failed"), ("BytesCompleted", "bytes_copied"), ("BytesUploaded", "bytes_sent"),
    ]:  # fmt: skip
        assert got[(name,)] == summary[member], name
        assert got[("pair-1", name)] == summary[member], name
    assert got[("BytesDownloaded",)] == summary["bytes_copied"]
    assert got[("permanent", "ObjectsFailed")] == 1
    assert (got[("JobsReceived",)], got[("JobsRefused",)]) == (61, 1)
    assert got[("Warnings",)] >= 1
    assert lags and all(0 <= lag < 600 for lag in lags)


def test_a_faulty_address_is_told(longbow, cluster, source, destination):
    sides = arguments(longbow, source, destination, cluster)
    for address in ("0.0.0.0:9600", "10.0.0.1:9600", "9600", "localhost"):
        run = longbow("worker", *sides, env={"LONGBOW_METRICS__LISTEN": address}, expect=2)
        assert "metrics.listen" in run.err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        run = longbow("worker", *sides, env={"LONGBOW_METRICS__LISTEN": address}, expect=2)
        assert address in run.err and "metrics.listen" in run.err


def test_the_server_tells_of_a_worker_at_work_and_while_it_drains(
    longbow, cluster, source, destination, make_proxy, store
):
    proxy = make_proxy(store)
    source.fill({f"{n}": content(200, n) for n in range(3)})
    flags = [*cluster.flags, "--method", "stream", "--json"]
    longbow("jobsender", *longbow.sides(source.at(), destination.at()), *flags)
    port = free_port()
    # Long enough for the drain to be seen.
    proxy.inject(Delay(3.0), where=lambda exchange: exchange.method == "PUT")
    sides = longbow.sides(source.at(), destination.at(via=proxy))
    worker = longbow.start("worker", *sides, *flags, env={"LONGBOW_METRICS__LISTEN": f"127.0.0.1:{port}"})
    wait_for(lambda: get(port, "/readyz") == (200, "ready\n"), "the worker is ready")
    assert get(port, "/healthz") == (200, "ok\n")
    wait_for(lambda: "longbow_objects_in_work{fleet=" in get(port, "/metrics")[1], "metrics are told")
    # Garbage harms nobody.
    with socket.create_connection(("127.0.0.1", port)) as garbage:
        garbage.sendall(b"\x16\x03\x01\x00\xff" * 1000)
    worker.process.terminate()
    wait_for(lambda: get(port, "/readyz")[0] in (503, 0), "it is not ready any more")
    assert longbow.judge(worker.wait(), 0).summary["failed"] == 0
    assert get(port, "/healthz") == (0, "")
