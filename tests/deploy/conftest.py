"""Fixtures of the tests of deploy/. Without terraform they are skipped and say so."""

import shutil
import sys
import tempfile
import threading
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "blackbox")]

import terraform  # noqa: E402


def pytest_collection_modifyitems(items):
    """What needs the deployment comes last. Without terraform, each test that needs it says that it is missing."""
    items.sort(key=lambda item: "deployment" in getattr(item, "fixturenames", ()))
    if terraform.program():
        return
    missing = pytest.mark.skip(reason="terraform is not installed here")
    for item in items:
        if "no_terraform" not in item.keywords:
            item.add_marker(missing)


def pytest_configure(config):
    config.addinivalue_line("markers", "no_terraform: runs without terraform")


@pytest.fixture(scope="session")
def module(tmp_path_factory):
    """The module with its provider, for whatever changes nothing."""
    return terraform.Terraform(tmp_path_factory.mktemp("module")).init()


class Making:
    """The module being applied, beside whatever else is tested: it is waiting for most of its time."""

    def __init__(self):
        from emulator import Emulator

        self.folder = Path(tempfile.mkdtemp(prefix="longbow-deployment-"))
        self.made = self.error = None
        # Here and not in the thread: the emulator ends with the thread that started it.
        self.emulator = Emulator(self.folder)
        self._thread = threading.Thread(target=self._make)
        self._thread.start()

    def _make(self):
        from deployment import Deployment

        try:
            self.made = Deployment(self.folder, self.emulator)
        except BaseException as error:  # noqa: BLE001: told by the test that needs it
            self.error = error

    def wait(self):
        """What came of it."""
        self._thread.join()
        if self.error:
            raise self.error
        return self.made

    def end(self):
        """Takes everything away."""
        self._thread.join()
        self.emulator.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def pytest_collection_finish(session):
    """Begins to make the deployment at once, if a test asks for it."""
    asked = any("deployment" in getattr(item, "fixturenames", ()) for item in session.items)
    session.config.making = Making() if asked and terraform.program() and not session.config.option.collectonly else None


def pytest_unconfigure(config):
    """Whatever happened, nothing goes on running."""
    if getattr(config, "making", None):
        config.making.end()


@pytest.fixture(scope="session")
def deployment(pytestconfig):
    """The module, applied once for all tests."""
    return pytestconfig.making.wait()
