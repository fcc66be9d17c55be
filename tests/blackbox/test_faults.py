"""Faults on the wire: whatever happens, the destination holds the source's bytes, or what it held before, and the exit
code and the report say which."""

import os

import pytest

import faults
from chaos import Proxy
from program import Longbow
from stores import MIB, Bucket, assert_same, composite_etag, content

SMALL, PARTS = content(200_000), content(16 * MIB + 5)
PART = 6 * MIB


@pytest.fixture
def store(request):
    """One that checks digests and takes checksums, as S3 does, or the one that a test names."""
    return request.getfixturevalue(getattr(request, "param", "seaweedfs"))


@pytest.fixture
def longbow(make_longbow):
    """In a hurry: what is tried again, is tried again soon."""
    longbow = make_longbow()
    longbow.environment |= {"LONGBOW_WORKER__RETRY_FIRST": "50ms", "LONGBOW_WORKER__RETRY_MOST": "500ms"}
    return longbow


@pytest.fixture
def reads(make_proxy, store):
    """A proxy before the source."""
    return make_proxy(store)


@pytest.fixture
def writes(make_proxy, store):
    """A proxy before the destination."""
    return make_proxy(store)


@pytest.fixture
def objects(source):
    """Two objects that travel in the two ways, and one bystander."""
    source.put("small", SMALL, Metadata={"m": "1"})
    source.put_parts("parts", PARTS, PART, Metadata={"m": "2"})
    source.put("bystander", b"nothing happens to me")
    return source


@pytest.fixture(scope="module", autouse=True)
def stalled(stores, variables, tmp_path_factory):
    """A run whose source stalls for ever, begun before the other tests since only time ends a stall."""
    store = stores["ministack"]
    source, destination = Bucket(store, f"stalled-source-{os.getpid()}"), Bucket(store, f"stalled-copy-{os.getpid()}")
    source.put("small", SMALL)
    source.put("other", b"o")
    proxy = Proxy(store.url)
    proxy.inject(faults.StallReply(1000), "GetObject", key="small", times=1)
    longbow = Longbow(tmp_path_factory.mktemp("stalled"), store.access_key, store.secret_key)
    running = longbow.start_sync(source.at(via=proxy), destination.at(), "--method", "stream")
    yield longbow, running, source, destination
    proxy.close()
    if running.process.poll() is None:
        running.kill()
        running.process.wait()
    source.remove(), destination.remove()


# Name, side, operation, key, fault, how often. Each must be survived: exit code 0 and an exact copy.
SURVIVED = [
    ("flip in a body", "reads", "GetObject", "small", faults.FlipReply(70_000), 1),
    ("flip in a part", "reads", "GetObject", "parts", faults.FlipReply(70_000), 1),
    ("flip of the last byte", "reads", "GetObject", "small", faults.FlipReply(199_999), 1),
    ("body cut", "reads", "GetObject", "small", faults.CutReply(100_000), 2),
    ("part cut", "reads", "GetObject", "parts", faults.CutReply(3 * MIB), 3),
    ("body cut before its first byte", "reads", "GetObject", "small", faults.CutReply(0), 1),
    ("body that claims to be shorter", "reads", "GetObject", "small", faults.ShortenReply(1), 1),
    ("part that claims to be shorter", "reads", "GetObject", "parts", faults.ShortenReply(1), 1),
    ("short stall, then cut", "reads", "GetObject", "parts", faults.StallReply(MIB, seconds=2), 1),
    ("part reset", "reads", "GetObject", "parts", faults.ResetReply(3 * MIB), 2),
    ("slow start", "reads", "GetObject", None, faults.SlowStart(20_000, seconds=2), 3),
    ("500 on reading", "reads", "GetObject", None, faults.Refuse(500, "InternalError"), 3),
    ("503 on reading", "reads", "GetObject", None, faults.slow_down(), 3),
    ("503 on listing", "reads", "ListObjectsV2", None, faults.slow_down(), 2),
    ("listing cut", "reads", "ListObjectsV2", None, faults.CutReply(50), 1),
    ("listing cut at the destination", "writes", "ListObjectsV2", None, faults.CutReply(50), 1),
    ("503 on writing", "writes", "PutObject", None, faults.slow_down(), 3),
    ("503 on a part", "writes", "UploadPart", None, faults.slow_down(), 3),
    ("503 on beginning an upload", "writes", "CreateMultipartUpload", None, faults.slow_down(), 2),
    ("503 on ending an upload", "writes", "CompleteMultipartUpload", None, faults.slow_down(), 2),
    ("500 on a part", "writes", "UploadPart", None, faults.Refuse(500, "InternalError"), 2),
    ("200 with an error, not done", "writes", "CompleteMultipartUpload", None, faults.error_in_200(), 1),
    ("200 with an error, but done", "writes", "CompleteMultipartUpload", None, faults.error_in_200(acted=True), 1),
    ("reply to a write lost", "writes", "PutObject", "small", faults.LoseReply(), 1),
    ("reply to a part lost", "writes", "UploadPart", None, faults.LoseReply(), 1),
    ("reply to the beginning lost", "writes", "CreateMultipartUpload", None, faults.LoseReply(), 1),
    ("reply to the end lost", "writes", "CompleteMultipartUpload", None, faults.LoseReply(), 1),
    ("flip on the way in", "writes", "PutObject", "small", faults.FlipRequest(70_000), 1),
    ("flip in a part on the way in", "writes", "UploadPart", None, faults.FlipRequest(70_000), 1),
    ("flip in every second part on the way in", "writes", "UploadPart", None, faults.FlipRequest(0), 2),
    ("write cut", "writes", "PutObject", "small", faults.CutRequest(100_000), 1),
    ("part cut on the way in", "writes", "UploadPart", None, faults.CutRequest(2 * MIB), 2),
    ("wrong tag for a part", "writes", "UploadPart", None, faults.ReplaceHeader("ETag", f'"{"0" * 32}"'), 1),
    ("wrong tag for a write", "writes", "PutObject", "small", faults.ReplaceHeader("ETag", f'"{"0" * 32}"'), 1),
    ("slow replies", "reads", None, None, faults.Delay(0.2), 10),
]


@pytest.mark.parametrize("case", SURVIVED, ids=[case[0] for case in SURVIVED])
def test_survived(objects, destination, longbow, reads, writes, case):
    _, side, operation, key, fault, times = case
    rule = {"reads": reads, "writes": writes}[side].inject(fault, operation, key=key, times=times)
    run = longbow.sync(objects.at(via=reads), destination.at(via=writes), "--method", "stream")
    assert rule.hits == times or fault.__class__ is faults.Delay, "the fault was never met"
    assert_same(objects, destination)
    assert run.summary["failed"] == 0
    # Of an upload whose beginning was never answered nobody knows the name.
    assert len(destination.uploads()) == (
        1 if operation == "CreateMultipartUpload" and fault == faults.LoseReply() else 0
    )
    assert destination.head("parts")["ETag"] == composite_etag(PARTS, PART)


# The same for ever, on one object: exit code 1, the others arrive, and nothing wrong is ever there.
LOST = [
    ("flip in a body", "reads", "GetObject", "small", faults.FlipReply(70_000)),
    ("flip in a part", "reads", "GetObject", "parts", faults.FlipReply(70_000)),
    ("body that claims to be shorter", "reads", "GetObject", "small", faults.ShortenReply(1)),
    ("body always cut", "reads", "GetObject", "small", faults.CutReply(100)),
    ("500 on reading", "reads", "GetObject", "small", faults.Refuse(500, "InternalError")),
    ("access denied on reading", "reads", "GetObject", "small", faults.Refuse(403, "AccessDenied")),
    ("access denied on writing", "writes", "PutObject", "small", faults.Refuse(403, "AccessDenied")),
    ("flip on the way in", "writes", "PutObject", "small", faults.FlipRequest(70_000)),
    ("flip in a part on the way in", "writes", "UploadPart", "parts", faults.FlipRequest(70_000)),
    ("200 with an error, for ever", "writes", "CompleteMultipartUpload", "parts", faults.error_in_200()),
]


@pytest.mark.parametrize("before", [None, b"what was there before"], ids=["absent", "present"])
@pytest.mark.parametrize("case", LOST, ids=[case[0] for case in LOST])
def test_lost_but_never_corrupt(objects, destination, reads, writes, longbow, case, before):
    source = objects
    _, side, operation, key, fault = case
    if before is not None:
        destination.put(key, before)
    {"reads": reads, "writes": writes}[side].inject(fault, operation, key=key)
    flags = ["--method", "stream", "--max-attempts", "2"]
    run = longbow.sync(source.at(via=reads), destination.at(via=writes), *flags, expect=1)
    assert set(run.lines("failed")) == {key}
    assert run.lines("failed")[key]["reason"]
    others = [name for name in ("small", "parts", "bystander") if name != key]
    assert_same(source, destination, keys=others, extra=[key])
    assert (destination.get(key) if destination.head(key) else None) == before
    assert not destination.uploads(), "an upload that nobody will use was left"
    # Once the fault is gone, the same command ends the work.
    reads.calm(), writes.calm()
    longbow.sync(source.at(via=reads), destination.at(via=writes), "--method", "stream")
    assert_same(source, destination)


def test_a_storm_of_503(source, destination, longbow, reads, writes):
    source.fill({f"k{i:02}": content(10_000, i) for i in range(60)})
    reads.inject(faults.slow_down(), where=faults.some_of(0.3, seed=1))
    writes.inject(faults.slow_down(), where=faults.some_of(0.3, seed=2))
    run = longbow.sync(source.at(via=reads), destination.at(via=writes), "--method", "stream", timeout=100)
    assert_same(source, destination)
    assert run.summary["failed"] == 0
    # It backs off: not many more requests than the storm forces.
    sent = len(writes.requests("PutObject"))
    assert sent <= 60 / 0.7 * 2, f"{sent} writes for 60 objects"


@pytest.mark.parametrize("side", ["source", "destination"])
def test_a_missing_bucket_is_named(store, make_bucket, longbow, side):
    bucket = make_bucket(store)
    bucket.put("k", b"k")
    missing = type(bucket.at())("s3://no-such-bucket-here", store.url)
    sides = (missing, bucket.at()) if side == "source" else (bucket.at(), missing)
    run = longbow.sync(*sides, "--delete", expect=2)
    assert "no-such-bucket-here" in run.err + run.out
    assert bucket.keys() == ["k"]


def test_wrong_credentials(seaweedfs, make_bucket, longbow):
    source, destination = make_bucket(seaweedfs), make_bucket(seaweedfs)
    source.put("k", b"k")
    destination.put("extra", b"e")
    wrong = {
        "LONGBOW_SOURCE__ACCESS_KEY_ID": seaweedfs.access_key,
        "LONGBOW_SOURCE__SECRET_ACCESS_KEY": longbow.secrets[1],
    }
    run = longbow.sync(source.at(), destination.at(), "--delete", env=wrong, expect=2)
    assert "SignatureDoesNotMatch" in run.err + run.out or "credential" in run.err + run.out
    assert destination.keys() == ["extra"]
    unknown = {"AWS_ACCESS_KEY_ID": "AKIANOBODY"}
    longbow.sync(source.at(), destination.at(), env=unknown, expect=2)
    none = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    run = longbow.sync(source.at(), destination.at(), env=none, expect=2)
    assert "credential" in (run.err + run.out).lower()
    assert destination.keys() == ["extra"]


@pytest.mark.parametrize("operation", ["PutObject", "GetObject"])
def test_access_denied_on_all(ministack, make_bucket, make_proxy, longbow, operation):
    source, destination, proxy = make_bucket(ministack), make_bucket(ministack), make_proxy(ministack)
    source.fill({f"k{i}": b"x" for i in range(30)})
    proxy.inject(faults.Refuse(403, "AccessDenied"), operation)
    run = longbow.sync(source.at(via=proxy), destination.at(via=proxy), "--method", "stream", expect=None, timeout=100)
    assert run.code in (1, 2), str(run)
    assert destination.keys() == []
    assert "AccessDenied" in run.err + run.out or "denied" in run.err + run.out


def test_an_endpoint_that_refuses(ministack, make_bucket, longbow):
    bucket = make_bucket(ministack)
    bucket.put("k", b"k")
    nowhere = type(bucket.at())("s3://somewhere", "http://127.0.0.1:9")
    run = longbow.sync(nowhere, bucket.at(), "--delete", expect=None)
    assert run.code in (1, 2) and "127.0.0.1:9" in run.err + run.out, str(run)
    longbow.sync(bucket.at(), nowhere, expect=None)
    assert bucket.keys() == ["k"]


def test_a_listing_that_breaks_deletes_nothing(store, make_bucket, make_proxy, make_longbow):
    """Page 2 never comes: what it would have named looks as if it were not there. On either side, both at once."""
    many, few = {f"k{i:04}": b"" for i in range(1100)}, {"k0001": b"", "extra": b"e"}
    runs = []
    for broken in ("source", "destination"):
        source, destination = make_bucket(store), make_bucket(store)
        source.fill(many if broken == "source" else few)
        destination.fill(few if broken == "source" else many)
        reads, writes, longbow = make_proxy(store), make_proxy(store), make_longbow(broken)
        (reads if broken == "source" else writes).inject(
            faults.Refuse(500, "InternalError"),
            "ListObjectsV2",
            where=lambda e: "continuation-token" in e.query or "start-after" in e.query,
        )
        before = destination.keys()
        sides = source.at(via=reads), destination.at(via=writes)
        running = longbow.start_sync(*sides, "--delete", "--max-delete", "100000")
        runs.append((longbow, running, destination, before, writes))
    for longbow, running, destination, before, writes in runs:
        run = longbow.judge(running.wait(100), 1)
        assert set(before) <= set(destination.keys()), f"something was deleted after an incomplete listing:\n{run}"
        assert not writes.requests("DeleteObject", "DeleteObjects")


def test_a_listing_that_ends_early_without_a_token(ministack, make_bucket, make_proxy, longbow):
    """IsTruncated without a way to go on is an error, not an end."""
    source, destination, reads = make_bucket(ministack), make_bucket(ministack), make_proxy(ministack)
    destination.fill({"a": b"a"})
    body = (
        b'<?xml version="1.0"?><ListBucketResult><Name>x</Name><KeyCount>0</KeyCount><MaxKeys>1000</MaxKeys>'
        b"<IsTruncated>true</IsTruncated></ListBucketResult>"
    )

    class EmptyPage(faults.Fault):
        def before(self, exchange, proxy):
            return faults.Reply(200, body)

    reads.inject(EmptyPage(), "ListObjectsV2")
    run = longbow.sync(source.at(via=reads), destination.at(), "--delete", expect=None, timeout=100)
    assert run.code == 1 and destination.keys() == ["a"], str(run)


@pytest.mark.parametrize("store", ["ministack", "seaweedfs"], indirect=True)
def test_a_listing_whose_token_has_expired_begins_again(store, make_bucket, make_proxy, longbow):
    """On both sides at once; nothing is missed, nothing is copied twice and nothing removed."""
    source, destination = make_bucket(store), make_bucket(store)
    source.fill({f"a-b/{i:04}": b"s" for i in range(700)} | {f"a/{i:04}": b"s" for i in range(700)})
    destination.fill({f"a/{i:04}": b"s" for i in range(650)} | {f"a0/{i:04}": b"d" for i in range(450)})
    reads, writes = make_proxy(store), make_proxy(store)
    words = "The continuation token provided is incorrect"
    rules = [
        proxy.inject(
            faults.Refuse(400, "InvalidArgument", message=words), "ListObjectsV2", times=1,
            where=lambda e: "continuation-token" in e.query,
        )
        for proxy in (reads, writes)
    ]  # fmt: skip
    run = longbow.sync(source.at(via=reads), destination.at(via=writes), "--method", "stream")
    assert [rule.hits for rule in rules] == [1, 1]
    assert run.summary["copied"] == 750 and run.summary["deleted"] == 0
    assert set(destination.keys()) == set(source.keys()) | {f"a0/{i:04}" for i in range(450)}


def test_an_object_that_vanishes_in_mid_copy(source, destination, longbow, reads):
    source.fill({"vanishes": SMALL, "stays": b"s"})
    reads.inject(faults.Call(lambda _: source.delete("vanishes")), "GetObject", key="vanishes", times=1)
    run = longbow.sync(source.at(via=reads), destination.at(), "--method", "stream", expect=1)
    assert destination.keys() == ["stays"]
    assert set(run.lines("failed")) == {"vanishes"}


@pytest.mark.parametrize("key", ["small", "parts"])
def test_an_object_replaced_in_mid_copy_is_never_mixed(source, destination, longbow, reads, key):
    old, new = PARTS, content(len(PARTS), seed=9)
    if key == "small":
        old, new = SMALL, content(len(SMALL), seed=9)
        source.put(key, old)
    else:
        source.put_parts(key, old, PART)

    def replace(_):
        source.put(key, new) if key == "small" else source.put_parts(key, new, PART)

    # After the first read was answered, before the next.
    rule = reads.inject(faults.Call(replace), "GetObject", key=key, times=1, skip=1 if key == "parts" else 0)
    run = longbow.sync(source.at(via=reads), destination.at(), "--method", "stream", expect=None, timeout=100)
    assert rule.hits == 1
    found = destination.get(key) if destination.head(key) else None
    assert found in (None, new), (
        "old and new bytes were mixed, or an old version was written after the new one was seen"
    )
    assert (run.code == 0) == (found == new), str(run)
    longbow.sync(source.at(via=reads), destination.at(), "--method", "stream")
    assert destination.get(key) == new


def test_a_destination_written_by_another_in_mid_copy_is_not_lost(ministack, make_bucket, make_proxy, longbow):
    """Somebody writes the key after it was listed as absent: it is looked at again, not overwritten blindly."""
    source, destination, reads = make_bucket(ministack), make_bucket(ministack), make_proxy(ministack)
    writes = make_proxy(ministack)
    source.put("k", SMALL)
    reads.inject(faults.Call(lambda _: destination.put("k", b"theirs")), "GetObject", key="k", times=1)
    longbow.sync(source.at(via=reads), destination.at(via=writes), "--method", "stream", expect=None)
    first = writes.requests("PutObject")[0]
    assert first.status == 412 and first.headers.get("if-none-match") == "*", str(first)


def test_server_side_replies_that_carry_errors(source, destination, longbow, proxy):
    source.put("small", SMALL)
    source.put_parts("parts", PARTS, PART)
    for operation in ("CopyObject", "UploadPartCopy", "CompleteMultipartUpload"):
        proxy.inject(faults.error_in_200(), operation, times=1)
    longbow.sync(source.at(via=proxy), destination.at(via=proxy), "--method", "server-side")
    assert_same(source, destination)
    assert all(rule.hits == 1 for rule in proxy.rules)


def test_a_store_that_knows_only_composite_checksums(ministack, make_bucket, longbow):
    """ministack refuses the full-object CRC64NVME of an upload in parts: without it, then."""
    source, destination = make_bucket(ministack), make_bucket(ministack)
    source.put_parts("parts", content(11 * MIB), PART)
    run = longbow.sync(source.at(), destination.at(), "--method", "stream", "--part-size", "5MiB")
    assert_same(source, destination)
    assert run.lines("copied")["parts"]["method"] == "multipart"


def test_a_store_without_conditional_writes(source, destination, writes, longbow):
    """It says 501 to a condition: found out once, and the copy goes on without."""
    source.fill({f"k{i}": content(1000, i) for i in range(20)})
    source.put_parts("parts", PARTS, PART)
    refuse = faults.Refuse(501, "NotImplemented")
    writes.inject(
        refuse,
        where=lambda e: e.method in ("PUT", "POST") and ("if-none-match" in e.headers or "if-match" in e.headers),
    )
    longbow.sync(source.at(), destination.at(via=writes), "--method", "stream")
    assert_same(source, destination)


def test_a_store_without_tags(ministack, make_bucket, make_proxy, longbow):
    source, destination, writes = make_bucket(ministack), make_bucket(ministack), make_proxy(ministack)
    source.put("tagged", b"t", Tagging="a=b")
    source.put("plain", b"p")
    refuse = faults.Refuse(501, "NotImplemented")
    writes.inject(refuse, where=lambda e: "x-amz-tagging" in e.headers or "tagging" in e.query)
    run = longbow.sync(source.at(), destination.at(via=writes), "--method", "stream")
    assert_same(source, destination)
    assert any("tag" in loss for loss in run.lines("copied")["tagged"]["lost"]), "a loss must be reported"


def test_a_stalled_connection_is_given_up(stalled):
    """It began with the first test of this file: a minute is more than it needs."""
    longbow, running, source, destination = stalled
    run = longbow.judge(running.wait(timeout=180), 0)
    assert_same(source, destination)
    assert run.summary["failed"] == 0
