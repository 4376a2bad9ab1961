"""docs/json.md names every key that the program prints, and no key that it does not."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest
import torch

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "cli"))

import fixtures  # noqa: E402

PROGRAM = os.environ.get("SAMEBITS", str(ROOT / "build" / "release" / "samebits"))
# Objects whose keys come from the files that were read, or depend on the cause.
FREE = {
    ".subjects[].config", ".subjects[].preprocessing", ".subjects[].producer", ".subjects[].training.values",
    ".subjects[].modules[].hyper", ".findings[].evidence", ".config[].fields[].a", ".config[].fields[].b",
    ".preprocessing[].fields[].a", ".preprocessing[].fields[].b",
}
COMMANDS = [
    ["inspect", "whole.pth", "--sha256"],
    ["inspect", "hf"],
    ["inspect", "nosuch"],
    ["diff", "a.safetensors", "ulp.safetensors"],
    ["diff", "a.safetensors", "prefixed.safetensors"],
    ["diff", "hf", "hf-half"],
    ["diff", "a.safetensors", "ulp.safetensors", "--rtol", "0.1"],
    ["diff", "a.safetensors", "trained.safetensors", "--filter", "attn"],
    ["check", "a.safetensors", "--for", "more.json"],
    ["resume", "a.safetensors"],
    ["verify", "hf", "hf.lock"],
    ["explain", "hf", "whole.pth"],
]


def documented():
    """Object path -> its keys, from the tables under the headings that name a path."""
    found, path = {}, None
    for line in (ROOT / "docs" / "json.md").read_text().splitlines():
        if line.startswith("#"):
            heading = re.fullmatch(r"### `(\.[^`]*)`", line)
            path = heading.group(1) if heading else None
            if path:
                found[path] = set()
        elif path and line.startswith("| `"):
            found[path].update(re.findall(r"`([^`]+)`", line.split(" | ")[0]))
    found[".preprocessing[]"] = found[".config[]"]
    found[".preprocessing[].fields[]"] = found[".config[].fields[]"]
    return found


def keys_of(value, path, found):
    """Adds every object path below `value` with its keys to `found`."""
    if path in FREE:
        return
    if isinstance(value, dict):
        found.setdefault(path or ".", set()).update(value)
        for key, member in value.items():
            keys_of(member, f"{path}.{key}", found)
    elif isinstance(value, list):
        for member in value:
            keys_of(member, f"{path}[]", found)


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("json")
    fixtures.write(folder)
    torch.save(torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout()), folder / "whole.pth")
    subprocess.run([PROGRAM, "lock", "hf", "-o", "hf.lock"], cwd=folder, check=True, capture_output=True)
    found = {}
    for command in COMMANDS:
        done = subprocess.run([PROGRAM, *command, "--json"], cwd=folder, capture_output=True, timeout=60)
        keys_of(json.loads(done.stdout), "", found)
    return found


def test_every_key_is_documented(printed):
    known = documented()
    for path, keys in printed.items():
        assert keys <= known.get(path, set()), path


def test_every_documented_key_is_printed(printed):
    for path, keys in documented().items():
        if path in printed:
            assert keys <= printed[path], path


def test_the_samples_hold_most_objects(printed):
    missing = set(documented()) - set(printed)
    assert missing <= {
        ".outputs[]", ".weights[].exchanges[]", ".weights[].ties[]", ".preprocessing[]", ".preprocessing[].fields[]",
        ".subjects[].oddities[]", ".subjects[].code", ".loads[].repair[]", ".loads[].refits[]", ".weights[].rules[]",
    }
