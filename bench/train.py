#!/usr/bin/env python3
"""Measures training steps against PyTorch, side by side in one run: ratios of medians, and memory.

    bench/train.py --rounds 5     more rounds
    bench/train.py --record       keep the ratios in bench/history
    bench/train.py --json FILE    the same figures as JSON

Run by a Python that has torch and transformers (tools/make_venvs.py peers). A step is forward, backward and AdamW of ViT-MAE base, batch 8,
mask ratio 0.75, float32; PyTorch's AdamW is the fused one. The two take turns. Beside the seconds stand those of the processors, which other
work on the machine moves less.
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

from figures import CACHE, SAMEBITS, Table, processor

MAKE = """
import sys, safetensors.torch, torch, transformers
torch.manual_seed(7)
transformers.ViTMAEForPreTraining(transformers.ViTMAEConfig()).save_pretrained(sys.argv[1])
safetensors.torch.save_file({"images": torch.randn(16, 3, 224, 224)}, sys.argv[1] + "/../train-images.safetensors")
"""
# Answers every line "N" with the seconds, and the processors' seconds, of each of N steps; at the end with its largest memory.
TORCH = """
import json, resource, sys, time, torch, transformers
folder, threads = sys.argv[1], int(sys.argv[2])
torch.set_num_threads(threads)
model = transformers.ViTMAEForPreTraining.from_pretrained(folder).train()
for table in (model.vit.embeddings.position_embeddings, model.decoder.decoder_pos_embed):
    table.requires_grad_(False)
optimizer = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=1e-3, fused=True)
images = torch.randn(8, 3, 224, 224)
def step():
    model(images).loss.backward()
    optimizer.step()
    optimizer.zero_grad()
step()
print("ready", flush=True)
for line in sys.stdin:
    found = []
    for _ in range(int(line)):
        start, busy = time.perf_counter(), time.process_time()
        step()
        found.append([time.perf_counter() - start, time.process_time() - busy])
    print(json.dumps([found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]), flush=True)
"""


class Torch:
    def __init__(self, folder, threads):
        words = [sys.executable, "-c", TORCH, str(folder), str(threads)]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        while (line := self.process.stdout.readline()) != "ready\n":
            if not line:
                raise SystemExit("PyTorch ended before it was ready")

    def steps(self, count):
        """Seconds, processors' seconds, largest memory in bytes."""
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        found, memory = json.loads(self.process.stdout.readline())
        return [statistics.median(each) for each in zip(*found)] + [memory * 1024]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def train(folder, threads, steps):
    """Seconds of each step, the processors' seconds of all, largest memory in bytes."""
    with tempfile.TemporaryDirectory() as out:
        words = [SAMEBITS, "train", folder, "--data", folder.parent / "train-images.safetensors", "--out", f"{out}/run"]
        words += ["--steps", steps, "--threads", threads, "--json"]
        process = subprocess.Popen(list(map(str, words)), stdout=subprocess.PIPE)
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"samebits train: {text}")
    return json.loads(text)["timing"]["step_s"], usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def make_model():
    """The folder of a ViT-MAE base, made once; the images to train it with stand beside it."""
    folder = CACHE / "train-vit-mae-base"
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        subprocess.run([sys.executable, "-c", MAKE, folder], check=True, stderr=subprocess.DEVNULL)
        (folder / "done").touch()
    return folder


def measure(folder, threads, rounds, limits, table):
    torch = Torch(folder, threads)
    ours, theirs = [], []
    for _ in range(rounds):
        few, many = train(folder, threads, 1), train(folder, threads, 4)
        # The first step meets memory that was never touched; what a process does besides steps is in both.
        ours.append([statistics.median(many[0][1:]), (many[1] - few[1]) / 3, many[2]])
        theirs.append(torch.steps(3))
    torch.close()
    what = f"ViT-MAE base, batch 8, threads {threads}, train / PyTorch"
    for i, (name, unit, scale) in enumerate((("step", "s", 1), ("processors' time of a step", "s", 1), ("largest memory", "MB", 1e6))):
        mine, other = (statistics.median(each[i] for each in list_of) for list_of in (ours, theirs))
        table.add(f"{what}: {name}", mine / other, limits[i], "", f"{mine / scale:.4g} {unit} against {other / scale:.4g} {unit}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--record", action="store_true", help="keep the ratios in bench/history: on a quiet machine")
    options = parser.parse_args()
    folder = make_model()
    print(f"\ntraining steps, float32, {processor()}, {os.cpu_count()} cores, medians of {options.rounds} rounds\n")
    table = Table()
    for threads in options.threads:
        measure(folder, threads, options.rounds, (1, 1, 0.8), table)
    sys.exit(table.conclude(options.json, options.record))


if __name__ == "__main__":
    main()
