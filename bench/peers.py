#!/usr/bin/env python3
"""What other programs answer of the same two checkpoints, and what the answer takes.

    bench/peers.py               a table in Markdown, as the README has it
    bench/peers.py --answers     and what each of them prints

Run by a Python with the packages of tests/requirements-peers.txt (tools/make_venvs.py peers). Two pairs are made of
examples/vit-mae-tiny: one model under the names of transformers 4 and 5, and a model to whose second block noise was added. Times are
those of whole processes by the processor's clock (user and system), the least of five, which other programs disturb little.
"""

import argparse
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

import safetensors.torch
import torch
from figures import ROOT, SAMEBITS, processor

HF = ROOT / "examples" / "vit-mae-tiny" / "hf"
TORCH = """
import sys, safetensors.torch, torch
a, b = (safetensors.torch.load_file(path + "/model.safetensors") for path in sys.argv[1:])
print("same" if a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a) else "different")
"""


def programs():
    here = pathlib.Path(sys.executable).parent
    tool = {name: [sys.executable, str(found)] for name in ("sft", "modeldelta", "mergelens") for found in (tool_path(here, name),)}
    file = "/model.safetensors"
    return {
        "samebits diff": lambda a, b: [SAMEBITS, "diff", a, b],
        "cmp": lambda a, b: ["cmp", a + file, b + file],
        "import torch, nothing else": lambda a, b: [sys.executable, "-c", "import torch"],
        "torch.equal": lambda a, b: [sys.executable, "-c", TORCH, a, b],
        "sft diff --delta": lambda a, b: [*tool["sft"], "diff", a + file, b + file, "--delta"],
        "modeldelta": lambda a, b: [*tool["modeldelta"], "-q", a, b],
        "mergelens compare": lambda a, b: [*tool["mergelens"], "compare", a, b],
    }


def tool_path(here, name):
    found = here / name if (here / name).exists() else shutil.which(name)
    return found or sys.exit(f"peers.py: {name} is not there; tools/make_venvs.py peers prints the Python to run this with")


def make_pairs(folder):
    state = safetensors.torch.load_file(HF / "model.safetensors")
    draws = torch.Generator().manual_seed(1)
    changed = {
        name: value + 0.002 * torch.randn(value.shape, generator=draws) if "vit.encoder.layer.1." in name else value for name, value in state.items()
    }
    for name in ("model", "renamed", "changed"):
        shutil.copytree(HF, folder / name)
    safetensors.torch.save_file(changed, folder / "changed" / "model.safetensors", metadata={"format": "pt"})
    words = ["convert", HF.parent / "statedict.pth", folder / "renamed" / "model.safetensors", "--to", "safetensors", "--strip-prefix", "model.", "--force"]
    subprocess.run([SAMEBITS, *map(str, words)], check=True, capture_output=True)
    return {"renamed": ("model", "renamed"), "changed": ("model", "changed")}


def measured(command, folder, repeats=5):
    """Seconds of the processor, and the lines of the answer."""
    least = float("inf")
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"})
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        least = min(least, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return least, (done.stdout + done.stderr).strip().splitlines()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--answers", action="store_true")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        print(f"{processor()}\n\n| program | renamed | changed |\n|---|---|---|")
        answers = []
        pairs = make_pairs(folder)
        for program, command in programs().items():
            cells = []
            for pair, (a, b) in pairs.items():
                seconds, lines = measured(command(a, b), folder, options.repeats)
                cells.append(f"{seconds:.3g} s")
                answers.append(f"--- {program}, {pair}\n" + "\n".join(lines[:40] if len(lines) <= 40 else lines[:20] + ["..."] + lines[-20:]))
            print(f"| {program} | {' | '.join(cells)} |", flush=True)
        if options.answers:
            print("\n" + "\n\n".join(answers))


if __name__ == "__main__":
    main()
