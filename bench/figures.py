"""What the benchmarks share: the program, the models that are made once and kept, and the table of figures."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("SAMEBITS_CACHE", pathlib.Path.home() / ".cache" / "samebits")) / "bench"
SAMEBITS = os.environ.get("SAMEBITS", str(ROOT / "build" / "release" / "samebits"))


def make_routes():
    """The routes of one ViT-MAE base, and a copy of its state dict."""
    data = CACHE / "vit-mae-base"
    if not (data / "done").exists():
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir(parents=True)
        script = ROOT / "tests" / "fixtures" / "make_routes.py"
        subprocess.run([sys.executable, script, data, "--size", "base", "--routes", "hf", "whole", "statedict"], check=True)
        shutil.copyfile(data / "statedict.pth", data / "copy.pth")
        (data / "done").touch()
    for file in data.rglob("*"):
        if file.is_file():
            file.read_bytes()  # into the page cache
    return data


class Table:
    def __init__(self):
        self.rows = []
        self.failed = 0

    def add(self, what, figure, limit, unit, detail=""):
        held = figure <= limit
        self.failed += not held
        self.rows.append({"what": what, "figure": figure, "limit": limit, "unit": unit, "held": held, "detail": detail})
        shown = f"{figure:.3g} {unit}".strip()
        print(f"{what:58} {shown:>12}   at most {limit:g} {unit:4} {'yes' if held else 'NO':4} {detail}", flush=True)

    def conclude(self, path=None):
        """Writes the rows as JSON where a path is given. The exit status: 1 where a figure does not hold."""
        if path:
            path.write_text(json.dumps(self.rows, indent=1) + "\n")
        print(f"\n{len(self.rows) - self.failed} of {len(self.rows)} figures hold")
        return 1 if self.failed else 0
