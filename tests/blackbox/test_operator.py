"""The commands of who looks after a fleet: what they say is held against what boto3 reads of queue, table and buckets."""

import collections
import csv
import io
import json
import re

import boto3
import pytest

from chaos import Proxy
from faults import Refuse, Reply
from fleet import arguments, event
from stores import MIB, content


@pytest.fixture
def store(seaweedfs):
    """The buckets' store."""
    return seaweedfs


def status(longbow, sides, *flags, **options):
    """The one object that `longbow status --json` prints."""
    run = longbow("status", *sides, *flags, **options)
    [found] = run.events
    assert found["event"] == "status"
    return found


def operator_flags(longbow, source, destination, cluster):
    """The flags of these commands."""
    return [*longbow.sides(source.at(), destination.at()), *cluster.flags, "--json"]


def borrow(cluster, most):
    """Bodies of so many different messages, which are visible again."""
    taken = []
    while len(taken) < most:
        more = cluster.take(cluster.queue, hidden=120)
        assert more, f"only {len(taken)} messages can be received"
        taken += more
    for message in taken:
        cluster.sqs.change_message_visibility(
            QueueUrl=cluster.queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0
        )
    return [message["Body"] for message in taken]


def adds_up(transfer):
    """What was planned is the sum of the rest, in objects and in bytes."""
    parts = [transfer[name] for name in ("copied", "skipped", "failed", "open")]
    objects = sum(part["objects"] for part in parts) + transfer["removed"]
    assert objects == transfer["planned"]["objects"], transfer
    assert sum(part["bytes"] for part in parts) == transfer["planned"]["bytes"], transfer


def table_counts(cluster, transfer):
    """State → unique objects of a transfer, as boto3 reads the table."""
    found = collections.Counter()
    for item in cluster.items():
        if item["pk"]["S"].startswith("o#") and item.get("transfer", {}).get("S") == transfer:
            found["skipped" if "found" in item else item["state"]["S"]] += 1
    return found


@pytest.mark.timeout(180)
def test_counts_are_exact_by_unique_object_with_duplicates_failures_and_what_was_there(
    longbow, cluster, source, destination
):
    objects = {f"d/{n:03}": content(100 + n, n) for n in range(150)}
    source.fill(objects)
    flags = operator_flags(longbow, source, destination, cluster)
    before = status(longbow, flags)
    assert before["transfers"] == [] and before["queue"]["visible"] == 0

    sent = longbow("jobsender", *arguments(longbow, source, destination, cluster))
    transfer = sent.summary["transfer"]
    size = sum(map(len, objects.values()))
    found = status(longbow, flags)
    [planned] = found["transfers"]
    assert planned["transfer"] == transfer and planned["complete"] and planned["error"] is None
    assert planned["planned"] == planned["open"] == {"objects": len(objects), "bytes": size}
    assert (planned["open_certainty"], planned["finished"]) == ("exact", False)
    waiting = sum(found["queue"][name] for name in ("visible", "in_flight", "delayed"))
    assert waiting == sum(cluster.depth()) == len(objects)
    adds_up(planned)

    # A hundred messages come again, one of them often; seven objects go; some are there before their job.
    bodies = borrow(cluster, 100)
    cluster.send(*bodies, *[bodies[0]] * 5)
    gone = sorted(objects)[10:17]
    source.delete(*gone)
    # Of jobs that come for the first time: what a second delivery finds may be its own.
    first_time = objects.keys() - gone - {json.loads(body)["copy"]["source"] for body in bodies}
    there = sorted(first_time)[:5]
    destination.fill({key: objects[key] for key in there})

    worked = longbow("worker", *arguments(longbow, source, destination, cluster), "--exit-when-empty", expect=1)
    # The worker tells of each attempt; the counts of the transfer are by object.
    assert worked.summary["failed"] >= len(gone)
    [done] = status(longbow, flags)["transfers"]
    adds_up(done)
    assert done["finished"] and done["open"]["objects"] == done["in_work"] == done["removed"] == 0
    assert done["failed"]["objects"] == len(gone)
    [cause] = done["failed"]["by_cause"]
    assert (cause["cause"], cause["objects"], cause["example"]) == ("permanent", len(gone), gone[0])
    assert "gone" in cause["reason"]
    # By boto3: what the table and the bucket hold.
    counts = table_counts(cluster, transfer)
    assert counts == {
        "copied": done["copied"]["objects"], "skipped": done["skipped"]["objects"], "failed": len(gone),
    }  # fmt: skip
    assert done["skipped"]["objects"] == len(there)
    assert done["copied"]["objects"] + len(there) == len(destination.keys()) == len(objects) - len(gone)
    assert done["copied"]["bytes"] + done["skipped"]["bytes"] == sum(
        line["Size"] for line in destination.listing().values()
    )
    assert done["bytes_per_second"] > 0 and done["done_at"] is None

    # Duplicates that come after the end count nothing and cost no write.
    writes = {item["sk"]["S"]: item["write"]["S"] for item in cluster.items() if item["pk"]["S"].startswith("o#")}
    cluster.send(*bodies[:20])
    longbow("worker", *arguments(longbow, source, destination, cluster), "--exit-when-empty", expect=None)
    after = {item["sk"]["S"]: item["write"]["S"] for item in cluster.items() if item["pk"]["S"].startswith("o#")}
    # What failed is tried again by a message that comes again.
    changed = {key for key in after if after[key] != writes[key]}
    assert changed <= set(gone)
    [again] = status(longbow, flags)["transfers"]
    assert {name: again[name] for name in ("copied", "skipped", "failed")} == {
        name: done[name] for name in ("copied", "skipped", "failed")
    }

    text = longbow("status", *flags[:-1]).out
    assert transfer in text and "failed, permanent: 7, such as d/010" in text
    assert re.search(r"planned +150 ", text) and "dead letters" in text

    quick = status(longbow, flags, "--quick")
    [plan] = quick["transfers"]
    assert plan["planned"]["objects"] == len(objects) and "copied" not in plan


def test_a_later_transfer_counts_what_it_planned_and_the_earlier_one_says_so(
    longbow, cluster, source, destination
):
    source.fill({f"{n}": b"one" for n in range(6)})
    sides = arguments(longbow, source, destination, cluster)
    flags = operator_flags(longbow, source, destination, cluster)
    first = longbow("jobsender", *sides).summary["transfer"]
    # A second run before the first was worked off: every object is planned twice.
    second = longbow("jobsender", *sides, "--when-busy", "append").summary["transfer"]
    longbow("worker", *sides, "--exit-when-empty")
    latest, earlier = status(longbow, flags)["transfers"]
    assert (latest["transfer"], earlier["transfer"]) == (second, first)
    for transfer in (latest, earlier):
        adds_up(transfer)
    # An object counts once: with the run that asked for it last and was answered.
    settled = [t["copied"]["objects"] + t["skipped"]["objects"] for t in (latest, earlier)]
    assert sum(settled) == 6
    assert (latest["open_certainty"], earlier["open_certainty"]) == ("exact", "at-most")
    assert [status(longbow, flags, "--transfer", first)["transfers"][0]["transfer"]] == [first]
    assert status(longbow, flags, "--last", "1")["transfers"][0]["transfer"] == second


def test_what_the_jobsender_itself_removes_is_noted_with_its_run(
    longbow, cluster, source, destination
):
    source.put("kept", b"x")
    destination.fill({"kept": b"x", "extra 1": b"y", "extra 2": b"z"})
    longbow("jobsender", *arguments(longbow, source, destination, cluster), "--propagate-deletes")
    [transfer] = status(longbow, operator_flags(longbow, source, destination, cluster))["transfers"]
    assert destination.keys() == ["kept"]
    assert (transfer["removed_by_jobsender"], transfer["removed"], transfer["planned"]["objects"]) == (2, 0, 0)
    assert transfer["unchanged"] == {"objects": 1, "bytes": 1} and transfer["finished"]


def test_a_jobsender_that_is_refused_or_only_looks_leaves_no_note(
    longbow, cluster, source, destination
):
    source.fill({f"{n}": b"x" for n in range(3)})
    sides = arguments(longbow, source, destination, cluster)
    longbow("jobsender", *sides)
    longbow("jobsender", *sides, expect=4)
    longbow("jobsender", *sides, "--dry-run")
    assert len(status(longbow, operator_flags(longbow, source, destination, cluster))["transfers"]) == 1


def test_events_are_counted_apart_and_take_nothing_from_a_transfer(
    longbow, cluster, source, destination
):
    source.fill({"planned": b"one", "by event": b"two"})
    sides = arguments(longbow, source, destination, cluster)
    flags = operator_flags(longbow, source, destination, cluster)
    longbow("jobsender", *sides, "--exclude", "by*")
    cluster.send(event("ObjectCreated:Put", source.name, "by+event", "0A", size=3))
    longbow("worker", *sides, "--exit-when-empty")
    source.put("planned", b"newer")
    cluster.send(event("ObjectCreated:Put", source.name, "planned", "0B", size=5))
    longbow("worker", *sides, "--exit-when-empty")
    found = status(longbow, flags)
    [transfer] = found["transfers"]
    adds_up({**transfer, "planned": {"objects": 1, "bytes": 5}})
    assert transfer["copied"] == {"objects": 1, "bytes": 5}
    [rest] = found["routes"]
    assert (rest["unplanned"]["objects"], rest["unplanned"]["copied"]) == (1, 1)
    assert rest["other_transfers"]["objects"] == 0


ODD = ["=1+1", 'quote " and, comma', "line\nbreak", "tab\t", " blank ", "ü/é", "%41", "+", "plain"]


def test_a_report_has_every_object_once_in_order_and_every_byte_of_its_key(
    longbow, cluster, ministack, make_bucket
):
    source, destination = make_bucket(ministack, "source"), make_bucket(ministack, "destination")
    source.fill({f"p/{key}": b"x" * n for n, key in enumerate(ODD)})
    sides = [*longbow.sides(source.at("p"), destination.at("q")), *cluster.flags]
    transfer = longbow("jobsender", *sides, "--json").summary["transfer"]
    source.delete("p/plain")
    longbow("worker", *sides, "--exit-when-empty", expect=1)

    run = longbow("report", transfer, *sides)
    rows = list(csv.DictReader(io.StringIO(run.out, newline="")))
    expected = sorted((f"p/{key}" for key in ODD), key=str.encode)
    assert [row["key"] for row in rows] == expected
    assert [row["destination_key"] for row in rows] == [f"q/{key[2:]}" for key in expected]
    states = {row["key"]: row["state"] for row in rows}
    assert states.pop("p/plain") == "failed" and set(states.values()) == {"copied"}
    [failed] = [row for row in rows if row["state"] == "failed"]
    assert failed["class"] == "permanent" and "NoSuchKey" in failed["reason"] and failed["transfer"] == transfer
    assert f"{len(ODD)} objects listed" in run.err

    file = longbow.home / "list.jsonl"
    longbow("report", "all", *sides, "--format", "jsonl", "--output", file)
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["key"] for line in lines] == expected
    listing = destination.listing()
    for line in lines:
        if line["state"] == "copied":
            held = listing[line["destination_key"]]
            assert (line["size"], line["destination_etag"]) == (held["Size"], held["ETag"].strip('"'))
    missing = longbow("report", "20200101T000000000Z-1", *sides, expect=2)
    assert "there is no transfer" in missing.err


def test_an_object_is_shown_with_its_record_both_sides_and_its_dead_letters(
    longbow, cluster, source, destination
):
    source.fill({"in/a b": b"hello", "in/gone": b"x"})
    sides = [*longbow.sides(source.at("in"), destination.at("out")), *cluster.flags]
    transfer = longbow("jobsender", *sides, "--json").summary["transfer"]
    source.delete("in/gone")
    longbow("worker", *sides, "--exit-when-empty", expect=1)
    cluster.sqs.send_message(
        QueueUrl=cluster.dead, MessageBody=event("ObjectCreated:Put", source.name, "in/a+b", "0A"),
        MessageAttributes={"longbow.reason": {"DataType": "String", "StringValue": "a reason"}},
    )  # fmt: skip

    [shown] = longbow("jobs", "show", "in/a b", *sides, "--json", "--dead-letters").events
    record = shown["record"]
    assert (record["stands"], record["transfer"], shown["destination_key"]) == ("copied", transfer, "out/a b")
    for side, bucket, key in (("source", source, "in/a b"), ("destination", destination, "out/a b")):
        head = bucket.head(key)
        assert (shown[side]["size"], shown[side]["etag"]) == (head["ContentLength"], head["ETag"].strip('"'))
    assert [letter["reason"] for letter in shown["dead_letters"]] == ["a reason"]
    assert cluster.depth(cluster.dead)[0] == 1, "the letter was put back"

    text = longbow("jobs", "show", f"s3://{source.name}/in/gone", *sides).out
    assert "failed since" in text and "given up, permanent" in text and text.count("no such object") == 2
    unknown = longbow("jobs", "show", "in/never", *sides).out
    assert "record: none" in unknown
    outside = longbow("jobs", "show", "elsewhere", *sides, expect=2)
    assert "no route takes the key" in outside.err


def test_an_object_in_work_shows_its_upload_and_its_parts(
    longbow, cluster, source, destination, make_proxy
):
    source.put_parts("large", content(20 * MIB), 5 * MIB)
    slow = make_proxy(destination.store)
    slow.limit_uploads(8 * MIB)
    sides = [*longbow.sides(source.at(), destination.at(via=slow)), *cluster.flags]
    direct = [*longbow.sides(source.at(), destination.at()), *cluster.flags, "--json"]
    longbow("jobsender", *direct)
    worker = longbow.start("worker", *sides, "--method", "stream", "--max-requests", "2", "--json")
    try:
        # The state is the route's by its endpoints: the look goes by the same way.
        deadline = 200
        while deadline:
            [shown] = longbow("jobs", "show", "large", *sides, "--json").events
            record = shown["record"]
            if record and record.get("parts", {}).get("count"):
                break
            assert worker.process.poll() is None, str(worker.wait())
            deadline -= 1
        assert record["stands"] == "copying" and record["parts"]["bytes"] % (5 * MIB) == 0
        assert shown["source"]["size"] == 20 * MIB and shown["destination"] is None
    finally:
        worker.kill()
        worker.process.wait()


def test_several_routes_are_looked_after_together_and_one_by_one(
    longbow, cluster, store, source, destination, make_bucket
):
    second = make_bucket(store, "second")
    source.fill({f"a/{n}": b"x" * 10 for n in range(5)} | {f"b/{n}": b"y" for n in range(3)})
    config = longbow.home / "fleet.toml"
    config.write_text(
        f"""
        [source]
        endpoint_url = "{store.url}"
        [destination]
        endpoint_url = "{store.url}"
        [routes.all]
        from = "s3://{source.name}"
        to = "s3://{destination.name}/copy"
        [routes.part]
        from = "s3://{source.name}/a"
        to = "s3://{second.name}"
        """
    )
    flags = ["--config", config, *cluster.flags, "--json"]
    transfer = longbow("jobsender", *flags).summary["transfer"]
    longbow("worker", *flags, "--exit-when-empty")
    found = {t["route"]: t for t in status(longbow, flags)["transfers"]}
    assert {name: t["copied"]["objects"] for name, t in found.items()} == {"all": 8, "part": 5}
    for one in found.values():
        adds_up(one)
        assert one["transfer"] == transfer and one["finished"]
    [part] = status(longbow, flags, "--route", "part")["transfers"]
    assert part["copied"] == {"objects": 5, "bytes": 50}

    shown = longbow("jobs", "show", "a/3", *flags).events
    assert {(o["route"], o["destination_key"]) for o in shown} == {("all", "copy/a/3"), ("part", "3")}
    assert [o["route"] for o in longbow("jobs", "show", "b/1", *flags).events] == ["all"]
    rows = longbow("report", transfer, *flags).events
    assert collections.Counter(row["route"] for row in rows) == {"all": 8, "part": 5}
    lines, _ = rights(longbow, flags)
    listed = {line["on"] for line in lines if line["action"] == "s3:ListBucket"}
    assert len(listed) == 4 and all(line["finding"] in ("ok", "not-tried") for line in lines)


# Doctor.


def rights(longbow, sides, *flags, expect=0, **options):
    """(action, thing's kind) → finding, and the summary."""
    run = longbow("doctor", *sides, *flags, expect=expect, **options)
    return [line for line in run.events if line["event"] == "right"], run.summary


def test_with_every_right_the_doctor_is_content_and_leaves_no_trace(
    longbow, cluster, source, destination
):
    source.put("a", b"a")
    flags = operator_flags(longbow, source, destination, cluster)
    items = len(cluster.items())
    lines, summary = rights(longbow, flags)
    assert (summary["missing"], summary["wrong"], summary["unclear"]) == (0, 0, 0), lines
    tried = {line["action"] for line in lines if line["finding"] == "ok"}
    assert tried >= {
        "sqs:GetQueueAttributes", "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query",
        "dynamodb:PutItem", "dynamodb:UpdateItem", "dynamodb:DeleteItem", "dynamodb:BatchWriteItem", "s3:ListBucket", "s3:GetObject",
        "s3:GetObjectTagging", "s3:ListBucketMultipartUploads", "clock",
    }  # fmt: skip
    assert {line["action"] for line in lines if line["finding"] == "not-tried"} >= {"sqs:SendMessage", "s3:PutObject"}
    assert cluster.depth() == cluster.depth(cluster.dead) == (0, 0, 0)
    assert destination.keys() == [] and destination.uploads() == [] and len(cluster.items()) == items

    lines, summary = rights(longbow, flags, "--write")
    found = {line["action"]: line["finding"] for line in lines if cluster.dead not in line["on"]}
    for action in (
        "sqs:SendMessage", "sqs:ReceiveMessage", "sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "s3:PutObject",
        "s3:PutObjectTagging", "s3:ListMultipartUploadParts", "s3:AbortMultipartUpload",
    ):  # fmt: skip
        assert found[action] == "ok", (action, lines)
    assert cluster.depth() == (0, 0, 0) and destination.keys() == [] and destination.uploads() == []
    text = longbow("doctor", *flags[:-1]).out
    assert "0 missing" in text and "ok" in text


class Deny(Refuse):
    """What an identity without a right gets from DynamoDB, SQS and SSM."""

    def before(self, exchange, proxy):
        body = json.dumps({"__type": "AccessDeniedException", "message": "User is not authorized to perform it"})
        return Reply(400, body.encode(), (("Content-Type", "application/x-amz-json-1.0"),))


def target(name):
    """A condition: the call of this name."""
    return lambda exchange: exchange.headers.get("x-amz-target", "").endswith(f".{name}")


@pytest.mark.parametrize(
    ("call", "action"),
    [
        ("DescribeTable", "dynamodb:DescribeTable"),
        ("GetItem", "dynamodb:GetItem"),
        ("BatchGetItem", "dynamodb:BatchGetItem"),
        ("Query", "dynamodb:Query"),
        ("PutItem", "dynamodb:PutItem"),
        ("UpdateItem", "dynamodb:UpdateItem"),
        ("DeleteItem", "dynamodb:DeleteItem"),
        ("BatchWriteItem", "dynamodb:BatchWriteItem"),
        ("GetQueueAttributes", "sqs:GetQueueAttributes"),
        ("SendMessage", "sqs:SendMessage"),
        ("ReceiveMessage", "sqs:ReceiveMessage"),
        ("DeleteMessage", "sqs:DeleteMessage"),
        ("ChangeMessageVisibility", "sqs:ChangeMessageVisibility"),
    ],
)
def test_a_refused_right_of_a_service_is_named(longbow, cluster, source, destination, call, action):
    proxy = Proxy(cluster.url)
    try:
        proxy.inject(Deny(400, "AccessDeniedException"), where=target(call))
        via = {"AWS_ENDPOINT_URL_SQS": proxy.url, "AWS_ENDPOINT_URL_DYNAMODB": proxy.url}
        flags = operator_flags(longbow, source, destination, cluster)
        lines, summary = rights(longbow, flags, "--write", expect=2, env=via)
    finally:
        proxy.close()
    missing = {line["action"] for line in lines if line["finding"] == "missing"}
    assert missing == {action}, lines
    words = [line["words"] for line in lines if line["finding"] == "missing"]
    assert all(action in text for text in words) and summary["exit"] == 2


@pytest.mark.parametrize(
    ("operation", "side", "action"),
    [
        ("ListObjectsV2", "source", "s3:ListBucket"),
        ("GetObject", "source", "s3:GetObject"),
        ("GetObjectTagging", "source", "s3:GetObjectTagging"),
        ("HeadObject", "destination", "s3:GetObject"),
        ("ListMultipartUploads", "destination", "s3:ListBucketMultipartUploads"),
        ("CreateMultipartUpload", "destination", "s3:PutObject"),
        ("ListParts", "destination", "s3:ListMultipartUploadParts"),
        ("AbortMultipartUpload", "destination", "s3:AbortMultipartUpload"),
    ],
)
def test_a_refused_right_of_a_bucket_is_named(
    longbow, cluster, source, destination, make_proxy, operation, side, action
):
    source.put("a", b"a")
    destination.put("b", b"b")
    proxy = make_proxy(source.store)
    proxy.inject(Refuse(403, "AccessDenied"), operation)
    ends = [source.at(via=proxy if side == "source" else None), destination.at(via=proxy if side == "destination" else None)]
    flags = [*longbow.sides(*ends), *cluster.flags, "--json"]
    lines, _ = rights(longbow, flags, "--write", expect=2)
    missing = {line["action"] for line in lines if line["finding"] == "missing"}
    expected = {action, "s3:PutObjectTagging"} if operation == "CreateMultipartUpload" else {action}
    assert missing == expected, lines
    if operation == "AbortMultipartUpload":
        proxy.calm()
        for upload in destination.client.list_multipart_uploads(Bucket=destination.name).get("Uploads", []):
            destination.client.abort_multipart_upload(
                Bucket=destination.name, Key=upload["Key"], UploadId=upload["UploadId"]
            )


@pytest.mark.parametrize("refused", [False, True])
def test_parameters_are_tried_too(longbow, cluster, source, destination, refused):
    pair = {"src_bucket": source.name, "src_prefix": "", "des_bucket": destination.name, "des_prefix": ""}
    ssm = boto3.client(
        "ssm", endpoint_url=cluster.url, region_name="us-east-1", aws_access_key_id=source.store.access_key,
        aws_secret_access_key=source.store.secret_key,
    )  # fmt: skip
    name = f"routes-{cluster.table}"
    ssm.put_parameter(Name=name, Value=json.dumps([pair]), Type="String")
    proxy = Proxy(cluster.url)
    try:
        if refused:
            proxy.inject(Deny(400, "AccessDeniedException"), where=target("GetParameters"))
        flags = [*longbow.sides(source.at(), destination.at())[2:], *cluster.flags, "--routes-parameter", name, "--json"]
        via = {"AWS_ENDPOINT_URL_SSM": proxy.url}
        lines, _ = rights(longbow, flags, expect=2 if refused else 0, env=via)
    finally:
        proxy.close()
    found = {line["action"]: line for line in lines}
    assert found["ssm:GetParameters"]["finding"] == ("missing" if refused else "ok"), lines
    assert name in found["ssm:GetParameters"]["on"]
    # The pairs of Longbow are routes: their buckets are looked at when they can be read.
    assert ("s3:ListBucket" in found) is not refused


def test_what_is_not_there_is_a_line_and_not_the_end(longbow, cluster, source, make_bucket, destination):
    sides = longbow.sides(source.at(), destination.at())
    lines, summary = rights(
        longbow, [*sides, "--queue-url", "there-is-no-such-queue", "--table", "no-such-table", "--json"], expect=2
    )
    wrong = [line for line in lines if line["finding"] == "wrong"]
    assert any("there-is-no-such-queue" in line["on"] for line in wrong)
    assert any("no-such-table" in line["on"] for line in wrong)
    # The buckets are looked at all the same.
    assert any(line["action"] == "s3:ListBucket" and line["finding"] == "ok" for line in lines)
    assert summary["wrong"] == len(wrong)


def test_commands_without_a_route_say_what_is_missing(longbow, cluster):
    for command in (["status"], ["doctor"], ["report", "all"], ["jobs", "show", "k"]):
        run = longbow(*command, *cluster.flags, expect=2)
        assert "SOURCE" in run.err + run.out, str(run)
