"""How a worker ends on EC2: Spot notices, recommendations and the end of the instance, and who is told."""

import json
import os
import random
import signal
import time

import pytest

from ec2 import INSTANCE, LIFECYCLE, REBALANCE, SPOT, Ec2
from faults import Delay
from fleet import wait_for
from stores import MIB, assert_same, content


@pytest.fixture
def store(seaweedfs):
    """The buckets' store."""
    return seaweedfs


@pytest.fixture
def ec2():
    """An instance's surroundings."""
    ec2 = Ec2()
    yield ec2
    ec2.close()


@pytest.mark.parametrize(
    ("document", "text", "words"),
    [
        (SPOT, json.dumps({"action": "terminate", "time": "2026-01-02T03:04:05Z"}), "Spot interruption"),
        (REBALANCE, json.dumps({"noticeTime": "2026-01-02T03:04:05Z"}), "rebalance"),
        (LIFECYCLE, "Terminated", "end of the instance"),
    ],
)
def test_a_notice_hands_jobs_back_and_the_group_is_told(
    longbow, cluster, source, destination, make_proxy, ec2, document, text, words
):
    source.put_parts("large", content(60 * MIB), 5 * MIB)
    slow = make_proxy(destination.store)
    slow.limit_uploads(4 * MIB)
    sides = longbow.sides(source.at(), destination.at(via=slow)) + cluster.flags + ["--method", "stream", "--json"]
    longbow("jobsender", *sides)
    environment = {**ec2.environment, "LONGBOW_WORKER__VISIBILITY": "10m", "LONGBOW_CLUSTER__DRAIN_WITHIN": "1s"}
    worker = longbow.start("worker", *sides, "--max-requests", "4", env=environment)
    wait_for(lambda: any(e.answered for e in slow.requests("UploadPart")), "a part has arrived")
    assert ec2.calls == []
    ec2.documents[document] = text
    ended = longbow.judge(worker.wait(), 0)
    assert ended.summary["stopped"] and words in ended.out + ended.err, str(ended)
    # Visible at once; the group need not wait for its time-out.
    assert cluster.depth() == (1, 0, 0), str(ended)
    [call] = ec2.calls
    assert call == {
        "Action": "CompleteLifecycleAction", "Version": "2011-01-01", "AutoScalingGroupName": "workers",
        "InstanceId": INSTANCE, "LifecycleHookName": "drain", "LifecycleActionResult": "CONTINUE",
    }  # fmt: skip

    slow.limit_uploads(None)
    done = longbow("worker", *sides, "--exit-when-empty")
    assert done.summary["copied"] == 1 and done.summary["parts_reused"] > 0
    assert_same(source, destination)
    assert destination.uploads() == []


def test_sigterm_at_any_moment_hands_everything_back(longbow, cluster, source, destination, make_proxy):
    """While it starts, receives, looks, copies parts and wholes, or ends: soon, and nothing stays hidden in the queue."""
    seed = os.environ.get("LONGBOW_TEST_SEED", "endings")
    chance = random.Random(seed)
    source.fill({f"k{n:03}": content(3_000 * n, n) for n in range(80)})
    for n in range(4):
        source.put_parts(f"large/{n}", content(11 * MIB, n), 5 * MIB)
    slow = make_proxy(destination.store)
    slow.limit_uploads(6 * MIB)
    sides = longbow.sides(source.at(), destination.at(via=slow)) + cluster.flags + ["--method", "stream", "--json"]
    longbow("jobsender", *sides)
    environment = {"LONGBOW_WORKER__VISIBILITY": "10m", "LONGBOW_CLUSTER__DRAIN_WITHIN": "1s"}
    for _ in range(8):
        worker = longbow.start("worker", *sides, "--max-requests", "6", env=environment)
        time.sleep(chance.uniform(0, 2.5))
        asked = time.monotonic()
        worker.signal(signal.SIGTERM)
        ended = worker.wait()
        # Before it listens to signals it has nothing in its hands.
        assert ended.code == 0 or (ended.code == -signal.SIGTERM and "Works on" not in ended.out), str(ended)
        assert time.monotonic() - asked < 20, f"seed {seed}: {ended}"
        if ended.code == 0:
            longbow.judge(ended, 0)
        visible, hidden, delayed = cluster.depth()
        assert (hidden, delayed) == (0, 0), f"seed {seed}: {visible, hidden, delayed}\n{ended}"
    slow.limit_uploads(None)
    assert longbow("worker", *sides, "--exit-when-empty").summary["failed"] == 0
    assert_same(source, destination)
    assert destination.uploads() == [] and cluster.depth() == (0, 0, 0) and cluster.depth(cluster.dead) == (0, 0, 0)


def test_a_signal_tells_no_group(longbow, cluster, source, destination, ec2):
    sides = longbow.sides(source.at(), destination.at()) + cluster.flags + ["--json"]
    worker = longbow.start("worker", *sides, env=ec2.environment)
    wait_for(lambda: LIFECYCLE in ec2.asked, "notices are looked for")
    worker.signal(15)
    longbow.judge(worker.wait(), 0)
    assert ec2.calls == []


def test_a_jobsender_that_is_stopped_ends_at_once_and_leaves_nothing_behind(
    longbow, cluster, source, destination, make_proxy
):
    source.fill({f"{n:03}": b"x" for n in range(30)})
    proxy = make_proxy(source.store)

    def locked():
        return any(item["pk"]["S"].startswith("l#") for item in cluster.items())

    # The comparison's own listing hangs; what opens the stores before it does not.
    held = proxy.inject(Delay(120), where=lambda exchange: "list-type" in exchange.target and locked())
    sides = longbow.sides(source.at(via=proxy), destination.at()) + cluster.flags + ["--json"]
    jobsender = longbow.start("jobsender", *sides)
    wait_for(lambda: held.hits, "the listing hangs")
    told = time.monotonic()
    jobsender.signal(15)
    ended = longbow.judge(jobsender.wait(30), 143)
    assert time.monotonic() - told < 10, str(ended)
    assert (ended.summary["stopped"], ended.summary["jobs_sent"]) == (True, 0)
    # The lock is given up: the next one does the whole of it.
    proxy.calm()
    assert longbow("jobsender", *sides).summary["jobs_sent"] == 30
