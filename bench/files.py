#!/usr/bin/env python3
"""Measures what is done with files against what people use today, side by side in one run: ratios of medians.

    make bench                       this and forward.py, at ViT-MAE base size (files of 448 MB are made once and kept)
    bench/files.py --repeats 21      more repeats
    bench/files.py --json FILE       the same figures as JSON

Run by a Python with torch and transformers, which are one of the sides. Every command is a whole process, its input in the page
cache. The sides of one comparison take turns, so that a disturbance hits all of them.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

from figures import SAMEBITS, Table, make_routes, processor

TORCH_EQUAL = """
import sys, torch
a, b = (torch.load(path, mmap=True, weights_only=True) for path in sys.argv[1:])
assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)
"""


THOUSAND = """
import sys, torch
tensors = {f"layers.{i}.weight": torch.randn(64, 64) for i in range(1000)}
torch.save(tensors, sys.argv[1])
torch.save(tensors, sys.argv[2])
torch.save({f"model.blocks.{name.split('.')[1]}.linear.weight": tensor for name, tensor in tensors.items()}, sys.argv[3])
"""


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


def thousand_tensors(data):
    """Three files of 1000 tensors, 16 MB each: two of one naming, one of another."""
    paths = [data / f"thousand-{i}.pth" for i in range(3)]
    if not all(path.exists() for path in paths):
        subprocess.run([sys.executable, "-c", THOUSAND, *map(str, paths)], check=True)
    return list(map(str, paths))


def measure_writing(data, repeats, table):
    state, lock = str(data / "statedict.pth"), str(data / "state.lock")
    one, same, renamed = thousand_tensors(data)
    subprocess.run([SAMEBITS, "lock", state, "-o", lock], check=True, stdout=subprocess.DEVNULL)
    medians = compare({
        "verify": ([SAMEBITS, "verify", state, lock], {0}, None),
        "sha256sum": (["sha256sum", state], {0}, None),
        "convert": ([SAMEBITS, "convert", state, str(data / "converted.safetensors"), "--to", "safetensors", "--force"], {0}, None),
        # Both sides end when the disk has the bytes.
        "cp, sync": (["sh", "-c", 'cp "$0" "$1" && sync "$1"', state, str(data / "copied.pth")], {0}, None),
        "one naming": ([SAMEBITS, "diff", one, same], {0}, None),
        "two namings": ([SAMEBITS, "diff", one, renamed], {0}, None),
    }, repeats)
    for name, seconds in medians.items():
        print(f"  {name:16} {seconds * 1000:9.1f} ms")
    print()
    table.add("verify / sha256sum", medians["verify"] / medians["sha256sum"], 0.6, "")
    table.add("convert to safetensors / cp, sync", medians["convert"] / medians["cp, sync"], 1.15, "")
    table.add("1000 renamed tensors, beyond reading", (medians["two namings"] - medians["one naming"]) * 1000, 100, "ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=11)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--record", action="store_true", help="keep the ratios in bench/history: on a quiet machine")
    options = parser.parse_args()
    data = make_routes()
    print(f"ViT-MAE base, 448 MB a file, page cache warm, {processor()}, {os.cpu_count()} cores, medians of {options.repeats}\n")
    table = Table()
    measure(data, options.repeats, table)
    measure_writing(data, options.repeats, table)
    return table.conclude(options.json, options.record)


if __name__ == "__main__":
    sys.exit(main())
