"""The proxy itself: it forwards faithfully, and each fault does what it says. Without this the other tests prove nothing."""

import time

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

import faults
from stores import MIB, assert_same, composite_etag, content, each


@pytest.fixture
def through(store, proxy):
    """A client that talks through the proxy, without retries."""
    config = Config(
        signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, read_timeout=20,
        request_checksum_calculation="when_required", response_checksum_validation="when_required",
    )  # fmt: skip
    return boto3.client(
        "s3", endpoint_url=proxy.url, region_name="us-east-1", aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key, config=config,
    )  # fmt: skip


def test_what_passes_is_unchanged_and_logged(source, through, proxy):
    body = content(300_000)
    tag = through.put_object(Bucket=source.name, Key="a b/ü+%41", Body=body, Metadata={"x": "y"})["ETag"]
    reply = through.get_object(Bucket=source.name, Key="a b/ü+%41", Range="bytes=5-299999", IfMatch=tag)
    assert reply["Body"].read() == body[5:]
    assert [line["Key"] for line in through.list_objects_v2(Bucket=source.name)["Contents"]] == ["a b/ü+%41"]
    put, get, listing = proxy.requests()
    assert (put.operation, put.key, put.received, put.status) == ("PutObject", "a b/ü+%41", 300_000, 200)
    assert (get.operation, get.sent, get.status) == ("GetObject", 299_995, 206)
    assert listing.operation == "ListObjectsV2"
    # The client may read its reply before the proxy has noted that it is sent.
    deadline = time.monotonic() + 10
    while not all(e.answered for e in proxy.requests()):
        assert time.monotonic() < deadline, "a reply was never noted as sent"
        time.sleep(0.01)


def test_many_connections_and_parts(source, through, proxy):
    upload = through.create_multipart_upload(Bucket=source.name, Key="m")["UploadId"]
    body = content(20 * MIB)
    names = {"Bucket": source.name, "Key": "m", "UploadId": upload}

    def send(n):
        return through.upload_part(**names, PartNumber=n, Body=body[(n - 1) * 5 * MIB : n * 5 * MIB])["ETag"]

    tags = each(send, range(1, 5))
    parts = [{"PartNumber": n, "ETag": tag} for n, tag in enumerate(tags, 1)]
    done = through.complete_multipart_upload(**names, MultipartUpload={"Parts": parts})
    assert done["ETag"] == composite_etag(body, 5 * MIB)
    assert sorted(e.part for e in proxy.requests("UploadPart")) == [1, 2, 3, 4]
    assert proxy.counts()["CreateMultipartUpload"] == proxy.counts()["CompleteMultipartUpload"] == 1


def test_reply_faults(source, through, proxy):
    body = content(100_000)
    source.put("k", body)

    def get():
        return through.get_object(Bucket=source.name, Key="k")["Body"].read()

    rule = proxy.inject(faults.FlipReply(70_000), "GetObject", times=1)
    flipped = get()
    assert [i for i in range(100_000) if flipped[i] != body[i]] == [70_000] and rule.hits == 1
    assert get() == body
    proxy.inject(faults.CutReply(50_000), "GetObject", times=1)
    with pytest.raises(BotoCoreError):
        get()
    proxy.calm()
    proxy.inject(faults.ShortenReply(1), "GetObject", times=1)
    assert get() == body[:-1]
    proxy.calm()
    proxy.inject(faults.ReplaceHeader("ETag", '"wrong"'), "GetObject", times=1)
    assert through.get_object(Bucket=source.name, Key="k")["ETag"] == '"wrong"'
    proxy.calm()
    proxy.inject(faults.slow_down(), times=1)
    with pytest.raises(ClientError, match="SlowDown"):
        get()
    proxy.calm()
    proxy.inject(faults.StallReply(10, seconds=0.5), times=1)
    with pytest.raises(BotoCoreError):
        get()


def test_request_faults(source, through, proxy):
    proxy.inject(faults.FlipRequest(2), "PutObject", times=1)
    through.put_object(Bucket=source.name, Key="flipped", Body=b"aaaa")
    assert source.get("flipped") == b"aa`a"
    proxy.calm()
    lost = proxy.inject(faults.LoseReply(), "PutObject", times=1)
    with pytest.raises(BotoCoreError):
        through.put_object(Bucket=source.name, Key="lost", Body=b"there")
    assert source.get("lost") == b"there" and lost.hits == 1
    proxy.calm()
    proxy.inject(faults.CutRequest(500), "PutObject", times=1)
    with pytest.raises(BotoCoreError):
        through.put_object(Bucket=source.name, Key="cut", Body=b"x" * 1000)
    assert source.head("cut") is None
    proxy.calm()
    proxy.inject(faults.error_in_200(acted=True), "CopyObject", times=1)
    with pytest.raises(ClientError):
        through.copy_object(Bucket=source.name, Key="copy", CopySource={"Bucket": source.name, "Key": "lost"})
    assert source.get("copy") == b"there"


def test_the_comparison_finds_every_difference(ministack, make_bucket):
    left, right = make_bucket(ministack), make_bucket(ministack)
    for bucket in (left, right):
        bucket.put("k", b"same", Metadata={"a": "1"}, ContentType="text/x", Tagging="t=1")
    assert_same(left, right, tags=True)
    for change in (
        {"Body": b"sama"},
        {"Metadata": {"a": "2"}},
        {"ContentType": "text/y"},
        {"Tagging": "t=2"},
        {"CacheControl": "no-store"},
    ):
        body = change.pop("Body", b"same")
        right.put("k", body, **{"Metadata": {"a": "1"}, "ContentType": "text/x", "Tagging": "t=1"} | change)
        with pytest.raises(AssertionError):
            assert_same(left, right, tags=True)
    right.put("k", b"same", Metadata={"a": "1"}, ContentType="text/x", Tagging="t=1")
    right.put("more")
    with pytest.raises(AssertionError):
        assert_same(left, right, tags=True)
