"""Memory does not depend on the size of an object or on their number: the kernel's own account of the peak."""

import pytest

from stores import GIB, MIB, Place
from zeros import Zeros

LIMIT_KIB = 128 * 1024


@pytest.fixture
def copy_zeros(make_longbow):
    """Copies one object of zeros; gives the run."""

    def copy(size):
        zeros = Zeros(size)
        try:
            longbow = make_longbow(f"home-{size}")
            sides = Place("s3://source", zeros.url), Place("s3://destination", zeros.url)
            run = longbow.sync(*sides, "--method", "stream", timeout=110)
            assert zeros.written == {"k": size}
            assert run.summary["bytes_copied"] == size
            return run
        finally:
            zeros.close()

    return copy


def test_lbb_36_the_peak_is_the_same_for_a_large_and_a_huge_object(copy_zeros):
    large, huge = copy_zeros(512 * MIB), copy_zeros(8 * GIB)
    print(f"peak memory: 512 MiB {large.peak_kib // 1024} MiB, 8 GiB {huge.peak_kib // 1024} MiB; "
          f"processor seconds a GiB: {huge.cpu_seconds / 8:.2f}")  # fmt: skip
    assert large.peak_kib <= LIMIT_KIB and huge.peak_kib <= LIMIT_KIB, (large.peak_kib, huge.peak_kib)
    assert huge.peak_kib <= large.peak_kib * 1.25 + 8 * 1024, (large.peak_kib, huge.peak_kib)


def test_the_peak_with_many_small_objects(ministack, make_bucket, longbow):
    source, destination = make_bucket(ministack), make_bucket(ministack)
    source.fill({f"k{i:05}": b"x" * 2000 for i in range(1000)})
    run = longbow.sync(source.at(), destination.at(), "--method", "stream")
    assert run.summary["copied"] == 1000
    assert run.peak_kib <= LIMIT_KIB, run.peak_kib
