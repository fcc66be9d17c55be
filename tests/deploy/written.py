"""The text of the modules: where they lie, and the blocks that they hold."""

import re

from terraform import ROOT

DEPLOY = ROOT / "deploy"
MODULES = sorted(path for path in (DEPLOY / "modules").iterdir() if path.is_dir())
BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.M | re.S)


def blocks(folder, kind):
    """Name → text of the variables or outputs of a module."""
    found = {}
    for path in sorted(folder.glob("*.tf")):
        found |= {name: body for what, name, body in BLOCK.findall(path.read_text()) if what == kind}
    return found
