"""What the tests of a fleet share: its queue and table on ministack, its events, and waiting for what must come.

Apart from the fixtures because tests that need two clusters, or none before a certain moment, make their own.
"""

import json
import time
import uuid

import boto3
from botocore.config import Config

# The least that the program takes: a job of a worker that was killed comes back after it.
VISIBILITY = "5s"


class Cluster:
    """A queue with its dead-letter queue, and the name of a table."""

    def __init__(self, store):
        self.url = store.url
        self.sqs, self.dynamodb = (self.client(store, name) for name in ("sqs", "dynamodb"))
        name = f"jobs-{self.unique()}"
        self.table = f"state-{name}"
        self.dead = self.sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "24"})
        self.queue = self.sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]

    @staticmethod
    def client(store, name):
        """A client of one of the store's services."""
        return boto3.client(
            name, endpoint_url=store.url, region_name="us-east-1", aws_access_key_id=store.access_key,
            aws_secret_access_key=store.secret_key,
            config=Config(retries={"total_max_attempts": 3}, parameter_validation=False),
        )  # fmt: skip

    @staticmethod
    def unique():
        return uuid.uuid4().hex[:10]

    @property
    def environment(self):
        """Where the program finds queue and table, and how soon a lost job comes back."""
        return {
            "AWS_ENDPOINT_URL_SQS": self.url,
            "AWS_ENDPOINT_URL_DYNAMODB": self.url,
            "LONGBOW_WORKER__VISIBILITY": VISIBILITY,
            "LONGBOW_CLUSTER__RETRY_MOST": "2s",
        }

    @property
    def flags(self):
        return ["--queue-url", self.queue, "--table", self.table]

    def depth(self, url=None):
        """Visible, in flight and delayed messages."""
        names = [f"ApproximateNumberOfMessages{end}" for end in ("", "NotVisible", "Delayed")]
        found = self.sqs.get_queue_attributes(QueueUrl=url or self.queue, AttributeNames=names)["Attributes"]
        return tuple(int(found[name]) for name in names)

    def take(self, url, most=10, hidden=0):
        """Messages, which are visible again at once."""
        reply = self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=most, VisibilityTimeout=hidden, MessageAttributeNames=["All"]
        )
        return reply.get("Messages", [])

    def send(self, *bodies):
        """Puts messages into the queue."""
        for at in range(0, len(bodies), 10):
            entries = [{"Id": str(n), "MessageBody": body} for n, body in enumerate(bodies[at : at + 10])]
            failed = self.sqs.send_message_batch(QueueUrl=self.queue, Entries=entries).get("Failed", [])
            assert not failed, failed

    def items(self):
        """All items of the table."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.table)
        return [item for page in pages for item in page["Items"]]

    def free_locks(self):
        """What time does: locks come to their end."""
        for item in self.items():
            if item["pk"]["S"].startswith("l#"):
                self.dynamodb.put_item(TableName=self.table, Item={**item, "until": {"N": "0"}})

    def records(self):
        """Subject → state of every object that is remembered."""
        return {i["sk"]["S"]: i["state"]["S"] for i in self.items() if i["pk"]["S"].startswith("o#")}


def arguments(longbow, source, destination, cluster):
    """The flags of a jobsender and its workers."""
    return [*longbow.sides(source.at(), destination.at()), *cluster.flags, "--method", "stream", "--json"]


def event(name, bucket, key, sequencer, **more):
    """An S3 notification with one record."""
    record = {
        "eventSource": "aws:s3", "eventName": name, "eventTime": "2026-01-02T03:04:05.000Z",
        "s3": {"bucket": {"name": bucket}, "object": {"key": key, "sequencer": sequencer, **more}},
    }  # fmt: skip
    return json.dumps({"Records": [record]})


def wait_for(condition, what, seconds=30):
    """Polls until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.02)
