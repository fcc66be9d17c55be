"""Bad networks: one that loses every twentieth packet, and one of eight megabits."""

from urllib.parse import urlsplit

import pytest

from link import LOSS, SLOW, Link
from stores import KIB, MIB, Place, assert_same, content

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def store(seaweedfs):
    """One that checks digests."""
    return seaweedfs


@pytest.fixture
def make_link(proxy, tmp_path):
    """Makes a network between the program and the proxy."""
    made = []

    def make(rules):
        if Link.missing:
            pytest.skip(Link.missing)
        address = urlsplit(proxy.url)
        try:
            made.append(Link((address.hostname, address.port), rules, tmp_path))
        except OSError as refusal:
            pytest.skip(f"needs the right to make a network namespace ({refusal})")
        return made[-1]

    yield make
    for link in made:
        link.close()


def through(link, bucket):
    """A bucket as it is seen from inside."""
    return Place(bucket.at().uri, link.url)


def test_a_link_that_loses_every_twentieth_packet(source, destination, longbow, make_link):
    source.fill({f"k{n:03}": content(4 * KIB, n) for n in range(200)})
    source.put_parts("parts", content(6 * MIB), 5 * MIB)
    link = make_link(LOSS)
    running = longbow.start_sync(
        through(link, source), through(link, destination), "--method", "stream", prefix=link.prefix
    )
    run = longbow.judge(running.wait(240), 0)
    assert link.dropped() > 20, "the link lost next to nothing"
    assert_same(source, destination)
    assert (run.summary["copied"], run.summary["failed"]) == (201, 0)
    assert destination.uploads() == []


def test_a_link_of_eight_megabits(source, destination, longbow, make_link, proxy):
    """A part takes ten seconds: that is slow, and no standstill, so nothing is given up or sent again."""
    source.fill({f"k{n:03}": content(4 * KIB, n) for n in range(50)})
    source.put_parts("parts", content(7 * MIB), 5 * MIB)
    link = make_link(SLOW)
    running = longbow.start_sync(
        through(link, source), through(link, destination), "--method", "stream", prefix=link.prefix
    )
    run = longbow.judge(running.wait(240), 0)
    assert run.seconds > 7, "the link was not slow"
    assert_same(source, destination)
    assert all(line["attempts"] == 1 for line in run.report)
    assert sorted(e.part for e in proxy.requests("UploadPart")) == [1, 2], "a part was sent again"
