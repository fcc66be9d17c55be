"""Fixtures of the black-box tests: the servers, buckets, a proxy, the program, a fleet's queue and table, a wrong clock.

The servers come from the environment (`tests/run` starts them); without it they are started here, so that
`pytest tests/blackbox` works alone, with the packages of `tests/requirements.txt`.
"""

import itertools
import os
import socket
import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import clocks  # noqa: E402
import rights  # noqa: E402
from chaos import Proxy  # noqa: E402
from fleet import Cluster  # noqa: E402
from program import Longbow  # noqa: E402
from servers import Servers  # noqa: E402
from stores import Bucket, Place, Store  # noqa: E402

_NUMBERS = itertools.count(1)
# What the fleet's commands have asked for through proxies.
_PROXIED = set()


def pytest_collection_modifyitems(items):
    """What looks at all that was asked for comes last."""
    items.sort(key=lambda item: item.path.name == "test_rights.py")


@pytest.fixture
def proxied():
    """(command, action, thing) of all requests through proxies up to now."""
    return _PROXIED


@pytest.fixture(scope="session")
def variables():
    """Where the servers are, and their credentials."""
    names = ["LONGBOW_TEST_SEAWEEDFS", "LONGBOW_TEST_MINISTACK", "LONGBOW_TEST_ACCESS_KEY", "LONGBOW_TEST_SECRET_KEY"]
    if all(name in os.environ for name in names):
        yield {name: os.environ[name] for name in names}
        return
    servers = Servers(Path(__file__).resolve().parents[2] / "target" / "test-servers")
    try:
        yield servers.variables()
    finally:
        servers.stop()


@pytest.fixture(scope="session")
def stores(variables):
    """Both stores by name."""
    keys = variables["LONGBOW_TEST_ACCESS_KEY"], variables["LONGBOW_TEST_SECRET_KEY"]
    return {name: Store(name, variables[f"LONGBOW_TEST_{name.upper()}"], *keys) for name in ("seaweedfs", "ministack")}


@pytest.fixture
def ministack(stores):
    """The store that takes every key and lists in byte order."""
    return stores["ministack"]


@pytest.fixture
def seaweedfs(stores):
    """The store that checks signatures and lists in folder order."""
    return stores["seaweedfs"]


@pytest.fixture(params=["seaweedfs", "ministack"])
def store(request, stores):
    """Each store in turn."""
    return stores[request.param]


@pytest.fixture
def make_bucket():
    """Makes buckets that are gone after the test."""
    made = []

    def make(store, role="b"):
        bucket = Bucket(store, f"t{os.getpid()}-{next(_NUMBERS)}-{role}")
        made.append(bucket)
        return bucket

    yield make
    for bucket in made:
        bucket.remove()


@pytest.fixture
def source(store, make_bucket):
    """A bucket to copy from."""
    return make_bucket(store, "source")


@pytest.fixture
def destination(store, make_bucket):
    """A bucket to copy to, in the same store."""
    return make_bucket(store, "destination")


@pytest.fixture
def make_proxy():
    """Makes proxies that are gone after the test."""
    made = []

    def make(store):
        proxy = Proxy(store.url)
        made.append(proxy)
        return proxy

    yield make
    for proxy in made:
        proxy.close()
        _PROXIED.update(call for exchange in proxy.requests() for call in rights.calls(exchange))


@pytest.fixture
def proxy(store, make_proxy):
    """A proxy before the store."""
    return make_proxy(store)


@pytest.fixture
def make_longbow(tmp_path, variables):
    """Makes homes to run the program in."""

    def make(name="home"):
        keys = variables["LONGBOW_TEST_ACCESS_KEY"], variables["LONGBOW_TEST_SECRET_KEY"]
        return Longbow(tmp_path / name, *keys)

    return make


@pytest.fixture
def longbow(make_longbow):
    """The program in a fresh home."""
    return make_longbow()


@pytest.fixture
def cluster(ministack, longbow):
    """A queue and a table that nobody else uses."""
    cluster = Cluster(ministack)
    longbow.environment.update(cluster.environment)
    longbow("state", "create-table", "--table", cluster.table)
    return cluster


@pytest.fixture
def parameters(ministack, longbow):
    """Stores a parameter and gives its name."""
    client = Cluster.client(ministack, "ssm")
    longbow.environment["AWS_ENDPOINT_URL_SSM"] = ministack.url
    made = []

    def put(value, kind="String", name=None):
        name = name or f"/longbow-test/{Cluster.unique()}"
        client.put_parameter(Name=name, Value=value, Type=kind, Overwrite=True)
        made.append(name)
        return name

    yield put
    for name in set(made):
        client.delete_parameter(Name=name)


@pytest.fixture(scope="session")
def clock_library(tmp_path_factory):
    """What makes a clock wrong."""
    library = clocks.build(tmp_path_factory.mktemp("clock"))
    if library is None:
        pytest.skip("needs a C compiler")
    return library


@pytest.fixture
def clock(clock_library, tmp_path):
    """The program's clock."""
    return clocks.WrongClock(clock_library, tmp_path / "offset")


@pytest.fixture(scope="session", autouse=True)
def silent_endpoint(request, variables, tmp_path_factory):
    """A run whose source takes connections and never says a word. Only time ends it, so it begins before all other tests,
    if its own is among them."""
    wanted = "test_an_endpoint_that_takes_connections_and_says_nothing_is_given_up_and_named"
    if not any(item.name == wanted for item in request.session.items):
        yield None
        return
    listener, held = socket.create_server(("127.0.0.1", 0)), []

    def accept():
        while True:
            try:
                held.append(listener.accept())
            except OSError:
                return

    threading.Thread(target=accept, daemon=True).start()
    folder = tmp_path_factory.mktemp("silent")
    longbow = Longbow(folder / "home", variables["LONGBOW_TEST_ACCESS_KEY"], variables["LONGBOW_TEST_SECRET_KEY"])
    place = f"127.0.0.1:{listener.getsockname()[1]}"
    (folder / "copy").mkdir()
    (folder / "copy" / "kept").write_bytes(b"k")
    running = longbow.start_sync(Place("s3://somewhere", f"http://{place}"), folder / "copy", "--delete")
    yield longbow, running, place, folder / "copy"
    if running.process.poll() is None:
        running.kill()
        running.process.wait()
    # A thread that waits in accept() is not woken by a close.
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
