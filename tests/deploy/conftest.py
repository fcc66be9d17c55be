"""Fixtures of the tests of deploy/. Without terraform they are skipped and say so."""

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "blackbox")]

import terraform  # noqa: E402


def pytest_collection_modifyitems(items):
    """Says once, for each test that needs it, that terraform is missing."""
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


@pytest.fixture(scope="session")
def emulator(tmp_path_factory):
    """AWS on this machine."""
    from emulator import Emulator

    emulator = Emulator(tmp_path_factory.mktemp("emulator"))
    yield emulator
    emulator.stop()


@pytest.fixture(scope="session")
def deployment(tmp_path_factory, emulator):
    """The module, applied once for all tests."""
    from deployment import Deployment

    return Deployment(tmp_path_factory.mktemp("deployment"), emulator)
