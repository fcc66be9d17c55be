"""The list of the program's parts: written, whole, and the same each time."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def write(file):
    """The list, by the script."""
    subprocess.run([sys.executable, ROOT / "tests" / "sbom.py", file], check=True, capture_output=True)
    return json.loads(file.read_text())


def test_the_list_of_parts_is_whole(tmp_path):
    found = write(tmp_path / "sbom.json")
    assert (found["bomFormat"], found["metadata"]["component"]["name"]) == ("CycloneDX", "longbow")
    parts = {part["name"]: part for part in found["components"]}
    assert {"longbow-core", "longbow-aws", "longbow-worker", "tokio", "aws-sdk-s3", "rustls"} <= set(parts)
    # What only tests need is no part of it.
    assert "acceptance" not in parts
    assert all("licenses" in part and part["purl"].startswith("pkg:cargo/") for part in found["components"])
    others = [part for part in found["components"] if not part["name"].startswith("longbow-")]
    assert len(others) > 50 and all(len(part["hashes"][0]["content"]) == 64 for part in others)
    # Nothing depends on what is not listed.
    listed = {part["bom-ref"] for part in found["components"]} | {found["metadata"]["component"]["bom-ref"]}
    assert {entry["ref"] for entry in found["dependencies"]} == listed
    assert all(set(entry["dependsOn"]) <= listed for entry in found["dependencies"])
    assert found == write(tmp_path / "again.json")
