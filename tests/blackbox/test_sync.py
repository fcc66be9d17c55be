"""`longbow sync` between two buckets, as a user sees it when nothing goes wrong."""

import hashlib
import time

import pytest

from stores import MIB, assert_same, composite_etag, content

EVERYTHING = {
    "ContentType": "text/x-demo; charset=utf-8",
    "CacheControl": "max-age=7, private",
    "ContentDisposition": 'attachment; filename="a b.txt"',
    "ContentEncoding": "identity",
    "ContentLanguage": "de, en",
    "Metadata": {"owner": "somebody", "mixed-case": "Value With Spaces", "empty": ""},
    "Tagging": "team=blue&note=a%2Bb%20c&empty=",
}
LISTINGS = {"ListObjectsV2", "ListMultipartUploads", "GetBucketLocation", "HeadBucket"}


def sizes():
    """One object of each size that is handled in its own way."""
    return {
        "empty": b"",
        "one": b"1",
        "folder/sixteen KiB": content(16 * 1024),
        "folder/deeper/five MiB": content(5 * MIB),
        "folder.after/x": content(70_000),
    }


def md5(data):
    """The ETag of bytes written whole."""
    return f'"{hashlib.md5(data).hexdigest()}"'


def test_sizes_of_every_kind_arrive_with_equal_etags(source, destination, longbow, proxy, store):
    objects = sizes() | {"whole": content(70 * MIB)}
    source.fill(objects)
    parts = content(20 * MIB)
    if store.keeps_parts:
        assert source.put_parts("in parts", parts, 8 * MIB) == composite_etag(parts, 8 * MIB)
        objects["in parts"] = parts
    run = longbow.sync(source.at(), destination.at(via=proxy), "--method", "stream")
    assert_same(source, destination)
    assert run.summary["copied"] == run.summary["listed"] == len(objects)
    assert run.summary["bytes_copied"] == sum(map(len, objects.values()))
    lines = run.lines("copied")
    if store.keeps_parts:
        assert destination.head("in parts")["ETag"] == composite_etag(parts, 8 * MIB)
        assert (lines["in parts"]["method"], lines["in parts"]["parts"]) == ("multipart", 3)
    assert destination.head("whole")["ETag"] == md5(objects["whole"])
    assert lines["one"]["method"] == "whole" and lines["one"]["proof"] == "e-tag"
    assert not destination.uploads()
    # Nothing was sent twice, but for the one write that the store has to refuse (docs/decisions/0014).
    sent = sum(e.received for e in proxy.requests("PutObject", "UploadPart") if e.status != 412)
    assert sent == run.summary["bytes_copied"]


def test_small_objects_cost_one_get_and_one_put(source, destination, longbow, make_proxy, store):
    source.fill({f"k{i:02}": content(1000, i) for i in range(40)})
    reads, writes = make_proxy(store), make_proxy(store)
    longbow.sync(source.at(via=reads), destination.at(via=writes), "--method", "stream")
    assert_same(source, destination)
    assert reads.counts() | {"ListObjectsV2": 0} == {"GetObject": 40, "ListObjectsV2": 0}, reads.counts()
    # One more of each in the whole run, to see that the store looks at conditions (docs/decisions/0014).
    counts = {n: c for n, c in writes.counts().items() if n not in LISTINGS}
    assert counts == {"PutObject": 41, "HeadObject": 1}, writes.counts()
    assert sum(e.status == 412 for e in writes.requests("PutObject")) == 1


def test_a_second_run_copies_nothing_and_only_lists(source, destination, longbow, make_proxy, store):
    source.fill(sizes())
    count = len(sizes()) + store.keeps_parts
    if store.keeps_parts:
        source.put_parts("in parts", content(20 * MIB), 8 * MIB)
    longbow.sync(source.at(), destination.at(), "--method", "stream")
    reads, writes = make_proxy(store), make_proxy(store)
    # By another endpoint, as here, and so without records of its own: listings alone must do.
    run = longbow.sync(source.at(via=reads), destination.at(via=writes), "--method", "stream")
    assert run.summary["copied"] == 0 and run.summary["listed"] == count
    assert run.summary["skipped"] == run.summary["listed"]
    assert set(reads.counts()) == {"ListObjectsV2"}, reads.counts()
    assert set(writes.counts()) <= {"ListObjectsV2", "ListMultipartUploads"}, writes.counts()


def test_what_listings_cannot_compare_is_remembered(seaweedfs, make_bucket, longbow, make_proxy):
    """A copy whose ETag had to differ is not copied again: the state knows which tag became which."""
    source, destination = make_bucket(seaweedfs), make_bucket(seaweedfs)
    # Uneven parts: no store can be asked to cut like this again.
    names = {"Bucket": source.name, "Key": "uneven"}
    upload = source.client.create_multipart_upload(**names)["UploadId"]
    body, cuts, parts = content(18 * MIB), [0, 7 * MIB, 12 * MIB, 18 * MIB], []
    for n in (1, 2, 3):
        piece = body[cuts[n - 1] : cuts[n]]
        tag = source.client.upload_part(**names, UploadId=upload, PartNumber=n, Body=piece)["ETag"]
        parts.append({"PartNumber": n, "ETag": tag})
    source.client.complete_multipart_upload(**names, UploadId=upload, MultipartUpload={"Parts": parts})
    reads, writes = make_proxy(seaweedfs), make_proxy(seaweedfs)
    sides = source.at(via=reads), destination.at(via=writes)
    assert longbow.sync(*sides, "--method", "stream").summary["copied"] == 1
    assert_same(source, destination)
    assert destination.head("uneven")["ETag"] != source.head("uneven")["ETag"]
    reads.calm(), writes.calm()
    assert longbow.sync(*sides, "--method", "stream").summary["copied"] == 0
    assert set(reads.counts()) == {"ListObjectsV2"} and "PutObject" not in writes.counts()


@pytest.mark.parametrize("how", ["size", "size-mtime", "etag", "checksum"])
def test_what_each_comparison_finds(source, destination, longbow, how):
    source.fill({"same": b"same", "resized": b"long", "rewritten": b"abcd"})
    longbow.sync(source.at(), destination.at(), "--compare", how)
    # Stores tell times in whole seconds.
    time.sleep(1.1)
    source.fill({"resized": b"longer", "rewritten": b"dcba", "new": b"new"})
    run = longbow.sync(source.at(), destination.at(), "--compare", how)
    assert run.summary["comparison"] == how
    found = {"resized", "new"} if how == "size" else {"resized", "new", "rewritten"}
    assert set(run.lines("copied")) == found
    if how != "size":
        assert_same(source, destination)


def test_the_default_comparison_is_named_and_sees_content(source, destination, longbow):
    source.put("k", b"abcd")
    destination.put("k", b"dcba")
    run = longbow.sync(source.at(), destination.at())
    assert run.summary["comparison"] == "etag"
    assert_same(source, destination)
    plain = longbow("sync", *longbow.sides(source.at(), destination.at()))
    assert "etag" in plain.out + plain.err


@pytest.mark.parametrize("method", ["stream", "server-side"])
def test_attributes_and_tags_are_kept(source, destination, longbow, method, store):
    source.put("small", b"x", **EVERYTHING)
    # ministack forgets the tags of an upload in parts.
    if store.keeps_parts:
        source.put_parts("large", content(11 * MIB), 5 * MIB, **EVERYTHING)
    source.put("plain", b"y")
    run = longbow.sync(source.at(), destination.at(), "--method", method)
    assert_same(source, destination, tags=True)
    assert destination.tags("small") == {"team": "blue", "note": "a+b c", "empty": ""}
    assert not any(line.get("lost") for line in run.report)


def test_tags_that_a_store_forgets_are_reported(ministack, make_bucket, longbow):
    """ministack takes the tags of an upload in parts and has none afterwards."""
    source, destination = make_bucket(ministack), make_bucket(ministack)
    source.put("small", b"x", Tagging="a=b&c=d")
    source.put_parts("large", content(11 * MIB), 5 * MIB)
    tags = {"TagSet": [{"Key": "a", "Value": "b"}, {"Key": "c", "Value": "d"}]}
    source.client.put_object_tagging(Bucket=source.name, Key="large", Tagging=tags)
    flags = ["--method", "stream", "--part-size", "5MiB"]
    run = longbow.sync(source.at(), destination.at(), *flags, env={"LONGBOW_WORKER__WHOLE_UP_TO": "5MiB"})
    assert destination.tags("small") == {"a": "b", "c": "d"} and destination.tags("large") == {}
    lines = run.lines("copied")
    assert lines["large"]["method"] == "multipart" and lines["large"]["lost"] == ["2 tags"]
    assert not lines["small"].get("lost")


def test_no_tags_asks_for_none_and_writes_none(source, destination, longbow, make_proxy, store):
    source.put("k", b"x", Tagging="a=b")
    reads, writes = make_proxy(store), make_proxy(store)
    longbow.sync(source.at(via=reads), destination.at(via=writes), "--no-tags", "--method", "stream")
    assert destination.tags("k") == {}
    assert not reads.requests("GetObjectTagging") and not writes.requests("PutObjectTagging")


def test_dry_run_counts_and_writes_nothing(source, destination, longbow, make_proxy, store):
    source.fill({"new": b"12345", "changed": b"123", "same": b"s"})
    destination.fill({"changed": b"321", "same": b"s", "extra": b"e"})
    before = destination.listing()
    writes = make_proxy(store)
    run = longbow.sync(source.at(), destination.at(via=writes), "--dry-run", "--delete")
    assert destination.listing() == before
    assert set(writes.counts()) <= LISTINGS, writes.counts()
    plan = run.summary
    assert plan["dry_run"] is True and plan["exit"] == 0 and plan["listed"] == 3
    assert plan["copy"]["missing"] == {"objects": 1, "bytes": 5}
    assert plan["copy"]["etag_differs"] == {"objects": 1, "bytes": 3}
    assert plan["skip"]["same"] == {"objects": 1, "bytes": 1}
    assert plan["delete"]["objects"] == 1
    said = longbow("sync", *longbow.sides(source.at(), destination.at()), "--dry-run", "--delete").out
    assert "delet" in said or "remove" in said
    # A plan that would be refused is refused when it is only shown, too.
    longbow.sync(source.at(), destination.at(), "--dry-run", "--delete", "--max-delete", "0", expect=4)
    assert destination.listing() == before


def test_lbb_63_include_exclude_and_ignore_file(source, destination, longbow, tmp_path):
    keys = ["logs/a.gz", "logs/deep/b.gz", "logs/c.txt", "logs/tmp/d.gz", "other/e.gz", "logs/f.GZ", "logs/secret.gz"]
    source.fill({key: key.encode() for key in keys})
    ignore = tmp_path / "ignore.globs"
    ignore.write_text(f"# a comment\n\n*secret*\n{source.name}/logs/tmp/*\n")
    run = longbow.sync(
        source.at(), destination.at(), "--include", "logs/*.gz", "--include", "nothing/*", "--exclude", "*/deep/*",
        "--ignore-file", ignore,
    )  # fmt: skip
    assert destination.keys() == ["logs/a.gz"]
    assert (run.summary["listed"], run.summary["copied"]) == (7, 1)
    # What is left out is not deleted either.
    destination.put("logs/tmp/mine", b"")
    longbow.sync(source.at(), destination.at(), "--ignore-file", ignore, "--delete", "--exclude", "*.GZ")
    assert "logs/tmp/mine" in destination.keys()


def test_a_prefix_is_a_folder(source, destination, longbow):
    source.fill({key: key.encode() for key in ["p", "p/a", "p/b/c", "p-x", "pp/d", "q/e"]})
    longbow.sync(source.at("p"), destination.at("in/here"))
    assert destination.keys() == ["in/here/a", "in/here/b/c"]
    assert_same(source, destination, "p/", "in/here/")
    longbow.sync(source.at("p/"), destination.at("slash/"))
    assert_same(source, destination, "p/", "slash/", extra=())


def test_a_raw_prefix_is_taken_as_it_is(ministack, make_bucket, longbow):
    source, destination = make_bucket(ministack), make_bucket(ministack)
    source.fill({key: key.encode() for key in ["p", "p/a", "p-x", "pp/d", "q/e"]})
    longbow.sync(source.at("p"), destination.at("n"), "--prefix-match", "raw")
    assert destination.keys() == ["n", "n-x", "n/a", "np/d"]


def test_delete_removes_only_what_is_extra(source, destination, longbow):
    source.fill({"keep/a": b"a", "keep/b": b"b"})
    destination.fill({"in/keep/a": b"a", "in/old/x": b"x", "in/y": b"y", "outside": b"o", "in-side": b"o"})
    run = longbow.sync(source.at(), destination.at("in"), "--delete")
    assert destination.keys() == ["in-side", "in/keep/a", "in/keep/b", "outside"]
    assert run.summary["deleted"] == 2 and len(run.lines("deleted")) == 2
    assert longbow.sync(source.at(), destination.at("in"), "--delete").summary["deleted"] == 0


def test_delete_above_the_limit_is_refused_whole(source, destination, longbow):
    source.put("a", b"a")
    destination.fill({f"old/{i}": b"x" for i in range(5)} | {"a": b"a"})
    run = longbow.sync(source.at(), destination.at(), "--delete", "--max-delete", "4", expect=4)
    assert len(destination.keys()) == 6
    assert "--max-delete" in run.out + run.err and "5" in run.out + run.err
    assert longbow.sync(source.at(), destination.at(), "--delete", "--max-delete", "5").summary["deleted"] == 5


def test_delete_with_an_empty_source_needs_room_too(source, destination, longbow):
    destination.fill({"a": b"a", "b": b"b"})
    longbow.sync(source.at(), destination.at(), "--delete", "--max-delete", "1", expect=4)
    assert destination.keys() == ["a", "b"]


def test_without_delete_nothing_is_removed(source, destination, longbow):
    source.put("a", b"a")
    destination.put("mine", b"m")
    longbow.sync(source.at(), destination.at())
    assert destination.keys() == ["a", "mine"]


@pytest.mark.parametrize("method", ["auto", "server-side"])
def test_one_store_copies_inside_itself(source, destination, longbow, proxy, store, method):
    source.fill(sizes())
    body = content(20 * MIB)
    if store.keeps_parts:
        source.put_parts("in parts", body, 8 * MIB)
    run = longbow.sync(source.at(via=proxy), destination.at(via=proxy), "--method", method)
    assert_same(source, destination)
    assert not proxy.requests("GetObject") and not proxy.requests("PutObject", "UploadPart")
    assert len(proxy.requests("CopyObject")) == len(sizes())
    lines = run.lines("copied")
    assert lines["one"]["method"] == "server-side"
    if store.keeps_parts:
        assert lines["in parts"]["method"] == "server-side-multipart"
        assert destination.head("in parts")["ETag"] == composite_etag(body, 8 * MIB)


def test_server_side_between_two_stores_is_refused(ministack, seaweedfs, make_bucket, longbow):
    source, destination = make_bucket(ministack), make_bucket(seaweedfs)
    source.put("k", b"k")
    run = longbow.sync(source.at(), destination.at(), "--method", "server-side", expect=2)
    assert "server-side" in run.err + run.out
    assert destination.keys() == []


@pytest.mark.parametrize("pair", [("ministack", "seaweedfs"), ("seaweedfs", "ministack")])
def test_between_two_kinds_of_store(stores, make_bucket, longbow, pair):
    """One lists in byte order, the other in folder order."""
    source, destination = (make_bucket(stores[name]) for name in pair)
    objects = sizes() | {f"order/{name}": name.encode() for name in ["a-b", "a.b", "a/b", "a0", "a/b-c", "a/c/d"]}
    source.fill(objects)
    # SeaweedFS keeps no metadata that is empty.
    source.put("everything", b"e", **EVERYTHING | {"Metadata": {"owner": "somebody"}})
    source.put_parts("in parts", content(12 * MIB), 6 * MIB, Metadata={"a": "b"})
    longbow.sync(source.at(), destination.at())
    assert_same(source, destination, tags=True)
    run = longbow.sync(source.at(), destination.at(), "--delete")
    assert run.summary["copied"] == run.summary["deleted"] == 0
    # A change in the middle of the order is found.
    source.put("order/a/b-c", b"changed")
    destination.put("order/a.c", b"extra")
    run = longbow.sync(source.at(), destination.at(), "--delete")
    assert set(run.lines("copied")) == {"order/a/b-c"} and run.summary["deleted"] == 1
    assert_same(source, destination, tags=True)


@pytest.mark.parametrize(("left", "right"), [("", ""), ("p", "p"), ("", "p"), ("p", ""), ("p/q", "p"), ("p", "p/q/r")])
def test_overlapping_sides_are_refused(ministack, make_bucket, longbow, left, right):
    bucket = make_bucket(ministack)
    bucket.fill({"p/a": b"a", "p/q/b": b"b"})
    run = longbow.sync(bucket.at(left), bucket.at(right), "--delete", expect=4)
    assert "overlap" in run.err + run.out
    assert bucket.keys() == ["p/a", "p/q/b"]


def test_sides_beside_each_other_are_no_overlap(ministack, make_bucket, longbow):
    bucket = make_bucket(ministack)
    bucket.fill({"p/a": b"a"})
    longbow.sync(bucket.at("p"), bucket.at("pp"))
    assert bucket.keys() == ["p/a", "pp/a"]


def test_storage_class_of_the_copies(seaweedfs, make_bucket, longbow):
    source, destination = make_bucket(seaweedfs), make_bucket(seaweedfs)
    source.put("k", b"k")
    source.put_parts("in parts", content(11 * MIB), 6 * MIB)
    longbow.sync(source.at(), destination.at(), "--storage-class", "STANDARD_IA", "--method", "stream")
    assert destination.head("k").get("StorageClass") == "STANDARD_IA"
    assert destination.head("in parts").get("StorageClass") == "STANDARD_IA"


def test_encryption_is_asked_for(ministack, make_bucket, longbow, make_proxy):
    source, destination = make_bucket(ministack), make_bucket(ministack)
    source.put("k", b"k")
    source.put_parts("in parts", content(11 * MIB), 6 * MIB)
    writes = make_proxy(ministack)
    flags = ["--sse", "aws:kms", "--sse-kms-key-id", "alias/mine", "--method", "stream"]
    longbow.sync(source.at(), destination.at(via=writes), *flags)
    assert_same(source, destination)
    asked = writes.requests("PutObject", "CreateMultipartUpload")
    # The small one is written once more, to see that the store looks at conditions (docs/decisions/0014).
    assert sorted(e.status for e in asked) == [200, 200, 412]
    for exchange in asked:
        assert exchange.headers["x-amz-server-side-encryption"] == "aws:kms"
        assert exchange.headers["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/mine"


def test_many_objects_in_pages(ministack, make_bucket, longbow):
    """More keys than a page of a listing holds, on both sides."""
    source, destination = make_bucket(ministack), make_bucket(ministack)
    source.fill({f"{i % 7}/{i:05}": b"%d" % i for i in range(1100)})
    run = longbow.sync(source.at(), destination.at(), "--method", "stream")
    assert run.summary["copied"] == 1100

    def tags(bucket):
        return {key: line["ETag"] for key, line in bucket.listing().items()}

    assert tags(source) == tags(destination)
    assert longbow.sync(source.at(), destination.at()).summary["copied"] == 0


def test_verify_says_how_strong_its_evidence_is(source, destination, longbow):
    source.fill({"same": b"same", "differs": b"abcd", "missing": b"m"})
    source.put_parts("in parts", content(11 * MIB), 6 * MIB)
    destination.fill({"same": b"same", "differs": b"dcba"})
    destination.put("in parts", content(11 * MIB))
    run = longbow.verify(source.at(), destination.at(), expect=3)
    said = {line["key"]: line for line in run.report}
    verdicts = {key: line["verdict"] for key, line in said.items()}
    assert verdicts == {"same": "same", "differs": "differs", "missing": "missing", "in parts": "unknown"}, run.report
    assert said["same"]["evidence"] == "e-tag", said["same"]
    assert destination.keys() == ["differs", "in parts", "same"], "verify must not copy"
    read = longbow.verify(source.at(), destination.at(), "--read", expect=3)
    said = {line["key"]: line for line in read.report}
    assert (said["in parts"]["verdict"], said["in parts"]["evidence"]) == ("same", "read")
    longbow.sync(source.at(), destination.at())
    assert longbow.verify(source.at(), destination.at()).code == 0
    assert longbow.verify(source.at(), destination.at(), "--read").code == 0
