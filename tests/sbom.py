#!/usr/bin/env python3
"""Writes the list of all parts that the program is made of: CycloneDX 1.5 as JSON, from the lock file by `cargo metadata`.

    tests/sbom.py [FILE]      by default target/sbom.json

Only what the program itself needs: what tests and builds need beside it is left out. The same lock file gives the same list,
so that two lists can be compared.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = "longbow"


def metadata():
    """What cargo knows of the workspace, for the platform that this runs on."""
    version = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    host = next(line.removeprefix("host: ") for line in version.splitlines() if line.startswith("host: "))
    command = [os.environ.get("CARGO", "cargo"), "metadata", "--format-version", "1", "--locked", "--offline",
               "--filter-platform", host]  # fmt: skip
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def checksums():
    """(name, version) → SHA-256 of each package, as the lock file has them."""
    import tomllib

    packages = tomllib.loads((ROOT / "Cargo.lock").read_text())["package"]
    return {(p["name"], p["version"]): p["checksum"] for p in packages if "checksum" in p}


def needed(nodes, first):
    """The ids that are reached by dependencies of the program itself."""
    found, open_ones = set(), [first]
    while open_ones:
        one = open_ones.pop()
        if one in found:
            continue
        found.add(one)
        for dependency in nodes[one]["deps"]:
            if any(kind["kind"] is None for kind in dependency["dep_kinds"]):
                open_ones.append(dependency["pkg"])
    return found


def document():
    """The list."""
    known, sums = metadata(), checksums()
    packages = {package["id"]: package for package in known["packages"]}
    nodes = {node["id"]: node for node in known["resolve"]["nodes"]}
    [program] = [p for p in packages.values() if p["name"] == PROGRAM and p["source"] is None]
    ids = needed(nodes, program["id"])

    def purl(package):
        return f"pkg:cargo/{package['name']}@{package['version']}"

    def part(package):
        entry = {"type": "library", "bom-ref": purl(package), "name": package["name"], "version": package["version"],
                 "purl": purl(package)}  # fmt: skip
        if package["license"]:
            # `A/B` is the old form of OR.
            entry["licenses"] = [{"expression": package["license"].replace("/", " OR ")}]
        if (package["name"], package["version"]) in sums:
            entry["hashes"] = [{"alg": "SHA-256", "content": sums[package["name"], package["version"]]}]
        return entry

    def edges(one):
        to = {purl(packages[d["pkg"]]) for d in nodes[one]["deps"] if d["pkg"] in ids}
        return {"ref": purl(packages[one]), "dependsOn": sorted(to)}

    return {
        "bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1,
        "metadata": {"component": {**part(program), "type": "application"}},
        "components": sorted((part(packages[i]) for i in ids - {program["id"]}), key=lambda entry: entry["bom-ref"]),
        "dependencies": sorted((edges(i) for i in ids), key=lambda entry: entry["ref"]),
    }  # fmt: skip


def main():
    """Writes it."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "target" / "sbom.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document(), indent=1) + "\n")
    print(file)


if __name__ == "__main__":
    main()
