"""`longbow sync` where one side or both are folders."""

import os

import pytest

from stores import MIB, content, tree, write_tree

FILES = {
    "empty": b"",
    "page.html": b"<html>",
    ".hidden/dot": b".",
    "deep/er/and deeper/ü+ %41.txt": content(70_000),
}
# More than goes in one request.
LARGE = {"large.bin": content(70 * MIB)}


@pytest.fixture
def folder(tmp_path):
    """A folder with files."""
    write_tree(tmp_path / "from", FILES)
    return tmp_path / "from"


def test_folder_to_store_and_back(folder, tmp_path, store, make_bucket, longbow):
    bucket, files = make_bucket(store), FILES | (LARGE if store.keeps_parts else {})
    write_tree(folder, files)
    run = longbow.sync(folder, bucket.at("in"))
    assert run.summary["copied"] == len(files)
    assert {key: bucket.get(key) for key in bucket.keys()} == {f"in/{name}": data for name, data in files.items()}
    assert not bucket.uploads()
    assert longbow.sync(folder, bucket.at("in")).summary["copied"] == 0
    back = tmp_path / "back"
    longbow.sync(bucket.at("in"), back)
    assert tree(back) == files
    again = longbow.sync(bucket.at("in"), back)
    assert again.summary["copied"] == 0, again
    assert longbow.verify(folder, bucket.at("in"), "--read").code == 0
    assert longbow.verify(bucket.at("in"), back, "--read").code == 0


def test_changes_in_a_folder_are_found(folder, ministack, make_bucket, longbow):
    bucket = make_bucket(ministack)
    longbow.sync(folder, bucket.at())
    (folder / "page.html").write_bytes(b"<xhtml>")
    (folder / "new").write_bytes(b"n")
    (folder / "empty").unlink()
    # Same size, other bytes, a later time.
    (folder / "deep/er/and deeper/ü+ %41.txt").write_bytes(content(70_000, seed=1))
    later = os.stat(folder / "new").st_mtime + 5
    os.utime(folder / "deep/er/and deeper/ü+ %41.txt", (later, later))
    run = longbow.sync(folder, bucket.at(), "--delete")
    assert set(run.lines("copied")) == {"page.html", "new", "deep/er/and deeper/ü+ %41.txt"}
    assert run.summary["deleted"] == 1
    assert {key: bucket.get(key) for key in bucket.keys()} == tree(folder)


def test_a_touched_file_of_equal_bytes_is_told_by_checksum(folder, ministack, make_bucket, longbow, make_proxy):
    bucket, writes = make_bucket(ministack), make_proxy(ministack)
    longbow.sync(folder, bucket.at())
    later = os.stat(folder / "page.html").st_mtime + 50
    os.utime(folder / "page.html", (later, later))
    longbow.sync(folder, bucket.at(via=writes), "--compare", "checksum")
    assert not writes.requests("PutObject")


def test_folder_to_folder(folder, tmp_path, longbow):
    target = tmp_path / "to"
    write_tree(folder, LARGE)
    longbow.sync(folder, target)
    assert tree(target) == FILES | LARGE
    assert longbow.sync(folder, target).summary["copied"] == 0
    (folder / "page.html").write_bytes(b"<xhtml>")
    (target / "extra").write_bytes(b"e")
    run = longbow.sync(folder, target, "--delete")
    assert (run.summary["copied"], run.summary["deleted"]) == (1, 1)
    assert tree(target) == tree(folder)


def test_no_temporary_file_is_left_and_none_is_listed(ministack, make_bucket, longbow, tmp_path):
    bucket = make_bucket(ministack)
    bucket.fill({f"k{i}": content(100_000, i) for i in range(20)})
    target = tmp_path / "to"
    longbow.sync(bucket.at(), target)
    assert sorted(tree(target)) == sorted(bucket.keys())
    assert [p.name for p in target.rglob("*") if p.name not in bucket.keys()] == []


@pytest.mark.parametrize(("left", "right"), [(".", "."), (".", "deep"), ("deep", ".")])
def test_overlapping_folders_are_refused(folder, longbow, left, right):
    before = tree(folder)
    run = longbow.sync(folder / left, folder / right, "--delete", expect=4)
    assert "overlap" in run.err + run.out
    assert tree(folder) == before


def test_overlap_through_a_link_is_refused(folder, tmp_path, longbow):
    (tmp_path / "link").symlink_to(folder)
    before = tree(folder)
    longbow.sync(folder, tmp_path / "link" / "deep", "--delete", expect=4)
    assert tree(folder) == before


def test_links_in_a_destination_folder_are_not_followed_outside(ministack, make_bucket, longbow, tmp_path):
    bucket = make_bucket(ministack)
    bucket.fill({"way/out": b"planted", "fine": b"fine"})
    outside, target = tmp_path / "outside", tmp_path / "to"
    outside.mkdir()
    target.mkdir()
    (target / "way").symlink_to(outside)
    run = longbow.sync(bucket.at(), target, expect=None)
    assert list(outside.iterdir()) == []
    assert (target / "fine").read_bytes() == b"fine"
    assert run.code == 1 or tree(target) == {"way/out": b"planted", "fine": b"fine"}


def test_a_missing_source_folder_is_a_usage_error(tmp_path, ministack, make_bucket, longbow):
    bucket = make_bucket(ministack)
    bucket.put("precious", b"p")
    run = longbow.sync(tmp_path / "absent", bucket.at(), "--delete", expect=None)
    assert run.code == 2, str(run)
    assert bucket.keys() == ["precious"]


def test_what_is_no_file_is_passed_over_and_told(folder, ministack, make_bucket, longbow):
    (folder / "dangling").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe")
    bucket = make_bucket(ministack)
    run = longbow.sync(folder, bucket.at())
    assert set(bucket.keys()) == set(FILES)
    assert run.summary["passed_over"] == 2
    for name in ("pipe", "dangling"):
        assert name in run.out + run.err, f"what was passed over must be told to machines, too:\n{run}"
    plain = longbow("sync", *longbow.sides(folder, bucket.at()))
    assert "pipe" in plain.out and "dangling" in plain.out
