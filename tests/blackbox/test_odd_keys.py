"""Keys are bytes: each arrives under exactly its own name, or is reported as one that cannot."""

import pytest

from stores import assert_same, each, tree

ODD = [
    "a//b", "/a", "//", "a/./b", "a/../b", "../up", "..", ".", "./", "a/..", "a/.",
    "plus+plus", "%41", "%2F", "%", "%%", "%zz", "a%2Fb", " lead", "trail ", "two  spaces", "tab\there",
    " ", "   ", "\t", "\u2003", "\u3000 ",
    "new\nline", "cr\rreturn", "crlf\r\n", "ctrl\x01\x1f", "del\x7f", "quote'\"<>&amp;", "?query=1&b#frag", "~*()!$@:;,=",
    "back\\slash", "bracket[^`{|}]", "über", "u\u0308ber", "日本/語", "emoji🪁", "\u200bzero-width", "\ufeffbom", "\u2028sep",
    "dir/", "dir/file", "x", "x/y", "x/y/z", "x.y", "x-y", "x0", "-rf", "--delete", "s3://other/bucket", "C:\\x", "nul:",
    "UPPER", "upper", "\U0010ffff", "\ue000", "k" * 1024, "é" * 512, "long/" + "s" * 300,
]  # fmt: skip

# SeaweedFS keeps no empty, `.` or `..` segments and no backslashes, cuts segments at 255 bytes, and knows `x` beside `x/`
# in one of the two listings only.
SEAWEEDFS_CANNOT = {
    "/a", "//", "a//b", "a/./b", "a/../b", "../up", "..", ".", "./", "a/..", "a/.", "back\\slash", "C:\\x",
    "s3://other/bucket", "dir/", "k" * 1024, "é" * 512, "long/" + "s" * 300, "x", "x/y",
}  # fmt: skip


def body(key):
    """Bytes that belong to this key alone."""
    return b"the bytes of " + key.encode() * 3


def fill(bucket, keys):
    """Writes each key with its own bytes and metadata."""
    each(lambda key: bucket.put(key, body(key), Metadata={"k": key.encode().hex()[:200]}), keys)


@pytest.mark.parametrize("method", ["stream", "server-side"])
def test_every_key_arrives_under_its_own_name(ministack, make_bucket, longbow, method):
    source, destination = make_bucket(ministack), make_bucket(ministack)
    fill(source, ODD)
    assert source.keys() == sorted(ODD, key=str.encode), "the store itself changed keys"
    run = longbow.sync(source.at(), destination.at(), "--method", method)
    assert_same(source, destination)
    assert set(run.lines("copied")) == set(ODD)
    assert longbow.sync(source.at(), destination.at()).summary["copied"] == 0
    assert longbow.verify(source.at(), destination.at(), "--read").code == 0


def test_below_odd_prefixes(ministack, make_bucket, longbow):
    source, destination = make_bucket(ministack), make_bucket(ministack)
    prefixes = ["a+b %41/", "ü?#/", "a//b/", "../x/"]
    for prefix in prefixes:
        fill(source, [prefix + "k", prefix + "/k", prefix + "deep/../k"])
        longbow.sync(source.at(prefix), destination.at("to/" + prefix))
        assert_same(source, destination, prefix, "to/" + prefix)


def test_every_odd_key_in_parts(ministack, make_bucket, longbow):
    """Multipart uploads name their key in more requests than a PUT."""
    source, destination = make_bucket(ministack), make_bucket(ministack)
    keys = ["a//b", "/a", "a/../b", "plus+%41", "new\nline", "?query=1&b#frag", "dir/", " ", "\t", "\u3000"]
    big = bytes(range(256)) * 256 * 84
    for key in keys:
        source.put_parts(key, body(key) + big, 5 * 1024 * 1024)
    flags = ["--method", "stream", "--part-size", "5MiB"]
    run = longbow.sync(source.at(), destination.at(), *flags, env={"LONGBOW_WORKER__WHOLE_UP_TO": "5MiB"})
    assert {line["method"] for line in run.report} == {"multipart"}
    assert_same(source, destination)


@pytest.mark.parametrize("pair", [("seaweedfs", "ministack"), ("ministack", "seaweedfs")])
def test_what_seaweedfs_can_hold(stores, make_bucket, longbow, pair):
    source, destination = (make_bucket(stores[name]) for name in pair)
    keys = [key for key in ODD if key not in SEAWEEDFS_CANNOT]
    fill(source, keys)
    longbow.sync(source.at(), destination.at())
    assert_same(source, destination)
    assert longbow.sync(source.at(), destination.at(), "--delete").summary["copied"] == 0
    assert_same(source, destination)


def test_keys_that_a_store_refuses_are_reported_one_by_one(ministack, seaweedfs, make_bucket, longbow):
    source, destination = make_bucket(ministack), make_bucket(seaweedfs)
    fill(source, ["a/../b", "k" * 1024, "good", "also good"])
    run = longbow.sync(source.at(), destination.at(), expect=1)
    assert destination.keys() == ["also good", "good"]
    assert set(run.lines("failed")) == {"a/../b", "k" * 1024}
    assert all(line["reason"] for line in run.lines("failed").values())


def test_a_key_that_seaweedfs_has_as_a_folder_is_said_to_be_one(ministack, seaweedfs, make_bucket, longbow):
    """It answers 412 for such a key, though nothing has it: nobody has changed anything."""
    source, destination = make_bucket(ministack), make_bucket(seaweedfs)
    fill(destination, ["x/y"])
    fill(source, ["good", "x"])
    run = longbow.sync(source.at(), destination.at(), expect=1)
    assert destination.keys() == ["good", "x/y"]
    failed = run.lines("failed")["x"]
    assert "refuses the key x:" in failed["reason"] and "changed" not in failed["reason"], failed
    assert failed["attempts"] == 1, failed


def test_keys_that_cannot_be_file_names(ministack, make_bucket, longbow, tmp_path):
    bucket = make_bucket(ministack)
    bad = ["../up", "a/../b", "..", ".", "a/./b", "a//b", "/etc/absolute", "x", "k" * 300, "dir/"]
    good = [
        "fine",
        "x/y",
        "plus+plus",
        "%41",
        "new\nline",
        "back\\slash",
        "-rf",
        "über/ü",
        " lead",
        "two  spaces",
        "*?",
    ]
    fill(bucket, bad + good)
    target = tmp_path / "room" / "to"
    target.parent.mkdir()
    run = longbow.sync(bucket.at(), target, expect=1)
    assert [p.name for p in target.parent.iterdir()] == ["to"], "something was written outside the folder"
    found = tree(target)
    for name, data in found.items():
        assert name in good + bad and data == body(name), f"{name!r} holds another key's bytes"
    assert set(good) - {"x/y"} <= set(found)
    # `x` and `x/y` cannot both be: exactly one is there, the other reported.
    assert ("x" in found) != ("x/y" in found)
    failed = set(run.lines("failed"))
    assert failed == (set(bad) | {"x/y"}) - set(found) - {"dir/"} or failed == (set(bad) | {"x/y"}) - set(found), run
    assert all(line["reason"] for line in run.lines("failed").values())
    # It stays so: a second run neither merges nor crashes.
    again = longbow.sync(bucket.at(), target, expect=1)
    assert tree(target) == found and again.summary["copied"] == 0


def test_names_of_a_folder_that_are_no_keys(longbow, ministack, make_bucket, tmp_path):
    """A file name need not be UTF-8; a key must be."""
    folder = tmp_path / "from"
    folder.mkdir()
    (folder / "good").write_bytes(b"good")
    with open(bytes(folder) + b"/bad\xff", "wb") as file:
        file.write(b"bad")
    bucket = make_bucket(ministack)
    run = longbow.sync(folder, bucket.at(), expect=None)
    assert bucket.keys() == ["good"]
    assert "bad" in run.out + run.err, f"a file was passed over in silence:\n{run}"
