#!/usr/bin/env python3
"""Measures samebits train on several processes, and while it saves: ratios of medians.

    bench/processes.py --rounds 5     more rounds
    bench/processes.py --record       keep the ratios in bench/history
    bench/processes.py --json FILE    the same figures as JSON

Run by a Python that has torch and transformers (tools/make_venvs.py peers). A step is that of ViT-MAE base, batch 8, mask ratio 0.75, float32;
a process has one thread. What is lost of a step of N processes is 1 less the time of a step of one process over N times that of theirs; where
there are fewer processors than processes, N is how many processors there are. Beside the exchange it holds what every pass does whatever its images
are, as to turn the weights around for the way back: with larger batches less is lost.
Saving is measured against cp of a checkpoint's files and sync of them.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from figures import CACHE, SAMEBITS, Table, processor
from train import make_model

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures"))
import mpi  # noqa: E402

PROCESSORS = len(os.sched_getaffinity(0))


def command(folder, out, *more):
    words = [SAMEBITS, "train", folder, "--data", folder.parent / "train-images.safetensors", "--out", out, "--threads", 1, "--json", *more]
    return list(map(str, words))


def timing(name, ranks, folder, steps):
    """Seconds of a step, and of them those of exchanging and of waiting."""
    with tempfile.TemporaryDirectory() as out:
        words = command(folder, f"{out}/run", "--steps", steps)
        status, text, error = mpi.run(name, ["-n", ranks, *words], timeout=600)
    if status:
        raise SystemExit(f"samebits train on {ranks} processes: {error}")
    found = json.loads(text)["timing"]
    # The first step meets memory that was never touched.
    return statistics.median(found["step_s"][1:]), found["communication_s"] / steps, found["waiting_s"] / steps


def measure_processes(name, folder, rounds, table):
    counts = [1, 2, 4]
    found = {ranks: [] for ranks in counts}
    for _ in range(rounds):
        for ranks in counts:
            found[ranks].append(timing(name, ranks, folder, 4))
    medians = {ranks: [statistics.median(each) for each in zip(*of)] for ranks, of in found.items()}
    for ranks in counts[1:]:
        step, exchange, wait = medians[ranks]
        useful = min(ranks, PROCESSORS)
        detail = f"{step:.3g} s a step, of it {exchange:.2g} s of exchange and {wait:.2g} s of waiting; one process {medians[1][0]:.3g} s"
        what = f"{name}, {ranks} processes on {PROCESSORS} processors: time lost of a step"
        table.add(what, 1 - medians[1][0] / (useful * step), 0.25, "", detail)


def saved(folder, out, *more):
    """Seconds of save_s, and the folder of the last checkpoint."""
    shutil.rmtree(out, ignore_errors=True)
    text = subprocess.run(command(folder, out, *more), capture_output=True, check=True).stdout
    found = json.loads(text)
    return found["timing"]["save_s"], pathlib.Path(found["checkpoint"])


def copy_seconds(state, copy):
    """cp of a checkpoint's files, until they are on the disk."""
    shutil.rmtree(copy, ignore_errors=True)
    start = time.perf_counter()
    subprocess.run(["cp", "-r", state, copy], check=True)
    subprocess.run(["sync", *map(str, copy.iterdir())], check=True)
    return time.perf_counter() - start


def measure_saving(folder, rounds, table):
    ours, copies, stood_still = [], [], []
    with tempfile.TemporaryDirectory(dir=CACHE) as out:
        out = pathlib.Path(out)
        for _ in range(rounds):
            seconds, state = saved(folder, out / "run", "--steps", 1)
            ours.append(seconds[0])
            copies.append(copy_seconds(state, out / "copy"))
            size = sum(path.stat().st_size for path in state.iterdir())
            # The first copy meets memory that was never touched.
            seconds, _ = saved(folder, out / "run", "--steps", 7, "--save-every", 2, "--keep", 1)
            stood_still.append(seconds[1])
    mine, cp, still = map(statistics.median, (ours, copies, stood_still))
    files = f"{size / 1e6:.0f} MB"
    table.add("saving the last checkpoint / cp and sync", mine / cp, 1 / 0.7, "", f"{mine:.3g} s against {cp:.3g} s, {files}")
    table.add("no step is made while one is saved / saving it", still / mine, 0.5, "", f"{still:.3g} s of {mine:.3g} s")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mpi", nargs="*", default=list(mpi.NAMES))
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--record", action="store_true", help="keep the ratios in bench/history: on a quiet machine")
    options = parser.parse_args()
    folder = make_model()
    print(f"\ntraining on several processes, {processor()}, {PROCESSORS} processors, medians of {options.rounds} rounds\n")
    table = Table()
    for name in options.mpi:
        if why := mpi.missing(name):
            raise SystemExit(why)
        measure_processes(name, folder, options.rounds, table)
    measure_saving(folder, options.rounds, table)
    sys.exit(table.conclude(options.json, options.record))


if __name__ == "__main__":
    main()
