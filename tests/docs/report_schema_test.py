"""docs/report.schema.json holds for every object that the program prints."""

import copy
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

import jsonschema
import pytest
import safetensors.torch
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "cli"))

import fixtures  # noqa: E402

PROGRAM = os.environ.get("SAMEBITS", str(ROOT / "build" / "release" / "samebits"))
SCHEMA = json.loads((ROOT / "docs" / "report.schema.json").read_text())
COMMANDS = [
    "inspect whole.pth --sha256",
    "inspect a.safetensors hf nosuch",
    "inspect --recursive hf --filter bias",
    "inspect script.pt",
    "inspect training.pth",
    "diff a.safetensors ulp.safetensors --rtol 0.1",
    "diff a.safetensors trained.safetensors --filter attn",
    "diff a.safetensors exchanged.safetensors",
    "diff apart.safetensors kqv.safetensors",
    "diff a.safetensors nosuch",
    "explain hf hf-half",
    "explain mae mae",
    "check a.safetensors --for more.json",
    "check prefixed.safetensors --for a.safetensors",
    "resume training.pth",
    "lock hf",
    "lock whole.pth --fast",
    "verify hf hf.lock",
    "run mae",
    "run a.safetensors",
    "train mae --data images.safetensors --val images.safetensors --out trained --epochs 1",
    "train mae --data nosuch --out trained-too --epochs 1",
    "convert a.safetensors out.npz --to npz",
    "convert a.safetensors out.xyz --to xyz",
    "diff a.safetensors",
    "nosuch",
]


def strict(schema):
    """The same where objects have no other keys than those that are named."""
    schema = copy.deepcopy(schema)
    for each in schema["$defs"].values():
        close(each)
    return schema


def close(schema):
    if isinstance(schema, dict):
        if "properties" in schema:
            schema["additionalProperties"] = False
        for member in schema.values():
            close(member)
    elif isinstance(schema, list):
        for member in schema:
            close(member)


VALIDATOR = jsonschema.Draft202012Validator(strict(SCHEMA))
NAMES = {
    "samebits.report/1": "report",
    "samebits.convert/1": "conversion",
    "samebits.lock/1": "lock",
    "samebits.error/1": "error",
    "samebits.train/1": "trained",
}


def hold(value):
    """Against the one schema that it names: a list of what may be would be told of every other."""
    if isinstance(value, list):
        for each in value:
            hold(each)
        return
    name = NAMES.get(value["schema"])
    if name in (None, "trained"):  # these have another form where they failed
        name = ("failed_" if "not_checked" in value else "") + (name or "run")
    jsonschema.Draft202012Validator({**strict(SCHEMA), "anyOf": [{"$ref": f"#/$defs/{name}"}]}).validate(value)


def printed(command, folder):
    done = subprocess.run([PROGRAM, *command], cwd=folder, capture_output=True, timeout=60)
    return json.loads(done.stdout)


def of_transcripts():
    """Their commands, with --json, of the kinds that print it."""
    found = set()
    for path in sorted((ROOT / "tests" / "cli").glob("*.transcript")):
        for line in path.read_text().splitlines():
            plain = re.fullmatch(r"\$ samebits (inspect|diff|explain|check|resume|verify) ([^|<>;&$`]+)", line)
            if plain and "--help" not in line and "--html" not in line and "--write" not in line:
                found.add(f"{plain.group(1)} {plain.group(2)}")
    return sorted(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("schema")
    fixtures.write(made)
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Dropout())
    torch.save(model, made / "whole.pth")
    torch.jit.script(model).save(made / "script.pt")
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}, made / "training.pth")
    config = json.loads((made / "mae" / "config.json").read_text())
    images = torch.randn(3, config["num_channels"], config["image_size"], config["image_size"])
    safetensors.torch.save_file({"images": images}, made / "images.safetensors")
    subprocess.run([PROGRAM, "lock", "hf", "-o", "hf.lock"], cwd=made, check=True, capture_output=True)
    return made


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("command", COMMANDS)
def test_holds_for(command, folder):
    words = shlex.split(command)
    value = printed(words if words[0] == "lock" else [*words, "--json"], folder)
    hold(value)
    assert VALIDATOR.is_valid(value)


def test_holds_for_the_transcripts(folder):
    commands = of_transcripts()
    assert len(commands) > 50
    for command in commands:
        hold(printed([*(word for word in shlex.split(command) if word != "--json"), "--json"], folder))


def test_a_missing_and_an_unknown_key_are_noticed(folder):
    value = printed(["diff", "a.safetensors", "ulp.safetensors", "--json"], folder)
    assert VALIDATOR.is_valid(value)
    without = {key: member for key, member in value.items() if key != "verdict"}
    assert not VALIDATOR.is_valid(without)
    assert not VALIDATOR.is_valid({**value, "verdict": "similar"})
    assert not VALIDATOR.is_valid({**value, "new": 1})
    jsonschema.Draft202012Validator(SCHEMA).validate({**value, "new": 1})  # a later version's key
