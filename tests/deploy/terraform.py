"""Runs terraform on a copy of deploy/, with the AWS provider from wherever this machine has it.

Apart from the fixtures because every test of the deployment goes through it. A copy, so that nothing is written beside the sources
and a test may put files of its own there. It knows nothing of what is deployed.
"""

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Where a mirror of providers may lie; TF_PLUGIN_DIR goes first.
PLACES = ["~/.terraform.d/plugins", "/usr/share/terraform/plugins", "/usr/local/share/terraform/plugins", "/opt", "/usr/lib"]
# Folders below these.
DEPTH = 8


def program():
    """The path of terraform, or None."""
    return shutil.which("terraform")


@functools.cache
def mirror():
    """A folder that holds HOST/NAMESPACE/TYPE/VERSION/PLATFORM/terraform-provider-aws_v…, or None: then there is the registry."""
    named = os.environ.get("TF_PLUGIN_DIR")
    for place in ([named] if named else []) + PLACES:
        top = Path(place).expanduser()
        for folder, folders, files in os.walk(top):
            if len(Path(folder).relative_to(top).parts) >= DEPTH:
                folders.clear()
            if any(name.startswith("terraform-provider-aws_v") for name in files):
                # Five folders above: the platform's, the version's, the type's, the namespace's, the host's.
                return Path(folder).parents[4]
    return None


class Failed(AssertionError):
    """terraform said no."""


class Terraform:
    """A copy of the module, and terraform in it."""

    def __init__(self, folder, module="deploy"):
        """Copies deploy/ and what it reads, and works in `module` of the copy."""
        self.folder = folder
        for name in ("deploy", "packaging"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns(".terraform*", "*.tfstate*"))
        self.module = folder / module
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
            "TF_CLI_CONFIG_FILE": str(folder / "terraform.rc"),
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        found = mirror()
        lines = [f'provider_installation {{\n  filesystem_mirror {{\n    path = "{found}"\n  }}\n}}\n'] if found else []
        (folder / "terraform.rc").write_text("".join(lines))

    def __call__(self, *arguments, timeout=300, expect=0):
        """Runs it and gives its standard output."""
        run = subprocess.run(
            [program(), *arguments], cwd=self.module, env=self.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=timeout,
        )  # fmt: skip
        if run.returncode != expect:
            raise Failed(f"terraform {' '.join(arguments)}: {run.returncode}\n{run.stdout[-8000:]}\n{run.stderr[-8000:]}")
        return run.stdout

    def init(self):
        """Finds the provider. Where there is none, neither here nor in the registry, nothing can be told: a test is skipped."""
        try:
            self("init", "-backend=false", "-input=false", "-no-color")
        except Failed as failure:
            if mirror() or "registry" not in str(failure):
                raise
            pytest.skip(f"the AWS provider is not on this machine, and the registry does not give it: {str(failure)[-500:]}")
        return self

    def json(self, *arguments, **options):
        """The same, where it prints JSON."""
        return json.loads(self(*arguments, **options))
