"""Bytes that turn and bodies that end too early, exhaustively and by the thousand: every one is noticed.

Apart from `test_faults.py`, where each kind of fault has one test of its own. Here the proxy proves of each damage that it
was done, a reader that shares no code with longbow compares all bytes afterwards, and what was sent again is counted: a
damage that nobody noticed costs no repetition.
"""

import hashlib
import random
import threading

import pytest

import faults
from stores import KIB, MIB, Bucket, content, each

SIZE = 4 * KIB
KEYS = [f"k{at:04}" for at in range(SIZE)]
PART = 5 * MIB
# Damages at random places, and the objects that they meet: of one small part, and of two large ones and a small one.
RANDOM, SMALL, LARGE = 10_000, 900, 45
# On two cores of its own each test takes half a minute.
SECONDS = 500
pytestmark = pytest.mark.timeout(SECONDS + 60)


@pytest.fixture
def longbow(make_longbow):
    """In a hurry: what is tried again, is tried again at once."""
    longbow = make_longbow()
    longbow.environment |= {"LONGBOW_WORKER__RETRY_FIRST": "1ms", "LONGBOW_WORKER__RETRY_MOST": "20ms"}
    longbow.environment |= {"LONGBOW_WORKER__MAX_OBJECTS": "1000", "LONGBOW_WORKER__MAX_REQUESTS": "1000"}
    return longbow


@pytest.fixture(scope="module")
def objects(stores, tmp_path_factory):
    """As many objects as one has bytes; which byte of an object is damaged is its number."""
    bucket = Bucket(stores["seaweedfs"], f"damage-{tmp_path_factory.getbasetemp().name}")
    bucket.fill_fast({key: content(SIZE, at) for at, key in enumerate(KEYS)})
    yield bucket
    bucket.remove()


@pytest.fixture(scope="module")
def expected():
    """What every copy of them must have."""
    return {key: (SIZE, hashlib.sha256(content(SIZE, at)).hexdigest()) for at, key in enumerate(KEYS)}


def mask(at):
    """Which bits of this byte turn: of eight bytes each has another single bit, and every other value comes, too."""
    return 1 << (at // 2 % 8) if at % 2 else at // 2 % 255 + 1


def inject(proxy, planned, part_of=lambda exchange: exchange.part):
    """Has the planned damages done; of each is proved afterwards that it was."""
    schedule = faults.Schedule(planned, part_of)
    proxy.inject(schedule)

    def assert_done():
        assert not schedule.left, f"never met: {list(schedule.left)[:10]}"
        hit = [exchange for exchange in proxy.requests() if exchange.faults]
        assert len(hit) == sum(len(faults) for faults in planned.values())
        assert all(exchange.damaged for exchange in hit), [str(e) for e in hit if not e.damaged][:10]

    return assert_done


def test_each_byte_on_its_way_from_the_source(objects, expected, seaweedfs, make_bucket, make_proxy, longbow):
    """It turns; then the body ends there, and says that it is no longer."""
    destination, reads = make_bucket(seaweedfs), make_proxy(seaweedfs)
    planned = {
        ("GetObject", key, None): [faults.FlipReply(at, mask(at)), faults.ShortenReply(SIZE - at)]
        for at, key in enumerate(KEYS)
    }
    assert_done = inject(reads, planned)
    run = longbow.sync(objects.at(via=reads), destination.at(), "--method", "stream", timeout=SECONDS)
    assert_done()
    assert destination.digests(KEYS) == expected
    # An object that has another length is looked at anew: that is no failed attempt.
    assert min(line["attempts"] for line in run.report) == 2 and len(reads.requests("GetObject")) >= 3 * SIZE


def test_each_byte_on_its_way_to_the_destination(objects, expected, seaweedfs, make_bucket, make_proxy, longbow):
    """It turns; then the tag in the answer is another one."""
    destination, writes = make_bucket(seaweedfs), make_proxy(seaweedfs)
    planned = {
        ("PutObject", key, None): [faults.FlipRequest(at, mask(at)), faults.TurnTag(at % 32, at // 32 % 15 + 1)]
        for at, key in enumerate(KEYS)
    }
    assert_done = inject(writes, planned)
    run = longbow.sync(objects.at(), destination.at(via=writes), "--method", "stream", timeout=SECONDS)
    assert_done()
    assert destination.digests(KEYS) == expected
    assert min(line["attempts"] for line in run.report) == 3, "each damage costs an attempt"
    turned = [e for e in writes.requests("PutObject") if any(isinstance(f, faults.FlipRequest) for f in e.faults)]
    assert {e.status for e in turned} == {400}, "the store took bytes that do not fit their digest"


def passing(exchange):
    """Which bytes of its object a request moves: where they begin, and how many they are."""
    if exchange.operation == "GetObject" and "range" in exchange.headers:
        first, last = exchange.headers["range"].removeprefix("bytes=").split("-")
        return int(first), int(last) + 1 - int(first)
    if exchange.operation == "UploadPart":
        return (exchange.part - 1) * PART, int(exchange.headers["content-length"])
    return None


class Chance:
    """Damages whatever passes of a part, at a random place, until the part has had as much as it is to have."""

    def __init__(self, seed, left):
        self._seed, self._left, self._lock = seed, left, threading.Lock()

    def __call__(self, exchange):
        moved = passing(exchange)
        if moved is None or moved[1] == 0:
            return None
        part = exchange.key, moved[0] // PART
        with self._lock:
            left = self._left.get(part, 0)
            chance = random.Random(f"{self._seed} {part} {left} {exchange.operation}")
            # Half of the reads pass, so that as many bytes turn on the second hop.
            if left == 0 or (exchange.operation == "GetObject" and chance.random() < 0.5):
                return None
            self._left[part] = left - 1
        return self.damage(chance, exchange.operation, moved[1])

    @staticmethod
    def damage(chance, operation, size):
        """What befalls a body of this size."""
        at, turned = chance.randrange(size), chance.randrange(1, 256)
        if operation == "UploadPart":
            return chance.choice([faults.FlipRequest(at, turned), faults.CutRequest(at)])
        return chance.choice([faults.FlipReply(at, turned), faults.ShortenReply(size - at), faults.CutReply(at)])


def test_damage_at_random_places_of_uploads(seaweedfs, make_bucket, make_proxy, longbow):
    """Objects that were uploaded in parts travel in parts: most in a single small one, some in two of 5 MiB and a small one."""
    seed = 20_261
    chance = random.Random(seed)
    source, destination = make_bucket(seaweedfs), make_bucket(seaweedfs)
    reads, writes = make_proxy(seaweedfs), make_proxy(seaweedfs)
    bodies = {f"s{n:04}": content(chance.randrange(1, 16 * KIB), n) for n in range(SMALL)}
    bodies |= {f"l{n:02}": content(2 * PART + chance.randrange(1, 64 * KIB), n) for n in range(LARGE)}
    left = {(key, 0): 11 for key in bodies if key[0] == "s"}
    left |= {(key, part): (2, 2, 8)[part] for key in bodies if key[0] == "l" for part in range(3)}
    each(lambda item: source.put_parts(*item, PART), bodies.items())
    damages = Chance(seed, left)
    for proxy in (reads, writes):
        proxy.inject(damages)
    flags = ["--method", "stream", "--no-tags", "--max-attempts", "40"]
    run = longbow.sync(source.at(via=reads), destination.at(via=writes), *flags, timeout=SECONDS)
    damaged = [exchange for proxy in (reads, writes) for exchange in proxy.requests() if exchange.damaged]
    assert len(damaged) >= RANDOM
    assert sum(passing(exchange)[1] > 2 * MIB for exchange in damaged) >= LARGE
    wanted = {key: (len(body), hashlib.sha256(body).hexdigest()) for key, body in bodies.items()}
    assert destination.digests(bodies) == wanted, f"seed {seed}"
    assert run.summary["copied"] == len(bodies) and not destination.uploads()
