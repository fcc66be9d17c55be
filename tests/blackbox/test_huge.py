"""Objects at the border of what one request may move: 5 GiB, and one byte more."""

import pytest

from stores import GIB, Place
from zeros import PART, Zeros

BORDER = 5 * GIB


@pytest.mark.timeout(600)
@pytest.mark.parametrize("method", ["server-side", "stream"])
@pytest.mark.parametrize("size", [BORDER, BORDER + 1], ids=["5 GiB", "and a byte"])
def test_five_gibibytes_go_in_one_request_and_a_byte_more_in_parts(longbow, method, size):
    """As the source has published no other checksum of the whole than its MD5, one request is chosen as long as one may be."""
    zeros = Zeros(size, digest="5" * 32)
    try:
        sides = Place("s3://source", zeros.url), Place("s3://destination", zeros.url)
        run = longbow.sync(*sides, "--method", method, timeout=500)
        assert zeros.written == {"k": size} and run.summary["bytes_copied"] == size
        parts = [] if size == BORDER else [PART] * (BORDER // PART) + [1]
        assert [zeros.parts[number] for number in sorted(zeros.parts)] == parts
        [line] = run.report
        assert (line["outcome"], line["attempts"], line["parts"]) == ("copied", 1, len(parts))
    finally:
        zeros.close()
