"""Runs `terraform test`: deploy/tests, with a provider that makes nothing. And that no condition of an input is left untried."""

import json
import re

import pytest

from written import DEPLOY, MODULES, blocks

FILES = sorted((DEPLOY / "tests").glob("*.tftest.hcl"))
RUN = re.compile(r'^run "([\w-]+)" \{\n(.*?)^\}', re.M | re.S)


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_terraforms_own_tests_pass(module, file):
    lines = [json.loads(line) for line in module("test", "-json", f"-filter=tests/{file.name}", timeout=500).splitlines()]
    [summary] = [line["test_summary"] for line in lines if line["type"] == "test_summary"]
    assert summary["status"] == "pass" and summary["passed"] == len(RUN.findall(file.read_text())), summary


@pytest.mark.no_terraform
def test_there_are_enough_of_them():
    assert sum(file.read_text().count("assert {") for file in FILES) >= 30


@pytest.mark.no_terraform
@pytest.mark.parametrize("folder", [DEPLOY, *MODULES], ids=lambda path: path.name)
def test_every_condition_of_an_input_is_tried(folder):
    tried = {}
    for file in FILES:
        for _, body in RUN.findall(file.read_text()):
            source = re.search(r'source = "\./modules/([\w-]+)"', body)
            if (source[1] if source else "deploy") == folder.name:
                for name in re.findall(r"var\.(\w+)", body.partition("expect_failures")[2]):
                    tried[name] = tried.get(name, 0) + 1
    for name, body in blocks(folder, "variable").items():
        conditions = body.count("validation {")
        # Each condition of the module by itself; of its parts, each input.
        assert tried.get(name, 0) >= (conditions if folder == DEPLOY else min(1, conditions)), name
