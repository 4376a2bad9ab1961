#!/usr/bin/env python3
"""Measures forward passes against PyTorch, ONNX Runtime and OpenVINO, side by side in one run: ratios of medians.

    make bench                      this and the other benchmarks
    bench/forward.py --rounds 5     more rounds
    bench/forward.py --record       keep the ratios in bench/history
    bench/forward.py --json FILE    the same figures as JSON
    bench/forward.py --plot FILE    draws how speed scales with the batch and the image

Run by a Python that has torch, transformers, onnxruntime and openvino (tools/make_venvs.py peers). The engines take turns in every
round, each with some passes in a row, in float32 on the same inputs' shapes. OpenVINO runs with INFERENCE_PRECISION_HINT f32.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

from figures import CACHE, ROOT, SAMEBITS, Table, busy_loops, forward_seconds, make_routes, processor

VIT = """
import sys, torch, transformers
torch.manual_seed(7)
transformers.ViTForImageClassification(transformers.ViTConfig(num_labels=1000)).save_pretrained(sys.argv[1])
"""
EXPORT = """
import sys, torch, transformers
folder, batch, out = sys.argv[1:]
class Logits(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = transformers.ViTForImageClassification.from_pretrained(folder).eval()
    def forward(self, images):
        return self.model(images).logits
torch.onnx.export(Logits(), (torch.randn(int(batch), 3, 224, 224),), out, opset_version=17, dynamo=False, input_names=["images"])
"""
# A worker makes ready, then answers every line "N" with the median of N passes.
WORKER = """
import statistics, sys, time
def serve(run):
    run()
    print("ready", flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line)):
            start = time.perf_counter()
            run()
            times.append(time.perf_counter() - start)
        print(statistics.median(times), flush=True)
"""
TORCH = WORKER + """
import torch, transformers
name, folder, batch, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
model, images = getattr(transformers, name).from_pretrained(folder).eval(), torch.randn(batch, 3, 224, 224)
with torch.inference_mode():
    serve(lambda: model(images))
"""
ONNX = WORKER + """
import numpy, onnxruntime
path, batch, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
images = numpy.random.randn(batch, 3, 224, 224).astype("f4")
serve(lambda: session.run(None, {"images": images}))
"""
OPENVINO = WORKER + """
import numpy, openvino
path, batch, threads = sys.argv[1], int(sys.argv[2]), sys.argv[3]
core = openvino.Core()
settings = {"INFERENCE_PRECISION_HINT": "f32", "NUM_STREAMS": "1", "INFERENCE_NUM_THREADS": threads}
request = core.compile_model(core.read_model(path), "CPU", settings).create_infer_request()
images = numpy.random.randn(batch, 3, 224, 224).astype("f4")
serve(lambda: request.infer({0: images}))
"""


class Peer:
    """One engine with a model loaded, in a process of its own."""

    def __init__(self, script, *words):
        command = [sys.executable, "-c", script, *map(str, words)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        for line in self.process.stdout:  # what a library prints comes before
            if line == "ready\n":
                return
        raise SystemExit(f"a peer ended before it was ready: {words}")

    def seconds(self, passes):
        self.process.stdin.write(f"{passes}\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def make_vit():
    folder = CACHE / "vit-base"
    if not (folder / "model.safetensors").exists():
        subprocess.run([sys.executable, "-c", VIT, folder], check=True, stderr=subprocess.DEVNULL)
    return folder


def exported(folder, batch):
    path = CACHE / f"vit-base-{batch}.onnx"
    if not path.exists():
        subprocess.run([sys.executable, "-c", EXPORT, folder, str(batch), path], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path


def rounds(folder, batch, threads, peers, count, runs):
    """Medians over the rounds: name -> seconds. Everybody once in each round; `runs`: name -> more options of samebits run."""
    passes = 7 if batch == 1 else 3
    times = {name: [] for name in [*runs, *peers]}
    for _ in range(count):
        for name, more in runs.items():
            times[name].append(forward_seconds(folder, batch, threads, passes + 1, *more))
        for name, peer in peers.items():
            times[name].append(peer.seconds(passes))
    return {name: statistics.median(taken) for name, taken in times.items()}


SETTINGS = ((1, 1), (1, 2), (8, 1), (8, 2))  # batch, threads


def compare(what, medians, limits, table):
    for name, limit in limits.items():
        table.add(f"{what}, run / {name}", medians["run"] / medians[name], limit, "",
                  f"{medians['run'] * 1000:.0f} ms against {medians[name] * 1000:.0f} ms")


def vit_peers(folder, batch, threads, names):
    makers = {
        "PyTorch": lambda: Peer(TORCH, "ViTForImageClassification", folder, batch, threads),
        "ONNX Runtime": lambda: Peer(ONNX, exported(folder, batch), batch, threads),
        "OpenVINO": lambda: Peer(OPENVINO, exported(folder, batch), batch, threads),
    }
    return {name: makers[name]() for name in names}


def measure_vit(count, table):
    folder = make_vit()
    limits = {"PyTorch": 0.5, "ONNX Runtime": 0.85, "OpenVINO": 0.92}
    for batch, threads in SETTINGS:
        peers = vit_peers(folder, batch, threads, limits)
        # The peers give logits, and nothing else.
        medians = rounds(folder, batch, threads, peers, count, {"run": ["--only", "logits"], "run of all outputs": []})
        compare(f"ViT-B/16, batch {batch}, threads {threads}", medians, limits | {"run of all outputs": 1}, table)
        for peer in peers.values():
            peer.close()


def measure_busy(count, table):
    """Beside a loop on each processor that never rests."""
    folder = make_vit()
    limits = {"PyTorch": 1, "OpenVINO": 1}
    for batch in (1, 8):
        peers = vit_peers(folder, batch, 2, limits)
        with busy_loops():
            medians = rounds(folder, batch, 2, peers, count, {"run": ["--only", "logits"]})
        compare(f"ViT-B/16 beside busy loops, batch {batch}, threads 2", medians, limits, table)
        for peer in peers.values():
            peer.close()


def measure_mae(folder, count, table):
    for batch, threads in SETTINGS:
        peers = {"PyTorch": Peer(TORCH, "ViTMAEForPreTraining", folder, batch, threads)}
        compare(f"ViT-MAE base, batch {batch}, threads {threads}", rounds(folder, batch, threads, peers, count, {"run": []}), {"PyTorch": 0.45}, table)
        peers["PyTorch"].close()


def measure_start(folder, table):
    """From the start of the process to its end, less the forward pass; and its largest resident memory."""
    weights = (folder / "model.safetensors").stat().st_size
    extra, largest = [], 0
    for _ in range(5):
        before = time.perf_counter()
        command = [SAMEBITS, "run", str(folder), "--json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        text = process.stdout.read()
        _, _, usage = os.wait4(process.pid, 0)
        forward = json.loads(text)["timing"]["forward_s"][0]
        extra.append(time.perf_counter() - before - forward)
        largest = max(largest, usage.ru_maxrss * 1024)
    table.add(f"start to first output of {weights / 1e6:.0f} MB, less the pass", statistics.median(extra), 0.25, "s")
    table.add("resident memory / weights", largest / weights, 1.6, "", "the mapped file included")


def resident(command):
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    return usage.ru_maxrss * 1024


def gigaflops(size, width=768, layers=12, mlp=3072, patch=16):
    """Of one image: the matrix products of ViT-B/16."""
    patches = (size // patch) ** 2
    tokens = patches + 1
    block = 2 * tokens * width * (4 * width + 2 * mlp) + 4 * tokens * tokens * width
    return (layers * block + 2 * patches * width * 3 * patch * patch) / 1e9


def measure_scaling(table, picture):
    """Work done in a second, over batches and image sizes; memory over batches."""
    folder = make_vit()
    print("\nscaling of ViT-B/16, threads 2")
    rates = {}
    for batch in (1, 2, 4, 8, 16, 32, 64):
        seconds = forward_seconds(folder, batch, 2, 3 if batch < 16 else 1)
        rates[f"batch {batch}"] = batch * gigaflops(224) / seconds
        print(f"  batch {batch:3}, 224 x 224: {seconds * 1000:9.0f} ms  {rates[f'batch {batch}']:6.0f} GF/s", flush=True)
    for size in (224, 384, 512, 768, 1024):
        seconds = forward_seconds(folder, 1, 2, 3, size=size)
        rates[f"size {size}"] = gigaflops(size) / seconds
        print(f"  batch   1, {size:4} x {size:4}: {seconds * 1000:7.0f} ms  {rates[f'size {size}']:6.0f} GF/s", flush=True)
    if picture:
        plot(rates, picture)
    table.add("work in a second, slowest against fastest", max(rates.values()) / min(rates.values()), 1.25, "")
    command = [SAMEBITS, "run", folder, "--threads", 2, "--randn"]
    values = 4 * 3 * 224 * 224 + 4 * 197 * 768  # bytes of an image: itself and its output
    growth = resident([*command, "64x3x224x224"]) - resident([*command, "8x3x224x224"]) - 56 * values
    table.add("memory of 56 images more, less theirs and their outputs'", growth / 1e6, 64, "MB")


def plot(rates, path):
    """Work done in a second over batches (left) and image sizes (right), as SVG."""
    most, parts = max(rates.values()), []
    for panel, (word, unit) in enumerate((("batch", "images of 224 x 224"), ("size", "pixels a side, 1 image"))):
        points = [(name.split()[1], rate) for name, rate in rates.items() if name.startswith(word)]
        left = 60 + 330 * panel
        xs = [left + 270 * i / (len(points) - 1) for i in range(len(points))]
        ys = [220 - 190 * rate / most for _, rate in points]
        parts.append(f'<polyline fill="none" stroke="#0b5cad" stroke-width="2" points="{" ".join(f"{x:.0f},{y:.1f}" for x, y in zip(xs, ys))}"/>')
        for x, y, (name, rate) in zip(xs, ys, points):
            parts.append(f'<circle cx="{x:.0f}" cy="{y:.1f}" r="3.5" fill="#0b5cad"><title>{name}: {rate:.0f} GF/s</title></circle>')
            parts.append(f'<text x="{x:.0f}" y="238" text-anchor="middle">{name}</text>')
        parts.append(f'<line x1="{left}" y1="220" x2="{left + 270}" y2="220" stroke="#888"/>')
        parts.append(f'<text x="{left + 135}" y="258" text-anchor="middle">{unit}</text>')
    for rate in range(0, int(most) + 1, 100):
        parts.append(f'<text x="44" y="{224 - 190 * rate / most:.0f}" text-anchor="end">{rate}</text>')
    body = "\n".join(parts)
    path.write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 700 270" font-family="sans-serif" font-size="12" fill="#777">\n'
                    f'<title>ViT-B/16 on two threads: GF/s</title>\n<text x="44" y="20">GF/s</text>\n{body}\n</svg>\n')


def measure_explain(routes, table):
    """Three routes of one ViT-MAE base, with the runs that prove the cause."""
    paths = [routes / name for name in ("hf", "whole.pth", "statedict.pth")]
    for batch, limit in ((1, 2), (8, 8)):
        taken = []
        for _ in range(5):
            before = time.perf_counter()
            command = [SAMEBITS, "explain", *paths, "--randn", f"{batch}x3x224x224", "--json"]
            done = subprocess.run(list(map(str, command)), stdout=subprocess.PIPE)
            taken.append(time.perf_counter() - before)
            causes = [finding["cause"] for finding in json.loads(done.stdout)["findings"] if finding["proof"] == "proved"]
            if causes != ["rng.noise"]:
                raise SystemExit(f"explain proved {causes}")
        table.add(f"explain of three routes of ViT-MAE base, batch {batch}", statistics.median(taken), limit, "s")


CHANGE = """
import sys, safetensors.torch, torch
source, target, names = sys.argv[1], sys.argv[2], sys.argv[3:]
tensors = safetensors.torch.load_file(f"{source}/model.safetensors")
generator = torch.Generator().manual_seed(0)
for name in names or tensors:
    tensors[name] += 0.01 * torch.randn(tensors[name].shape, generator=generator)
safetensors.torch.save_file(tensors, f"{target}/model.safetensors", metadata={"format": "pt"})
"""


def make_changed(folder, name, *tensors):
    """A copy of a directory in which these tensors have other values; all of them where none is named."""
    changed = folder.parent / f"{folder.name}-{name}"
    if not (changed / "done").exists():
        changed.mkdir(exist_ok=True)
        subprocess.run([sys.executable, "-c", CHANGE, folder, changed, *tensors], check=True)
        shutil.copyfile(folder / "config.json", changed / "config.json")
        (changed / "done").touch()
    (changed / "model.safetensors").read_bytes()  # into the page cache
    return changed


def measure_exchange(count, table):
    """explain of two ViT-B/16 against one run of one of them, whole processes: runs start behind what they share with one before."""
    folder = make_vit()
    pairs = {"one tensor of block 6": make_changed(folder, "one", "vit.encoder.layer.6.intermediate.dense.weight"),
             "all 200 tensors": make_changed(folder, "all")}
    commands = {"run": [SAMEBITS, "run", folder]}
    commands |= {what: [SAMEBITS, "explain", folder, changed] for what, changed in pairs.items()}
    taken = {what: [] for what in commands}
    for _ in range(count):
        for what, command in commands.items():
            before = time.perf_counter()
            subprocess.run(list(map(str, command)), stdout=subprocess.DEVNULL)
            taken[what].append(time.perf_counter() - before)
    median = {what: statistics.median(times) for what, times in taken.items()}
    for what, limit in (("one tensor of block 6", 3), ("all 200 tensors", 6)):
        table.add(f"explain, {what} changed / one run", median[what] / median["run"], limit, "", f"{median[what]:.2f} s")


def measure_tiny(table):
    seconds = forward_seconds(ROOT / "examples" / "vit-mae-tiny" / "hf", 1, 1, 21, size=32)
    table.add("forward pass of a tiny ViT-MAE", seconds * 1000, 1, "ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--record", action="store_true", help="keep the ratios in bench/history: on a quiet machine")
    parser.add_argument("--plot", type=pathlib.Path, help="write the scaling as SVG")
    options = parser.parse_args()
    routes = make_routes()
    print(f"\nforward passes, float32, {processor()}, {os.cpu_count()} cores, medians of {options.rounds} rounds\n")
    table = Table()
    measure_vit(options.rounds, table)
    measure_busy(options.rounds, table)
    measure_mae(routes / "hf", options.rounds, table)
    measure_start(routes / "hf", table)
    measure_explain(routes, table)
    measure_exchange(options.rounds, table)
    measure_tiny(table)
    measure_scaling(table, options.plot)
    return table.conclude(options.json, options.record)


if __name__ == "__main__":
    sys.exit(main())
