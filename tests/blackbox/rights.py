"""Which rights the requests of a program need, and whether a policy gives them.

Apart from the tests because it is knowledge of AWS (Service Authorization Reference): the name of a call is not always the name of
its action. It reads requests that a proxy or a server has seen, and docs/PERMISSIONS.md, which the policies are held to
(tests/deploy/test_permissions.py).
"""

import fnmatch
import json
import re
from pathlib import Path

S3 = {
    "ListObjectsV2": "ListBucket", "HeadBucket": "ListBucket", "GetObject": "GetObject", "HeadObject": "GetObject",
    "GetObjectTagging": "GetObjectTagging", "PutObject": "PutObject", "CopyObject": "PutObject", "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject", "UploadPartCopy": "PutObject", "CompleteMultipartUpload": "PutObject",
    "AbortMultipartUpload": "AbortMultipartUpload", "ListParts": "ListMultipartUploadParts",
    "ListMultipartUploads": "ListBucketMultipartUploads", "DeleteObject": "DeleteObject", "PutObjectTagging": "PutObjectTagging",
}  # fmt: skip
# These may be asked for one version.
OF_VERSIONS = {"GetObject": "GetObjectVersion", "GetObjectTagging": "GetObjectVersionTagging"}


def caller(exchange):
    """The access key that a request was signed with, and the service that it was signed for."""
    found = re.search(r"Credential=([^/]+)/\d+/[^/]+/([^/]+)/aws4_request", exchange.headers.get("authorization", ""))
    return (found[1], found[2]) if found else (None, None)


def needed(exchange):
    """(action, resource) pairs that a request needs; the resource is known for S3 only."""
    _, service = caller(exchange)
    target = exchange.headers.get("x-amz-target")
    if target:
        prefix = {"sqs": "sqs", "dynamodb": "dynamodb", "ssm": "ssm"}[service]
        return [(f"{prefix}:{target.split('.')[-1].removesuffix('Batch')}", None)]
    if service == "sts":
        return [("sts:AssumeRole", None)]
    assert service == "s3", (service, exchange)
    name = "ListBucketVersions" if exchange.operation == "ListObjectsV2" and "versions" in exchange.query else S3[exchange.operation]
    place = f"arn:aws:s3:::{exchange.bucket}" + (f"/{exchange.key}" if exchange.key else "")
    if "versionId" in exchange.query:
        name = OF_VERSIONS.get(name, name)
    found = [(f"s3:{name}", place)]
    if exchange.headers.get("x-amz-tagging"):
        found.append(("s3:PutObjectTagging", place))
    source = exchange.headers.get("x-amz-copy-source")
    if source:
        path, _, version = source.lstrip("/").partition("?versionId=")
        found.append(("s3:GetObjectVersion" if version else "s3:GetObject", f"arn:aws:s3:::{path}"))
    return found


def allows(statements, action, resource):
    """Whether one of these statements gives the action (on this resource, where it is known)."""
    return any(
        action in s["Action"] and (resource is None or any(fnmatch.fnmatchcase(resource, pattern) for pattern in s["Resource"]))
        for s in statements
    )


# The fleet's commands and whose rights they have; `doctor` tries all rights, and `state` makes what Terraform makes.
ROLES = {
    "worker": "Workers", "jobsender": "Jobsender", "status": "Operators", "report": "Operators", "jobs": "Operators", "dlq": "Operators",
}  # fmt: skip
MARK = "-as-"


def key_of(access_key, command):
    """The access key that a command of the tests signs with: it says which one it is."""
    return access_key + MARK + command if command in ROLES else access_key


def calls(exchange, body=b""):
    """(command, action, thing) of a request of one of the fleet's commands; empty for those of anybody else.

    The thing is `queue of jobs`, `dead letters`, `table`, `parameters`, `source`, `destination`, or None where that is not known.
    """
    key, service = caller(exchange)
    command = key.partition(MARK)[2] if key else ""
    if command not in ROLES:
        return set()
    return {(command, action, _bucket(exchange.bucket) if service == "s3" else _thing(service, body)) for action, _ in needed(exchange)}


def _bucket(name):
    """Buckets of the tests end in what they are for."""
    end = name.rpartition("-")[2]
    return end if end in ("source", "destination") else None


def _thing(service, body):
    """What a request to another service is about."""
    if service != "sqs" or not body:
        return {"dynamodb": "table", "ssm": "parameters"}.get(service)
    said = json.loads(body)
    name = said.get("QueueUrl") or said.get("QueueName") or ""
    return "dead letters" if name.endswith("-dead") else "queue of jobs"


def documented():
    """Section of docs/PERMISSIONS.md → action → what it is given on, in words."""
    text = (Path(__file__).resolve().parents[2] / "docs" / "PERMISSIONS.md").read_text()
    found = {}
    for section in re.split(r"^## ", text, flags=re.M)[1:]:
        rows = re.findall(r"^\| `(\w+:\w+)` \| (\S.*?) \| \S.* \|$", section, re.M)
        found[section.split("\n")[0].split(" (")[0]] = dict(rows)
    return found


def within(on, thing):
    """Whether what an action is given on (None: it is not given) has this thing among it."""
    if on is None:
        return False
    if thing in ("queue of jobs", "dead letters") and "both queues" in on:
        return True
    return thing is None or thing in on
