"""The module as it is written: format, validity, and what must be said of every variable and output."""

import json
import re
import subprocess
import tomllib

import pytest

from program import binary
from terraform import ROOT, program
from written import BLOCK, DEPLOY, MODULES, blocks

def test_the_format_is_terraforms():
    run = subprocess.run([program(), "fmt", "-check", "-recursive", "-diff"], cwd=DEPLOY, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_module_is_valid(module):
    assert json.loads(module("validate", "-json"))["valid"]


@pytest.mark.no_terraform
@pytest.mark.parametrize("folder", [DEPLOY, *MODULES], ids=lambda path: path.name)
def test_every_module_has_its_four_files_and_says_what_each_input_is(folder):
    for name in ("main.tf", "variables.tf", "outputs.tf", "versions.tf"):
        assert (folder / name).is_file(), name
    for name, body in blocks(folder, "variable").items():
        assert re.search(r"^  description\s+= ", body, re.M), f"{name} is not described"
        kind = re.search(r"^  type\s+= (\w+)", body, re.M)
        assert kind, f"{name} has no type"
        assert kind[1] == "bool" or "validation {" in body, f"{name} is not validated"
    for name, body in blocks(folder, "output").items():
        assert re.search(r"^  description\s+= ", body, re.M), f"{name} is not described"


@pytest.mark.no_terraform
@pytest.mark.parametrize("folder", [DEPLOY, *MODULES], ids=lambda path: path.name)
def test_every_input_is_used(folder):
    text = "".join(path.read_text() for path in folder.glob("*.tf"))
    unused = [name for name in blocks(folder, "variable") if len(re.findall(rf"\bvar\.{name}\b", re.sub(BLOCK, "", text))) == 0]
    assert unused == []


@pytest.mark.no_terraform
def test_the_table_is_the_one_that_the_program_wants():
    run = subprocess.run([binary(), "state", "schema"], capture_output=True, text=True, check=True)
    assert json.loads((DEPLOY / "modules/state/schema.json").read_text()) == json.loads(run.stdout)


@pytest.mark.no_terraform
def test_settings_have_the_names_that_the_program_gives_them():
    known = tomllib.loads((ROOT / "config" / "default.toml").read_text())
    routes = (DEPLOY / "variables_routes.tf").read_text()
    for side in ("source", "destination"):
        [body] = re.findall(rf"^    {side} = optional\(object\(\{{\n(.*?)^    \}}\)", routes, re.M | re.S)
        # The key that objects are encrypted with is a matter of rights, not of longbow.
        named = set(re.findall(r"^      (\w+) +=", body, re.M)) - {"kms_key_arn"}
        assert named and named <= set(known[side]), named - set(known[side])
    [body] = re.findall(r'^variable "worker" \{.*?object\(\{\n(.*?)^  \}\)', (DEPLOY / "variables_fleet.tf").read_text(), re.M | re.S)
    assert set(re.findall(r"^    (\w+) +=", body, re.M)) <= set(known["worker"])
    [body] = re.findall(r"^    cluster = \{\n(.*?)^    \}", (DEPLOY / "settings.tf").read_text(), re.M | re.S)
    assert set(re.findall(r"^      (\w+) +=", body, re.M)) <= set(known["cluster"])
