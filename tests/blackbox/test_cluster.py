"""A fleet: a jobsender, workers, SQS and DynamoDB (ministack), buckets on SeaweedFS. What is said of the end is read by boto3."""

import json
import os
import random
import signal
import time

import pytest

from faults import Delay
from fleet import arguments, event, wait_for
from stores import MIB, assert_same, content


@pytest.fixture
def store(request):
    """The buckets' store: SeaweedFS, or the one that a test names."""
    return request.getfixturevalue(getattr(request, "param", "seaweedfs"))


BOTH_STORES = pytest.mark.parametrize("store", ["seaweedfs", "ministack"], indirect=True)


def test_the_table_is_made_once_and_is_what_the_schema_says(longbow, cluster):
    again = longbow("state", "create-table", "--table", cluster.table)
    assert "was there already" in again.out
    schema = json.loads(longbow("state", "schema").out)
    made = cluster.dynamodb.describe_table(TableName=cluster.table)["Table"]
    keys = {key["KeyType"]: key["AttributeName"] for key in made["KeySchema"]}
    assert keys == {"HASH": schema["hash_key"], "RANGE": schema["range_key"]}
    attributes = {a["AttributeName"]: a["AttributeType"] for a in made["AttributeDefinitions"]}
    assert attributes == {a["name"]: a["type"] for a in schema["attribute"]}
    indexes = {index["IndexName"] for index in made["GlobalSecondaryIndexes"]}
    assert indexes == {index["name"] for index in schema["global_secondary_index"]}


@BOTH_STORES
def test_a_batch_is_sent_once_and_worked_off(longbow, cluster, source, destination):
    objects = {f"d/{n:03}": content(100 + n, n) for n in range(120)}
    source.fill(objects)
    source.put("elsewhere", b"not below the prefix")
    sides = [*longbow.sides(source.at("d"), destination.at("copy")), *cluster.flags, "--json"]
    report = longbow.home / "jobs.jsonl"
    sent = longbow("jobsender", *sides, "--report", report, report=report)
    assert sent.summary["jobs_sent"] == sent.summary["to_copy"]["objects"] == len(objects)
    assert {line["key"]: line["decision"] for line in sent.report} == {key: "copy" for key in objects}
    assert sum(cluster.depth()) == len(objects)

    # The last batch is unfinished: nothing is sent, and the exit code says why.
    refused = longbow("jobsender", *sides, expect=4)
    assert "unfinished batch" in refused.err and "--when-busy append" in refused.err
    assert sum(cluster.depth()) == len(objects)

    done = longbow("worker", *sides, "--exit-when-empty")
    assert (done.summary["copied"], done.summary["failed"]) == (len(objects), 0)
    assert_same(source, destination, "d/", "copy/")
    assert cluster.depth() == (0, 0, 0)
    assert cluster.records() == {key.removeprefix("d/"): "copied" for key in objects}

    # A trial message of S3 is no batch, and there is nothing left to do.
    cluster.send(json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": source.name}))
    again = longbow("jobsender", *sides)
    assert (again.summary["jobs_sent"], again.summary["skipped"]["objects"]) == (0, len(objects))
    assert cluster.depth() == (0, 0, 0)

    # Append sends what a changed object needs beside what waits.
    cluster.send("{}")
    source.put("d/000", b"changed")
    more = longbow("jobsender", *sides, "--when-busy", "append")
    assert more.summary["jobs_sent"] == 1
    longbow("worker", *sides, "--exit-when-empty")
    assert destination.get("copy/000") == b"changed"
    assert [letter["Body"] for letter in cluster.take(cluster.dead)] == ["{}"]


def test_a_second_jobsender_is_refused_while_one_runs(longbow, cluster, source, destination):
    source.fill({f"{n:04}": b"x" for n in range(1500)})
    sides = arguments(longbow, source, destination, cluster)
    first = longbow.start("jobsender", *sides)
    wait_for(lambda: any(i["pk"]["S"].startswith("l#") for i in cluster.items()), "the lock is taken")
    first.signal(signal.SIGSTOP)
    try:
        if first.process.poll() is None and not sum(cluster.depth()):
            second = longbow("jobsender", *sides, expect=4)
            assert "another jobsender works for this queue" in second.err
    finally:
        first.signal(signal.SIGCONT)
    assert longbow.judge(first.wait(), 0).summary["jobs_sent"] == 1500
    # The lock is given up at the end.
    refused = longbow("jobsender", *sides, expect=4)
    assert "unfinished batch" in refused.err


def test_dead_letters_keep_their_bytes_and_tell_their_reason(longbow, cluster, source, destination):
    sides = arguments(longbow, source, destination, cluster)
    source.put("a", b"a")
    longbow("jobsender", *sides)
    [job] = cluster.take(cluster.queue)
    # To a place that no route has, and no job at all.
    astray = job["Body"].replace('"destination":"a"', '"destination":"../../b"')
    assert astray != job["Body"]
    bodies = [astray, 'no job ✓ {"x":']
    cluster.send(*bodies)
    longbow("worker", *sides, "--exit-when-empty")
    assert destination.keys() == ["a"]
    assert cluster.depth() == (0, 0, 0)

    queue = ["--queue-url", cluster.queue]
    listed = longbow("dlq", "list", *queue, "--json")
    letters = {event["body"]: event for event in listed.events if event["event"] == "letter"}
    assert set(letters) == set(bodies)
    assert all(letter["reason"] for letter in letters.values())
    listed = longbow("dlq", "list", *queue, "--reason", "no longbow job")
    assert "1 dead letters shown" in listed.out

    one = longbow("dlq", "purge", *queue, "--reason", "no longbow job", "--json")
    assert (one.summary["done"], one.summary["left"]) == (1, 1)
    redriven = longbow("dlq", "redrive", *queue, "--json")
    assert (redriven.summary["done"], redriven.summary["left"]) == (1, 0)
    assert [message["Body"] for message in cluster.take(cluster.queue)] == [astray]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--table", "t"], "--queue-url"),
        (["--queue-url", "jobs.fifo", "--table", "t"], "FIFO"),
        (["--queue-url", "there-is-no-such-queue", "--table", "t"], "there-is-no-such-queue"),
        (["--queue-url", "QUEUE", "--table", "there-is-no-such-table"], "there-is-no-such-table"),
        (["--queue-url", "QUEUE"], "--table"),
    ],
)
def test_services_that_are_not_there_are_named(longbow, cluster, source, destination, flags, words):
    flags = [cluster.queue if flag == "QUEUE" else flag for flag in flags]
    for command in ("jobsender", "worker"):
        run = longbow(command, *longbow.sides(source.at(), destination.at()), *flags, expect=2)
        assert words in run.err, str(run)


def test_folders_are_for_one_machine(longbow, cluster, source, tmp_path):
    for command in ("jobsender", "worker"):
        run = longbow(command, source.at().uri, tmp_path / "folder", *cluster.flags, expect=2)
        assert "longbow sync" in run.err, str(run)


def test_sigterm_ends_a_worker_and_gives_its_jobs_back(longbow, cluster, source, destination, make_proxy):
    source.put_parts("large", content(60 * MIB), 5 * MIB)
    slow = make_proxy(destination.store)
    slow.limit_uploads(8 * MIB)
    sides = longbow.sides(source.at(), destination.at(via=slow)) + cluster.flags + ["--method", "stream", "--json"]
    longbow("jobsender", *sides)
    worker = longbow.start("worker", *sides, "--max-requests", "4", env={"LONGBOW_WORKER__VISIBILITY": "10m"})
    wait_for(lambda: any(e.answered for e in slow.requests("UploadPart")), "a part has arrived")
    worker.signal(signal.SIGTERM)
    ended = longbow.judge(worker.wait(), 0)
    assert ended.summary["stopped"] and ended.seconds < 20
    # Visible at once, not after ten minutes; another worker ends it.
    assert cluster.depth() == (1, 0, 0), str(ended)
    slow.limit_uploads(None)
    done = longbow("worker", *sides, "--exit-when-empty")
    assert done.summary["copied"] == 1 and done.summary["parts_reused"] > 0
    assert_same(source, destination)
    assert destination.uploads() == []


def test_events_copy_what_the_source_has_and_removals_follow_it_when_asked(longbow, cluster, source, destination):
    sides = arguments(longbow, source, destination, cluster)
    source.fill({"a b+c": b"one", "left out.tmp": b"two", "stays": b"three"})
    destination.fill({"gone": b"old", "stays": b"older"})
    cluster.send(
        json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": source.name}),
        event("ObjectCreated:Put", source.name, "a+b%2Bc", "0A", size=3),
        event("ObjectCreated:Put", source.name, "left+out.tmp", "0B"),
        event("ObjectRemoved:Delete", source.name, "gone", "0C"),
        # It came late: the source has the object again.
        event("ObjectRemoved:Delete", source.name, "stays", "0D"),
        event("ObjectTagging:Put", source.name, "stays", "0E"),
    )
    astray = event("ObjectCreated:Put", "somebody-elses-bucket", "a", "0F")
    cluster.send(astray)
    flags = ["--exclude", "*.tmp", "--exit-when-empty"]
    kept = longbow("worker", *sides, *flags)
    assert (kept.summary["copied"], kept.summary["deleted"]) == (1, 0)
    assert destination.get("a b+c") == b"one" and destination.keys() == ["a b+c", "gone", "stays"]
    assert [letter["Body"] for letter in cluster.take(cluster.dead, hidden=30)] == [astray]

    cluster.send(
        event("ObjectRemoved:Delete", source.name, "gone", "1C"),
        event("ObjectRemoved:Delete", source.name, "stays", "1D"),
    )
    followed = longbow("worker", *sides, *flags, "--propagate-deletes")
    assert followed.summary["deleted"] == 1
    assert destination.keys() == ["a b+c", "stays"] and destination.get("stays") == b"three"
    # An older creation brings nothing back.
    cluster.send(event("ObjectCreated:Put", source.name, "gone", "0A"))
    longbow("worker", *sides, *flags, "--propagate-deletes")
    assert destination.keys() == ["a b+c", "stays"]
    assert cluster.depth() == (0, 0, 0)


def test_an_idle_worker_ends_at_once_when_it_is_told(longbow, cluster, source, destination):
    """Within a second, where the machine has nothing else to do."""
    worker = longbow.start("worker", *arguments(longbow, source, destination, cluster))
    wait_for(lambda: "Works on" in worker.output or "progress" in worker.output, "it works")
    asked = time.monotonic()
    worker.signal(signal.SIGTERM)
    longbow.judge(worker.wait(), 0)
    is_busy = os.getloadavg()[0] > 2 * os.cpu_count()
    assert time.monotonic() - asked < (10 if is_busy else 1)


# As far as SeaweedFS keeps them.
ODD = ["+", "%41", "a b", "ü/é", "tab\tnew\nline", "a&b=c", "é"]


@BOTH_STORES
@pytest.mark.timeout(300)
def test_nothing_is_lost_when_workers_are_killed_and_stopped_and_messages_come_twice(
    longbow, cluster, source, destination
):
    chance = random.Random(os.environ.get("LONGBOW_TEST_SEED", "fleet"))
    objects = {f"{n % 7}/{n:05}": content(chance.choice([0, 1, 900, 16_000, 70_000]), n % 50) for n in range(1984)}
    objects |= {f"odd {n}/{key}": content(500, n) for n, key in enumerate(ODD)}
    source.fill(objects)
    large = {f"large/{n}": content(18 * MIB, n) for n in range(6)}
    for key, body in large.items():
        source.put_parts(key, body, 6 * MIB)
    sides = arguments(longbow, source, destination, cluster)
    sent = longbow("jobsender", *sides)
    total = len(objects) + len(large)
    assert sent.summary["jobs_sent"] == total

    # Every message comes a second time.
    taken = []
    while len(taken) < total:
        more = cluster.take(cluster.queue, hidden=240)
        assert more, f"only {len(taken)} messages can be received"
        taken += more
    for at in range(0, len(taken), 10):
        entries = [
            {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"], "VisibilityTimeout": 0}
            for n, message in enumerate(taken[at : at + 10])
        ]
        cluster.sqs.change_message_visibility_batch(QueueUrl=cluster.queue, Entries=entries)
    cluster.send(*[message["Body"] for message in taken])

    workers = [longbow.start("worker", *sides, "--exit-when-empty") for _ in range(3)]
    deadline = time.monotonic() + 240
    kills, frozen = 0, None
    while True:
        time.sleep(2)
        assert time.monotonic() < deadline, f"still {cluster.depth()} after {kills} kills"
        running = [worker for worker in workers if worker.process.poll() is None]
        if frozen and time.monotonic() - frozen[1] > 8:
            # Longer than the visibility: its jobs went to others, and it wakes up with them in its hands.
            frozen[0].signal(signal.SIGCONT)
            frozen = None
        if kills >= 5 or not running:
            break
        if frozen is None and kills == 1 and len(running) > 1:
            running[0].signal(signal.SIGSTOP)
            frozen = running[0], time.monotonic()
            running = running[1:]
        victim = chance.choice(running)
        if frozen and victim is frozen[0]:
            continue
        victim.kill()
        victim.process.wait()
        kills += 1
        workers.append(longbow.start("worker", *sides, "--exit-when-empty"))
    if frozen:
        frozen[0].signal(signal.SIGCONT)
    last = longbow.start("worker", *sides, "--exit-when-empty")
    for worker in [*workers, last]:
        if worker.process.poll() is None:
            longbow.judge(worker.wait(240), 0)
    assert kills >= 1, "nobody was killed: too fast"

    assert_same(source, destination)
    assert destination.uploads() == []
    assert cluster.depth() == (0, 0, 0)
    assert cluster.depth(cluster.dead) == (0, 0, 0)
    records = cluster.records()
    assert len(records) == total and set(records.values()) == {"copied"}
    # And the counts are exact, by object: nothing twice, nothing open.
    flags = [*longbow.sides(source.at(), destination.at()), *cluster.flags]
    [counted] = longbow("status", *flags, "--json").events[0]["transfers"]
    assert counted["planned"]["objects"] == total == counted["copied"]["objects"] + counted["skipped"]["objects"]
    assert counted["finished"] and counted["open_certainty"] == "exact"
    # And there is nothing left to do.
    assert longbow("jobsender", *sides).summary["jobs_sent"] == 0


@pytest.mark.parametrize("moment", ["the record is not written yet", "the message is not deleted yet"])
def test_killed_after_the_upload_is_complete_nothing_is_sent_again(
    longbow, cluster, source, destination, ministack, make_proxy, moment
):
    source.put_parts("large", content(18 * MIB, 1), 6 * MIB)
    source.put_parts("odd/+ é", content(17 * MIB, 2), 5 * MIB)
    from_source, to_destination, services = make_proxy(source.store), make_proxy(destination.store), make_proxy(ministack)
    sides = longbow.sides(source.at(via=from_source), destination.at(via=to_destination))
    through = [*sides, "--queue-url", cluster.queue.replace(ministack.url, services.url), "--table", cluster.table]
    through += ["--method", "stream", "--json"]
    environment = {"AWS_ENDPOINT_URL_SQS": services.url, "AWS_ENDPOINT_URL_DYNAMODB": services.url}
    assert longbow("jobsender", *through, env=environment).summary["jobs_sent"] == 2

    def all_complete():
        # Known before the client hears of it, so that what the client does next is held.
        return len([e for e in to_destination.requests("CompleteMultipartUpload") if e.status == 200]) == 2

    def is_late(exchange):
        target = exchange.headers.get("x-amz-target", "")
        if moment == "the message is not deleted yet":
            return "DeleteMessage" in target
        return "DynamoDB" in target and ("PutItem" in target or "UpdateItem" in target) and all_complete()

    held = services.inject(Delay(120), where=is_late)
    worker = longbow.start("worker", *through, env=environment)
    wait_for(lambda: all_complete() and held.hits > 0, "both uploads are complete")
    worker.kill()
    worker.process.wait()
    for proxy in (from_source, to_destination, services):
        proxy.calm()

    done = longbow("worker", *through, "--exit-when-empty", env=environment)
    assert (done.summary["failed"], done.summary["bytes_sent"]) == (0, 0)
    assert sum(e.received for e in to_destination.requests("PutObject", "UploadPart")) == 0
    assert sum(e.sent for e in from_source.requests("GetObject")) == 0
    assert_same(source, destination)
    assert destination.uploads() == [] and cluster.depth() == (0, 0, 0)
    assert cluster.records() == {"large": "copied", "odd/+ é": "copied"}
