"""Logs of the real binary: one JSON object a line, one line an object, in UTC, and no secret in any."""

import json
from datetime import datetime, timedelta, timezone

from program import CANARY

MIB = 1 << 20


def records(run):
    """Every line of standard error, each a JSON object with what every line has."""
    found = []
    for line in run.err.splitlines():
        record = json.loads(line)
        assert {"timestamp", "level", "target", "message"} <= record.keys(), line
        assert all(isinstance(value, (str, int, float, bool)) for value in record.values()), line
        found.append(record)
    return found


def test_lbb_46_lbb_50_one_line_an_object_and_all_of_it_json_in_utc(ministack, make_bucket, longbow):
    source, destination = make_bucket(ministack), make_bucket(ministack)
    objects = {"a\nb \"c\"": b"x" * 1000, "big": b"y" * (12 * MIB), "empty": b""}
    source.fill({key: body for key, body in objects.items() if key != "big"})
    source.put_parts("big", objects["big"], part_size=5 * MIB)
    arguments = ["--log-format", "json", "--method", "stream", "--part-size", "5MiB"]
    run = longbow.sync(source.at(), destination.at(), *arguments, env={"TZ": "Asia/Tokyo"})
    lines = [record for record in records(run) if record["target"] == "longbow::object"]
    assert sorted(line["object.key"] for line in lines) == sorted(objects), run
    now = datetime.now(timezone.utc)
    for line in lines:
        assert line["outcome"] == "copied" and line["level"] == "INFO"
        assert line["object.size"] == len(objects[line["object.key"]])
        assert line["transfer.id"]
        time = datetime.strptime(line["timestamp"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
        assert abs(now - time) < timedelta(minutes=5), line
    big = next(line for line in lines if line["object.key"] == "big")
    assert big["copy.parts"] == 3 and big["copy.bytes_sent"] == 12 * MIB


def test_failures_and_the_end_are_records_too(ministack, make_bucket, longbow):
    source, destination = make_bucket(ministack), make_bucket(ministack)
    source.put("k", b"x")
    there = [*longbow.sides(source.at(), destination.at("none")), "--log-format", "json"]
    there[1] = "s3://there-is-no-such-bucket-here"
    run = longbow("sync", *there, expect=None)
    assert run.code != 0
    told = records(run)
    assert any("there-is-no-such-bucket-here" in record["message"] for record in told), run


def test_the_environment_asks_for_json_and_the_flag_wins(ministack, make_bucket, longbow):
    source, destination = make_bucket(ministack), make_bucket(ministack)
    source.put("k", b"x")
    env = {"LONGBOW_LOG_FORMAT": "json", "LONGBOW_LOG": "longbow=debug"}
    run = longbow.sync(source.at(), destination.at(), env=env)
    assert [r["object.key"] for r in records(run) if r["target"] == "longbow::object"] == ["k"], run
    assert CANARY not in run.err
    source.put("l", b"x")
    run = longbow.sync(source.at(), destination.at(), "-v", "--log-format", "text", env={"LONGBOW_LOG_FORMAT": "json"})
    line = next(line for line in run.err.splitlines() if "longbow::object" in line)
    assert "object settled" in line and 'object.key="l"' in line and not line.startswith("{")
