#!/usr/bin/env python3
"""Measures the program against what people use today, side by side in one run, and prints ratios of medians.

    make bench                     all of it, at ViT-MAE base size (three files of 448 MB are made once and kept)
    bench/run.py --repeats 21      more repeats
    bench/run.py --json FILE       the same figures as JSON

Run by a Python with torch and transformers, which are one of the sides. Every command is a whole process, its input in the page
cache. The sides of one comparison take turns, so that a disturbance hits all of them.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CACHE = pathlib.Path(os.environ.get("SAMEBITS_CACHE", pathlib.Path.home() / ".cache" / "samebits")) / "bench"
SAMEBITS = os.environ.get("SAMEBITS", str(ROOT / "build" / "release" / "samebits"))

TORCH_EQUAL = """
import sys, torch
a, b = (torch.load(path, mmap=True, weights_only=True) for path in sys.argv[1:])
assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
"""


def make_data():
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


FORWARD = """
import statistics, sys, time, torch, transformers
name, folder, batch, threads, repeats = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
torch.set_num_threads(threads)
model = getattr(transformers, name).from_pretrained(folder).eval()
images, times = torch.randn(batch, 3, 224, 224), []
with torch.no_grad():
    model(images)
    for _ in range(repeats):
        start = time.perf_counter()
        model(images)
        times.append(time.perf_counter() - start)
print(statistics.median(times))
"""
VIT = """
import sys, torch, transformers
torch.manual_seed(7)
transformers.ViTForImageClassification(transformers.ViTConfig(num_labels=1000)).save_pretrained(sys.argv[1])
"""


def make_vit():
    folder = CACHE / "vit-base"
    if not (folder / "model.safetensors").exists():
        subprocess.run([sys.executable, "-c", VIT, folder], check=True, stderr=subprocess.DEVNULL)
    return folder


def forward_seconds(name, folder, batch, threads, repeats):
    """Medians of one forward pass: ours, PyTorch's. Each side loads once and takes turns three times."""
    ours, theirs = [], []
    command = [SAMEBITS, "run", folder, "--randn", f"{batch}x3x224x224", "--threads", str(threads), "--repeat", str(repeats), "--json"]
    for _ in range(3):
        done = subprocess.run(command, capture_output=True, check=True)
        ours.append(statistics.median(json.loads(done.stdout)["timing"]["forward_s"]))
        words = [sys.executable, "-c", FORWARD, name, folder, str(batch), str(threads), str(repeats)]
        theirs.append(float(subprocess.run(words, capture_output=True, check=True).stdout))
    return statistics.median(ours), statistics.median(theirs)


class AnonymousMemory:
    """The largest RssAnon of a process, sampled; what a process allocates, without the files that it maps."""

    def __init__(self, process):
        self.largest = 0
        self.thread = threading.Thread(target=self.watch, args=(process,))
        self.thread.start()

    def watch(self, process):
        while process.poll() is None:
            try:
                status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
            except OSError:
                return
            for line in status.splitlines():
                if line.startswith("RssAnon:"):
                    self.largest = max(self.largest, int(line.split()[1]) * 1024)
            time.sleep(0.002)


def run_once(command, expect):
    start = time.perf_counter()
    process = subprocess.run(command, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - start
    if process.returncode not in expect:
        raise SystemExit(f"{command} ended with status {process.returncode}, expected {expect}")
    return seconds


def anonymous_memory(command):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    memory = AnonymousMemory(process)
    process.wait()
    memory.thread.join()
    return memory.largest


def compare(sides, repeats):
    """sides: name -> (command, expected statuses, repeats or None). Medians in seconds, the sides taking turns."""
    times = {name: [] for name in sides}
    for name, (command, expect, _) in sides.items():
        run_once(command, expect)  # warm
    for i in range(repeats):
        for name, (command, expect, own) in sides.items():
            if own is None or i < own:
                times[name].append(run_once(command, expect))
    return {name: statistics.median(taken) for name, taken in times.items()}


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


def measure(data, repeats, table):
    state, copy = str(data / "statedict.pth"), str(data / "copy.pth")
    hf, whole = str(data / "hf"), str(data / "whole.pth")
    medians = compare({
        "diff": ([SAMEBITS, "diff", state, copy], {0}, None),
        "cmp": (["cmp", state, copy], {0}, None),
        "torch": ([sys.executable, "-c", TORCH_EQUAL, state, copy], {0}, 5),
        "renamed": ([SAMEBITS, "diff", hf, whole], {0, 1}, None),
        "inspect": ([SAMEBITS, "inspect", state], {0, 1}, None),
        "inspect whole": ([SAMEBITS, "inspect", whole], {0, 1}, None),
        "explain": ([SAMEBITS, "explain", "--files-only", hf, whole, state], {0, 1, 2}, None),
    }, repeats)
    for name, seconds in medians.items():
        print(f"  {name:16} {seconds * 1000:9.1f} ms")
    print()
    table.add("diff of two state dicts / cmp of the files", medians["diff"] / medians["cmp"], 1, "")
    table.add("diff of two state dicts / torch.load(mmap), torch.equal", medians["diff"] / medians["torch"], 1 / 8, "")
    table.add("diff, directory against whole module / cmp", medians["renamed"] / medians["cmp"], 2, "")
    table.add("inspect of a state dict", medians["inspect"] * 1000, 30, "ms")
    table.add("inspect of a whole module", medians["inspect whole"] * 1000, 30, "ms")
    table.add("explain of three routes, from the files", medians["explain"], 0.6, "s")
    for name, command in {"two state dicts": [state, copy], "directory against whole module": [hf, whole]}.items():
        table.add(f"anonymous memory of diff, {name}", anonymous_memory([SAMEBITS, "diff", *command]) / 1e6, 64, "MB")


def measure_forward(data, table):
    for name, folder, ratio in (("ViTForImageClassification", make_vit(), 1.25), ("ViTMAEForPreTraining", data / "hf", 1.4)):
        for batch, threads in ((1, 1), (1, 2), (8, 1), (8, 2)):
            ours, theirs = forward_seconds(name, folder, batch, threads, 5 if batch == 1 else 3)
            what = f"{name}, batch {batch}, threads {threads}, run / PyTorch"
            table.add(what, ours / theirs, 1 / ratio, "", f"{ours * 1000:.0f} ms against {theirs * 1000:.0f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    data = make_data()
    print(f"ViT-MAE base, 448 MB a file, page cache warm, {os.cpu_count()} cores, medians of {options.repeats}\n")
    table = Table()
    measure(data, options.repeats, table)
    measure_forward(data, table)
    if options.json:
        options.json.write_text(json.dumps(table.rows, indent=1) + "\n")
    print(f"\n{len(table.rows) - table.failed} of {len(table.rows)} figures hold")
    return 1 if table.failed else 0


if __name__ == "__main__":
    sys.exit(main())
