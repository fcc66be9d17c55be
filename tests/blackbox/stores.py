"""What the tests know of a store: its client, buckets to fill, and a comparison that shares no code with longbow.

Everything here goes through boto3 (path style, signature version 4), so that what longbow wrote is judged by a reader
that nobody here wrote.
"""

import functools
import hashlib
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

KIB, MIB, GIB = 1024, 1024**2, 1024**3
ATTRIBUTES = ["ContentType", "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "Expires"]
# Requests of a test's own in flight.
HANDS = 16


@functools.lru_cache(maxsize=16)
def content(size, seed=0):
    """Bytes that look random, the same ones for the same size and seed."""
    chance = random.Random(f"{size}/{seed}")
    # Python's own limit is 256 MiB at once.
    return b"".join(chance.randbytes(min(64 * MIB, size - at)) for at in range(0, size, 64 * MIB))


def each(function, items):
    """Calls it for every item, several at once; the first failure is raised."""
    with ThreadPoolExecutor(HANDS) as hands:
        return list(hands.map(function, items))


def composite_etag(data, part_size):
    """The ETag of these bytes uploaded in parts of that size."""
    digests = [hashlib.md5(data[i : i + part_size]).digest() for i in range(0, len(data), part_size)]
    return f'"{hashlib.md5(b"".join(digests)).hexdigest()}-{len(digests)}"'


@dataclass(frozen=True)
class Place:
    """One side of a copy: a URI and the endpoint that serves it."""

    uri: str
    endpoint: str


class Store:
    """An S3 server under test."""

    def __init__(self, name, url, access_key, secret_key):
        self.name, self.url, self.access_key, self.secret_key = name, url, access_key, secret_key
        config = Config(
            signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 3},
            request_checksum_calculation="when_required", response_checksum_validation="when_required",
            max_pool_connections=HANDS * 2, parameter_validation=False,
        )  # fmt: skip
        self.client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=access_key,
            aws_secret_access_key=secret_key, config=config,
        )  # fmt: skip

    @property
    def keeps_parts(self):
        """Tells where an object's parts begin, and takes full-object checksums of an upload at once.

        ministack does not: it answers HEAD with a part number as if there were none, and computes checksums in Python, a
        second for 8 MiB. Large uploads are for the other.
        """
        return self.name == "seaweedfs"

    def __repr__(self):
        return self.name


class Bucket:
    """A bucket, made when it is not there."""

    def __init__(self, store, name):
        self.store, self.name, self.client = store, name, store.client
        try:
            self.client.create_bucket(Bucket=name)
        except ClientError as refusal:
            if refusal.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
                raise

    def at(self, prefix="", via=None):
        """This bucket as a side of a copy, straight or through a proxy."""
        return Place(
            f"s3://{self.name}/{prefix}" if prefix else f"s3://{self.name}", via.url if via else self.store.url
        )

    def put(self, key, body=b"", **extra):
        """Writes an object whole."""
        return self.client.put_object(Bucket=self.name, Key=key, Body=body, **extra)["ETag"]

    def fill(self, objects):
        """Writes a dict of key → bytes."""
        each(lambda item: self.put(*item), objects.items())

    def put_parts(self, key, body, part_size=8 * MIB, **extra):
        """Writes an object as a multipart upload."""
        names = {"Bucket": self.name, "Key": key}
        upload = self.client.create_multipart_upload(**names, **extra)["UploadId"]

        def send(number):
            data = body[(number - 1) * part_size : number * part_size]
            sent = self.client.upload_part(**names, UploadId=upload, PartNumber=number, Body=data)
            return {"PartNumber": number, "ETag": sent["ETag"]}

        parts = each(send, range(1, -(-len(body) // part_size) + 1))
        done = self.client.complete_multipart_upload(**names, UploadId=upload, MultipartUpload={"Parts": parts})
        return done["ETag"]

    def get(self, key):
        """An object's bytes."""
        return self.client.get_object(Bucket=self.name, Key=key)["Body"].read()

    def _raw(self, method, operation, keys, body=lambda _: None):
        """One plain request an object, without the client's toll: key → status, headers and body of each reply."""
        address = urlsplit(self.store.url)
        mine = threading.local()

        def ask(key):
            if not hasattr(mine, "connection"):
                mine.connection = HTTPConnection(address.hostname, address.port, timeout=60)
            url = self.client.generate_presigned_url(operation, {"Bucket": self.name, "Key": key})
            mine.connection.request(method, url.removeprefix(self.store.url), body(key))
            reply = mine.connection.getresponse()
            data = reply.read()
            assert reply.status == 200, f"{key!r}: {reply.status} {data[:500]}"
            return key, data

        return dict(each(ask, keys))

    def fill_fast(self, objects):
        """Writes a dict of key → bytes that has thousands."""
        self._raw("PUT", "put_object", objects, objects.get)

    def digests(self, keys):
        """Key → size and SHA-256 of the bytes of thousands of objects."""
        read = self._raw("GET", "get_object", keys)
        return {key: (len(data), hashlib.sha256(data).hexdigest()) for key, data in read.items()}

    def head(self, key):
        """An object's attributes, or None when there is no such object."""
        try:
            return self.client.head_object(Bucket=self.name, Key=key)
        except ClientError as refusal:
            if refusal.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return None
            raise

    def tags(self, key):
        """An object's tags as a dict."""
        found = self.client.get_object_tagging(Bucket=self.name, Key=key)["TagSet"]
        return {tag["Key"]: tag["Value"] for tag in found}

    def listing(self, prefix=""):
        """Key → its line of the listing."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        return {line["Key"]: line for page in pages for line in page.get("Contents", [])}

    def keys(self, prefix=""):
        """All keys, in byte order."""
        return sorted(self.listing(prefix), key=lambda key: key.encode(errors="surrogateescape"))

    def uploads(self):
        """Keys of multipart uploads that were begun and not ended."""
        return [upload["Key"] for upload in self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", [])]

    def delete(self, *keys):
        """Removes objects."""
        each(lambda key: self.client.delete_object(Bucket=self.name, Key=key), keys)

    def remove(self):
        """Removes the bucket and all that is in it."""
        if self.store.name == "seaweedfs":
            # It removes what is in a bucket by itself.
            self.client.delete_bucket(Bucket=self.name)
            return
        for upload in self.client.list_multipart_uploads(Bucket=self.name).get("Uploads", []):
            self.client.abort_multipart_upload(Bucket=self.name, Key=upload["Key"], UploadId=upload["UploadId"])
        self.delete(*self.listing())
        versions = self.client.list_object_versions(Bucket=self.name)
        for old in versions.get("Versions", []) + versions.get("DeleteMarkers", []):
            self.client.delete_object(Bucket=self.name, Key=old["Key"], VersionId=old["VersionId"])
        self.client.delete_bucket(Bucket=self.name)


def _read(bucket, key, tags):
    """Everything that a copy must keep of an object."""
    reply = bucket.client.get_object(Bucket=bucket.name, Key=key)
    digest, size = hashlib.sha256(), 0
    for chunk in reply["Body"].iter_chunks(MIB):
        digest.update(chunk)
        size += len(chunk)
    found = {"size": size, "sha256": digest.hexdigest(), "metadata": reply["Metadata"]}
    found |= {name: reply.get(name) for name in ATTRIBUTES}
    if tags:
        found["tags"] = bucket.tags(key)
    return found


def assert_same(source, destination, source_prefix="", destination_prefix="", keys=None, tags=False, extra=()):
    """Both sides hold the same keys below their prefixes, with the same bytes, metadata and (if asked) tags.

    `keys` limits the source to these (without the prefix); `extra` names destination keys that are nobody's business.
    """
    wanted = [key.removeprefix(source_prefix) for key in source.keys(source_prefix)] if keys is None else sorted(keys)
    found = [key.removeprefix(destination_prefix) for key in destination.keys(destination_prefix)]
    assert sorted(set(found) - set(extra)) == sorted(wanted), "the keys differ"

    def compare(key):
        left = _read(source, source_prefix + key, tags)
        right = _read(destination, destination_prefix + key, tags)
        differs = {name: (left[name], right[name]) for name in left if left[name] != right[name]}
        assert not differs, f"{key!r} differs: {differs}"

    each(compare, wanted)


def tree(folder):
    """Relative path → bytes of every file below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def write_tree(folder, files):
    """Writes a dict of relative path → bytes below a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
