"""The deployment that the tests make once: its variables, and what came of it."""

import json
import shutil
from pathlib import Path

from terraform import Terraform

HERE = Path(__file__).resolve().parent
OTHER_ROLE = "arn:aws:iam::210987654321:role/longbow-writer"
KEY = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"

# Every kind of route: own buckets with events and removals, another account by role, another partition by stored keys.
ROUTES = {
    "photos": {
        "from": "s3://photos/originals",
        "to": "s3://photos-copy/originals",
        "events": True,
        "propagate_deletes": True,
        "source": {"kms_key_arn": KEY},
        "destination": {"storage_class": "STANDARD_IA"},
    },
    "papers": {
        "from": "s3://papers",
        "to": "s3://papers-elsewhere/in",
        "compare": "version",
        "exclude": ["*.tmp"],
        "destination": {"role_arn": OTHER_ROLE, "external_id": "papers", "region": "eu-west-1"},
    },
    "logs": {
        "from": "s3://logs/2026",
        "to": "s3://logs-cn",
        "destination": {"region": "cn-northwest-1", "credentials_parameter": "/longbow/china"},
    },
}


def variables(binary, **more):
    """The variables of the module."""
    return {
        "binaries": {"x86_64": str(binary), "aarch64": str(binary)},
        "alarm_emails": ["somebody@example.org"],
        "interface_endpoints": ["sqs"],
        "routes": ROUTES,
        **more,
    }


class Deployment:
    """The module, applied to an emulator."""

    def __init__(self, folder, emulator, **more):
        """Makes everything; raises if one thing cannot be made."""
        self.emulator = emulator
        binary = folder / "longbow"
        binary.write_bytes(b"not the program, but something with a checksum")
        self.terraform = Terraform(folder)
        shutil.copy(HERE / "emulated_provider.tf", self.terraform.module)
        values = variables(binary, emulator=emulator.url, **more)
        (self.terraform.module / "test.auto.tfvars.json").write_text(json.dumps(values))
        self.terraform.init()
        self.terraform("plan", "-input=false", "-no-color", "-out=first", timeout=600)
        self.planned = self.terraform.json("show", "-json", "first")
        self.terraform("apply", "-input=false", "-no-color", "-auto-approve", "-parallelism=30", "first", timeout=600)
        self.outputs = {name: found["value"] for name, found in self.terraform.json("output", "-json").items()}
        self.state = self.terraform.json("show", "-json")

    def resources(self, kind=None):
        """What was made (or, of kind data, read): address → values."""
        found = {}

        def walk(module):
            for resource in module.get("resources", []):
                if kind is None and resource["mode"] == "managed" or resource["type"] == kind:
                    found[resource["address"]] = resource["values"]
            for child in module.get("child_modules", []):
                walk(child)

        walk(self.state["values"]["root_module"])
        return found

    def plan_again(self):
        """What a second plan would change: address → names of the attributes that differ."""
        self.terraform("plan", "-input=false", "-no-color", "-out=second", timeout=600)
        changes = self.terraform.json("show", "-json", "second").get("resource_changes", [])
        found = {}
        for change in changes:
            if change["mode"] != "managed" or change["change"]["actions"] in (["no-op"], ["read"]):
                continue
            before, after = change["change"]["before"] or {}, change["change"]["after"] or {}
            unknown = change["change"]["after_unknown"] or {}
            names = {name for name in set(before) | set(after) if before.get(name) != after.get(name)}
            found[change["address"]] = sorted(names | {name for name, is_so in unknown.items() if is_so is True})
        return found


def statements(deployment, name):
    """The statements of a policy, lists made of what may be one or many."""
    [policy] = [v["policy"] for a, v in deployment.resources().items() if a == f"module.iam.{name}"]
    listed = lambda x: x if isinstance(x, list) else [x]  # noqa: E731
    return [{**s, "Action": listed(s["Action"]), "Resource": listed(s["Resource"])} for s in json.loads(policy)["Statement"]]
