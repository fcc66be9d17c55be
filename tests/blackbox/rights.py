"""Which rights the requests of a program need, and whether a policy gives them.

Apart from the tests because it is knowledge of AWS (Service Authorization Reference): the name of a call is not always the name of
its action. It reads requests that a proxy has seen.
"""

import fnmatch
import re

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
