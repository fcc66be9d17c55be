"""Least privilege over all tests of this folder: what worker, jobsender and the operator's commands have asked for is in
docs/PERMISSIONS.md, to which the policies of deploy/ are held.

It comes last (conftest.py). What is seen: every call to ministack, that is every call to queue, table and parameters and those to its
buckets, and every call through a proxy. Not seen: calls to SeaweedFS that no proxy stands before.
"""

import json
import urllib.request

import pytest

import rights


# What the deployment's settings do away with: it names both queues by URL, tests also by name and by redrive policy.
# `jobs show` also looks at the two objects, where the person may: whoever looks after a fleet need not be able to read its data.
OTHERWISE = {("worker", "sqs:GetQueueUrl"), ("jobsender", "sqs:GetQueueUrl"), ("jobs", "s3:GetObject")}


@pytest.fixture
def asked(ministack, proxied):
    """(command, action, thing) of all tests before."""
    with urllib.request.urlopen(f"{ministack.url}/_longbow/calls", timeout=10) as answer:
        told = json.loads(answer.read())
    assert told["faults"] == []
    found = {tuple(call) for call in told["calls"]} | proxied
    if not found:
        pytest.skip("no command of a fleet has run before")
    return found


def test_no_command_of_a_fleet_asks_for_more_than_its_role_has(asked):
    given = rights.documented()
    beyond = sorted(
        f"{command}: {action} on {thing}"
        for command, action, thing in asked
        if (command, action) not in OTHERWISE and not rights.within(given[rights.ROLES[command]].get(action), thing)
    )
    assert not beyond, "\n".join(beyond)


def test_what_is_asked_is_understood():
    """The judge refuses what it should."""
    given = rights.documented()
    assert given["Workers"]["sqs:SendMessage"] == "dead letters"
    for command, action, thing, well in [
        ("worker", "sqs:SendMessage", "dead letters", True),
        ("worker", "sqs:SendMessage", "queue of jobs", False),
        ("jobsender", "s3:PutObject", "destination", False),
        ("worker", "s3:PutObject", "source", False),
        ("worker", "s3:PutObject", "destination", True),
        ("dlq", "sqs:DeleteMessage", "dead letters", True),
        ("status", "s3:ListBucket", "source", False),
        ("worker", "s3:DeleteBucket", None, False),
    ]:
        assert rights.within(given[rights.ROLES[command]].get(action), thing) is well, (command, action, thing)
